"""What stands in the way of a good recording, before it begins.

May import `acquire.quality` and `acquire.bluetooth`.
"""
