"""
Output for people: tables, explanations of queries, and progress.
"""
