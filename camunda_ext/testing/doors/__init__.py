"""
The ways to the engine: over HTTP, and in process.
"""
