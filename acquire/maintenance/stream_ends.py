"""End of each stream of a capture, from its stored rows: shows what a recording that was cut off has lost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dataset.capture.reader import Capture
from dataset.media.video import frame_pts_ns
from dataset.support.arrays import IntArray
from dataset.support.errors import VideoError

#: A stream that ends before the last one by more than this, and by more than its longest gap, ended early.
EARLY_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEnd:
    """The end of one stream.

    Attributes
    ----------
    stream : str
        A channel, ``picture`` or ``sound``.
    n : int
        Notifications, pictures in the video file, or blocks of sound.
    last_s : float or None
        Time of its last datum, in seconds after the capture's first; None if it has none.
    behind_s : float or None
        Seconds between its end and that of the stream that ended last.
    early : bool
        It ended well before the others, or never began.
    """

    stream: str
    n: int
    last_s: float | None
    behind_s: float | None
    early: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """Ends of all streams of a capture.

    Attributes
    ----------
    span_s : float
        From the first to the last datum of any stream.
    streams : tuple of StreamEnd
    cut_in : str
        The exercise in progress; empty if there was none.
    pictures_lost : int
        Frames that have a PTS in the database and no picture in the file, dropped ones not counted.
    video_error : str
        Why the video cannot be read; empty if it can.
    """

    span_s: float
    streams: tuple[StreamEnd, ...]
    cut_in: str
    pictures_lost: int
    video_error: str


def find_ends(capture: Capture) -> Ends:
    """Find the last datum of each stream of ``capture`` from its rows and its video file."""
    arrivals: dict[str, IntArray] = {
        channel: capture.notifications(slot).arrival_ns for channel, slot in capture.slot_of_channel.items()
    }
    frames = capture.frames()
    video_error, lost = "", 0
    if len(frames.arrival_ns):
        pts = np.zeros(0, dtype=np.int64)
        try:
            if capture.video_path is not None:
                pts = frame_pts_ns(capture.video_path)
        except VideoError as error:
            video_error = str(error)
        wanted = frames.pts_ns[frames.pts_ns >= 0]
        lost = int(np.count_nonzero(~np.isin(wanted, pts)))
        # The last committed rows may be older than the last picture, or newer.
        arrivals["picture"] = frames.arrival_ns[0] + pts
        arrivals["sound"] = capture.audio_blocks().arrival_ns
    filled = [times for times in arrivals.values() if len(times)]
    first_ns = min((int(times[0]) for times in filled), default=0)
    last_ns = max((int(times[-1]) for times in filled), default=0)
    return Ends(
        span_s=round((last_ns - first_ns) * 1e-9, 3),
        streams=tuple(_end(stream, times, first_ns, last_ns) for stream, times in arrivals.items()),
        cut_in=_running_exercise(capture),
        pictures_lost=lost,
        video_error=video_error,
    )


def _end(stream: str, times: IntArray, first_ns: int, last_ns: int) -> StreamEnd:
    if len(times) == 0:
        return StreamEnd(stream=stream, n=0, last_s=None, behind_s=None, early=stream != "sound")
    behind_s = (last_ns - int(times[-1])) * 1e-9
    longest_s = float(np.diff(times).max()) * 1e-9 if len(times) > 1 else 0.0
    return StreamEnd(
        stream=stream,
        n=len(times),
        last_s=round((int(times[-1]) - first_ns) * 1e-9, 3),
        behind_s=round(behind_s, 3),
        early=behind_s > max(EARLY_S, longest_s),
    )


def _running_exercise(capture: Capture) -> str:
    events = capture.events("exercise_start", "exercise_stop")
    return events[-1].label if events and events[-1].kind == "exercise_start" else ""
