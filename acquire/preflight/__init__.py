"""What stands in the way of a good recording, before it begins.

May import `acquire.bluetooth`, `acquire.quality` and `acquire.recording`.
"""
