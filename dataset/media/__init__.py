"""Video and sound files, decoded with their own time stamps.

May import `dataset.support`.
"""
