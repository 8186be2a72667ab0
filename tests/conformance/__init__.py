"""
The numbered cases of the contract of the API, on real engines.
"""
