"""
What is said: JSON, dates, names of fields, URLs, checks of values, and text that may be shown.
"""
