"""
One call: its attempts, the waits and the looks between them.
"""
