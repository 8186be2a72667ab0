"""
Many tasks: pages, proof of filters, bulk writes, journal, and export.
"""
