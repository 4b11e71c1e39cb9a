"""Data recorded elsewhere, read into the project's types.

May import all of `dataset`.
"""
