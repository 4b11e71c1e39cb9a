"""Sessions: their types, their schema, and the one file that reads and writes them.

May import `dataset.support`.
"""
