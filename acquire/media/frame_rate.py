"""Frame rate of a camera by the median of arrival intervals: detects changes and counts missing frames."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from dataset.support.arrays import FloatArray

#: The rate is measured over this long.
WINDOW_S = 2.0
#: A median interval that differs this much is a new rate; jitter changes single intervals, not the median.
CHANGE = 0.15
#: An interval of at least this many periods contains a missing frame: arrivals jitter by less than half a period.
MISSED_FROM = 1.6
#: Fewest intervals for a median.
_MIN_INTERVALS = 6
#: So often it is asked whether the rate has changed.
JUDGE_EVERY_S = 0.25
#: Of a slower rate's latest intervals at most this part is as short as the faster one's.
_OLD_RATE = 0.125


def _period_ns(intervals_ns: FloatArray) -> float:
    """Return the frame period of intervals, some of which contain missing frames."""
    median_ns = float(np.median(intervals_ns))
    return float(intervals_ns.sum() / np.maximum(1, np.rint(intervals_ns / median_ns)).sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class RateChange:
    """A measured rate: the first one (``before_hz`` 0) or a change."""

    before_hz: float
    after_hz: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CadenceSummary:
    """Statistics of one connection of a camera, for the manifest.

    Attributes
    ----------
    frames : int
        That arrived.
    missed : int
        Missing frames by the rate at the time: lost by camera or cable, not by the recorder.
    rate_hz : float
        Median rate; 0 with fewer than two frames.
    largest_gap_s : float
    """

    frames: int
    missed: int
    rate_hz: float
    largest_gap_s: float


class FrameRateMonitor:
    """Follows the arrivals of one connection of a camera; used by one thread.

    Parameters
    ----------
    window_s : float
        The rate is taken over this long.
    judge_every_s : float
        So often it is asked whether the rate has changed.
    """

    def __init__(self, window_s: float = WINDOW_S, judge_every_s: float = JUDGE_EVERY_S) -> None:
        self._window_s, self._judge_every_s = window_s, judge_every_s
        self._recent: deque[int] = deque()
        self._gaps: deque[tuple[int, int]] = deque()
        self._period_ns = 0.0
        self._told_ns = 0.0
        self._judged_ns = 0
        self._last_ns: int | None = None
        self._frames = 0
        self._missed = 0
        self._largest_gap_ns = 0

    def add(self, arrival_ns: int) -> RateChange | None:
        """Add one arrival; return the rate if it was just measured or has changed."""
        self._frames += 1
        if self._last_ns is not None:
            self._interval(arrival_ns, arrival_ns - self._last_ns)
        self._last_ns = arrival_ns
        self._recent.append(arrival_ns)
        # Until a rate is known nothing is let go: what was lost before it is counted once it is.
        while self._told_ns and arrival_ns - self._recent[0] > self._window_s * 1e9:
            self._recent.popleft()
        if arrival_ns - self._judged_ns < self._judge_every_s * 1e9:
            return None
        self._judged_ns = arrival_ns
        return self._judge()

    def _interval(self, arrival_ns: int, gap_ns: int) -> None:
        self._largest_gap_ns = max(self._largest_gap_ns, gap_ns)
        self._count(arrival_ns, gap_ns, self._period_ns)

    def _count(self, arrival_ns: int, gap_ns: int, period_ns: float) -> None:
        if period_ns and gap_ns >= MISSED_FROM * period_ns:
            missed = round(gap_ns / period_ns) - 1
            self._missed += missed
            self._gaps.append((arrival_ns, missed))

    def _judge(self) -> RateChange | None:
        now_ns = self._recent[-1]
        if len(self._recent) <= _MIN_INTERVALS or now_ns - self._recent[0] < 0.8 * self._window_s * 1e9:
            return None
        before_ns, told_ns = self._period_ns, self._told_ns
        intervals_ns = np.diff(np.array(self._recent, dtype=np.float64))
        latest_ns = intervals_ns[len(intervals_ns) // 2 :]
        median_ns, period_ns = float(np.median(intervals_ns)), _period_ns(latest_ns)
        # Half old and half new, a window's median lies between the two: a rate that never was.
        settled = abs(median_ns / float(np.median(latest_ns)) - 1.0) <= CHANGE
        if told_ns and median_ns >= MISSED_FROM * told_ns:
            # Losses make intervals double as well, but between them the old rate goes on.
            settled &= bool(np.mean(latest_ns < MISSED_FROM * told_ns) <= _OLD_RATE)
        alike = bool(told_ns) and abs(median_ns / told_ns - 1.0) <= CHANGE
        if alike and settled:
            self._period_ns = period_ns
        if told_ns and (alike or not settled):
            while self._gaps and now_ns - self._gaps[0][0] > self._window_s * 1e9:
                self._gaps.popleft()
            return None
        # A slower camera is no camera that loses frames: what the window holds is counted anew, by the longer period.
        self._missed -= sum(missed for at_ns, missed in self._gaps if at_ns > self._recent[0])
        self._gaps.clear()
        for earlier_ns, at_ns in pairwise(self._recent):
            self._count(at_ns, at_ns - earlier_ns, max(before_ns, period_ns))
        self._period_ns = self._told_ns = period_ns
        return RateChange(before_hz=1e9 / told_ns if told_ns else 0.0, after_hz=1e9 / period_ns)

    def summary(self) -> CadenceSummary:
        """Return the statistics so far."""
        recent = np.array(list(self._recent), dtype=np.int64)
        period_ns = self._period_ns or (float(np.median(np.diff(recent))) if len(recent) > 1 else 0.0)
        return CadenceSummary(
            frames=self._frames,
            missed=self._missed,
            rate_hz=round(1e9 / period_ns, 3) if period_ns else 0.0,
            largest_gap_s=round(self._largest_gap_ns * 1e-9, 3),
        )
