"""Stored data and its readers: captures, sessions, video, keypoints, windows, splits.

Imports no other package of the project.
"""
