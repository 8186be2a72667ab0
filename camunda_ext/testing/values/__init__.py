"""
Typed variables, dates and JSON, as the engine reads and writes them.
"""
