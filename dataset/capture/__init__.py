"""Captures: reading, writing, closing, and files attached to them.

May import `dataset.sensors` and `dataset.support`.
"""
