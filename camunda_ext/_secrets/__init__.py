"""
Keeps secrets, such as credentials, out of tracebacks, pickles and shown answers.
"""
