"""
What people look at: tables, explanations of queries, and how far a run is.
"""
