"""
Makes one attempt of a request over the network.
"""
