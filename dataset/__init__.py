"""What is stored and how it is read: captures, sessions, video, keypoints, windows, splits.

Imports no other package of the project.
"""
