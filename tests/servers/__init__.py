"""
Applications as users write them, for servers that make a thread or a greenlet for each request.
"""
