"""The virtual person: skeleton, motions, muscles, and how they are drawn.

May import `acquire.protocol`, `acquire.virtual.chance`, `acquire.virtual.faults` and `acquire.virtual.film`.
"""
