"""Work on captures after the recording: recover, verify, attach a video.

May import `acquire.quality`.
"""
