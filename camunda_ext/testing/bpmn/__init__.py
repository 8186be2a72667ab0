"""
BPMN files as the processes that the embedded engine runs.
"""
