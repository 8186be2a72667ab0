"""
Real Camunda 7 and Operaton process engines, started on this machine for the test suite.
"""
