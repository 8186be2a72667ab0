"""
The state of the engine, and what commands do to it.
"""
