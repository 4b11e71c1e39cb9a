"""One pass over a film for several consumers: every frame is decoded once and given to each that wants it.

A long film is cut into stretches that threads decode at once. A consumer therefore does not take frames itself: it
makes a :class:`StretchConsumer` for each stretch, in the thread that decodes the stretch, and is handed what they found
in the film's order. What a consumer does with a frame (measure brightness, look for the person) is its own concern.
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

#: A film twice as long or longer is read in stretches of so many seconds.
STRETCH_S = 60.0
#: No stretch is longer than this share of what is left, nor shorter than this share of the longest.
_SHARE, _SHORTEST = 0.25, 0.15
#: Progress is reported each so many frames, and a film without stretches handed over each so many.
_REPORT_EVERY, _HAND_OVER_EVERY = 30, 600

#: Presentation times in nanoseconds: from the first on and before the second; None without an end.
Span = tuple[int | None, int | None]


class StretchConsumer(Protocol):
    """Takes frames of one stretch of a film, in order and in one thread."""

    def wants(self, pts_ns: int) -> bool:
        """Return whether to be given the frame of this presentation time."""

    def take(self, frame: DecodedFrame) -> None:
        """Take a frame; it is gone afterwards."""

    def hand_over(self) -> None:
        """Add what was found since the last call to that of the stretches before, one stretch at a time."""


class Consumer(Protocol):
    """What a film is decoded for."""

    @property
    def longest_stretch_s(self) -> float | None:
        """Longest stretch for which what is found does not depend on the number of threads; None where any is."""

    def stretch(self) -> StretchConsumer:
        """Return what takes a stretch's frames; called in the thread that decodes it."""

    def restart(self) -> None:
        """Forget what was found: the film is read from its beginning once more."""


def run_video_pass(
    video: Path,
    consumers: Sequence[Consumer],
    *,
    workers: int | None = None,
    stretch_s: float | None = None,
    progress: Callable[[float], None] | None = None,
) -> None:
    """Decode a film once and give its frames to each consumer that wants them.

    Parameters
    ----------
    video : Path
    consumers : sequence of Consumer
    workers : int, optional
        Threads, each decoding a stretch of the file; one a core by default. What is found is the same for any number.
    stretch_s : float, optional
        Longest stretch; a minute by default, and less where a consumer asks for less.
    progress : callable, optional
        Called with the number of frames just read.

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
        except CannotEnterError:  # a file without an index, or cut off: from its beginning then
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
    """Decode the frames within some spans of presentation time, each span a stretch of its own.

    Raises
    ------
    VideoError
        It cannot be decoded.
    CannotEnterError
        The file cannot be entered there.
    """

    def decode(span_ns: Span) -> list[StretchConsumer]:
        stretches = [consumer.stretch() for consumer in consumers]
        _decode(video, stretches, span_ns, threads=1, progress=progress)
        return stretches

    with closing(each_in_order(decode, spans_ns, workers)) as decoded:
        for stretches in decoded:
            _hand_over(stretches)


def stretch_edges_ns(duration_s: float, longest_s: float) -> list[int]:
    """Return where a film is cut into stretches: the last ones shorter and shorter, so that no thread waits long."""
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
    """Give a span's frames to those that want them; with ``at_once`` what they find is handed over along the way."""
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
