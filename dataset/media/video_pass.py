"""One pass over a video for several consumers: every frame is decoded once and passed to each that wants it.

A long video is divided into stretches that threads decode in parallel. A consumer therefore does not take frames
itself: it makes a :class:`StretchConsumer` for each stretch, in the thread that decodes the stretch, and receives their
results in the video's order. What a consumer does with a frame (measure brightness, detect the person) is up to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from dataset.media.decoded_frame import DecodedFrame
from dataset.media.video import CannotEnterError, decode_frames, probe_video
from dataset.support.threads import default_workers, each_in_order

#: A video at least twice as long is read in stretches of this length, in seconds.
STRETCH_S = 60.0
#: No stretch is longer than this share of the rest, nor shorter than this share of the longest.
_SHARE, _SHORTEST = 0.25, 0.15
#: Frames between progress reports, and between transfers of results of a video without stretches.
_REPORT_EVERY, _HAND_OVER_EVERY = 30, 600

#: Presentation times in nanoseconds: from the first (included) to the second (excluded); None: open end.
Span = tuple[int | None, int | None]


class StretchConsumer(Protocol):
    """Takes frames of one stretch of a video, in order and in one thread."""

    def wants(self, pts_ns: int) -> bool:
        """Return whether it needs the frame of this presentation time."""

    def take(self, frame: DecodedFrame) -> None:
        """Take a frame; it is not valid afterwards."""

    def hand_over(self) -> None:
        """Append the results since the last call to those of earlier stretches, one stretch at a time."""


class Consumer(Protocol):
    """User of the decoded frames of a video."""

    @property
    def longest_stretch_s(self) -> float | None:
        """Longest stretch for which the result does not depend on the number of threads; None: any length."""

    def stretch(self) -> StretchConsumer:
        """Return the consumer of a stretch's frames; called in the thread that decodes it."""

    def restart(self) -> None:
        """Discard the results: the video is read again from its start."""


def run_video_pass(
    video: Path,
    consumers: Sequence[Consumer],
    *,
    workers: int | None = None,
    stretch_s: float | None = None,
    progress: Callable[[float], None] | None = None,
) -> None:
    """Decode a video once, in parallel stretches, and pass its frames to each consumer that wants them.

    Parameters
    ----------
    video : Path
    consumers : sequence of Consumer
    workers : int, optional
        Threads, each decoding a stretch of the file; one per core by default. The result is the same for any number.
    stretch_s : float, optional
        Longest stretch; a minute by default, and less if a consumer requires it.
    progress : callable, optional
        Called with the number of frames read since the last call.

    Raises
    ------
    VideoError
        It cannot be decoded.
    """
    duration_s = probe_video(video).duration_s
    workers = default_workers() if workers is None else workers
    longest_s = STRETCH_S if stretch_s is None else stretch_s
    asked_s = [c.longest_stretch_s for c in consumers if c.longest_stretch_s is not None]
    if duration_s > 2 * longest_s and (workers > 1 or asked_s):
        bounds: list[int | None] = [None, *stretch_edges_ns(duration_s, min([longest_s, *asked_s])), None]
        try:
            decode_spans(video, consumers, list(pairwise(bounds)), workers=workers, progress=progress)
        except CannotEnterError:  # a file without an index, or cut off: read from its start
            for consumer in consumers:
                consumer.restart()
        else:
            return
    stretches = [consumer.stretch() for consumer in consumers]
    _decode(video, stretches, (None, None), threads=1 if workers == 1 else 0, progress=progress, at_once=True)
    _hand_over(stretches)


def decode_spans(
    video: Path,
    consumers: Sequence[Consumer],
    spans_ns: Sequence[Span],
    *,
    workers: int,
    progress: Callable[[float], None] | None = None,
) -> None:
    """Decode the frames within the given spans of presentation time, each span as one stretch.

    Raises
    ------
    VideoError
        It cannot be decoded.
    CannotEnterError
        Seeking to a span is impossible.
    """

    def decode(span_ns: Span) -> list[StretchConsumer]:
        stretches = [consumer.stretch() for consumer in consumers]
        _decode(video, stretches, span_ns, threads=1, progress=progress)
        return stretches

    with closing(each_in_order(decode, spans_ns, workers)) as decoded:
        for stretches in decoded:
            _hand_over(stretches)


def stretch_edges_ns(duration_s: float, longest_s: float) -> list[int]:
    """Return the edges of a video's stretches: the last ones shorter and shorter, so that no thread idles long."""
    edges_ns: list[int] = []
    at_s = 0.0
    while True:
        left_s = duration_s - at_s
        at_s += min(longest_s, max(_SHARE * left_s, _SHORTEST * longest_s))
        if duration_s - at_s < 0.5 * _SHORTEST * longest_s:
            return edges_ns
        edges_ns.append(int(at_s * 1e9))


def _decode(
    video: Path,
    stretches: Sequence[StretchConsumer],
    span_ns: Span,
    *,
    threads: int,
    progress: Callable[[float], None] | None,
    at_once: bool = False,
) -> None:
    """Pass a span's frames to the consumers; with ``at_once`` results are transferred along the way."""
    start_ns, stop_ns = span_ns
    n = 0
    for frame in decode_frames(video, start_ns=start_ns, stop_ns=stop_ns, threads=threads):
        for stretch in stretches:
            if stretch.wants(frame.pts_ns):
                stretch.take(frame)
        n += 1
        if progress and n % _REPORT_EVERY == 0:
            progress(_REPORT_EVERY)
        if at_once and n % _HAND_OVER_EVERY == 0:
            _hand_over(stretches)
    if progress:
        progress(n % _REPORT_EVERY)


def _hand_over(stretches: Sequence[StretchConsumer]) -> None:
    for stretch in stretches:
        stretch.hand_over()
