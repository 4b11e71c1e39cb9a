"""What is stored and how it is read: captures, sessions, video, keypoints, windows, splits."""
