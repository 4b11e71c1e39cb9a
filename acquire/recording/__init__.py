"""One recording from open devices to a closed capture.

May import every folder of `acquire` but `screen`, `tools` and `virtual`.
"""
