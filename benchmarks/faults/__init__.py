"""A kill, a full disk or a failing disk at the Nth write, sync, rename, link or unlink of a command, for every N.

May import all of the project.
"""
