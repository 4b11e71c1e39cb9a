"""Camera and microphone to stamped frames and blocks, and those to ``video.mkv``.

May import `acquire.event_log`, `acquire.hardware` and `acquire.quality`.
"""
