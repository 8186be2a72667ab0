"""
One call: its attempts, the waits between them, and the looks at the task after a failure.
"""
