"""Damaged and hostile files of every format that is read: no traceback, no hang, no gigabyte, nothing outside.

May import all of the project.
"""
