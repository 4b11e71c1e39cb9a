"""Captures: reading, writing, closing, and files attached to them.

May import `dataset.support` and `dataset.sensors`.
"""
