"""Camera and microphone to stamped frames and blocks, and those to ``video.mkv``.

May import `acquire.quality` and `acquire.event_log`.
"""
