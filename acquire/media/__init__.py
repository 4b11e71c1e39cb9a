"""Camera and microphone with time-stamped frames and blocks, and their recording to ``video.mkv``.

May import `acquire.event_log`, `acquire.hardware` and `acquire.quality`.
"""
