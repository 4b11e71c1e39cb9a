"""The virtual person: skeleton, motions, muscles, and how they are drawn.

Imports nothing of `acquire.virtual.devices`.
"""
