"""A sensor's own clock from its arrivals: packet indices, the lower envelope, stamps taken as they are.

May import `sync.robust`.
"""
