"""General utilities of every package: errors, clock, files, console, arrays.

Imports nothing else of `dataset`.
"""
