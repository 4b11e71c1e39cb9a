"""Video and sound files, with their own times.

May import `dataset.support`.
"""
