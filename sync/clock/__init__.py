"""A sensor's own clock from its arrivals: packet indices and the lower envelope.

Imports nothing else of `sync`.
"""
