"""The rig: which devices there are, read from TOML, and the real ones opened.

May import `acquire.bluetooth`, `acquire.hardware`, `acquire.media` and `acquire.protocol`.
"""
