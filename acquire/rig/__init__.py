"""The rig: which devices there are, read from TOML, and the real ones opened.

May import every device folder of `acquire`, not `recording` or `screen`.
"""
