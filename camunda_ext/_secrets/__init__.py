"""
What nobody is to see: it is taken out of tracebacks and of answers.
"""
