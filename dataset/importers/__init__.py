"""Importers of data recorded with other software.

May import all of `dataset`.
"""
