"""Lateness and suspected loss of the values of one connection, by the lower envelope of arrivals.

A value can only be late, never early. So the arrivals, less their index times the period, have a lower envelope: the
schedule. After a pause late values catch up and return to it; after a loss they stay behind by whole periods.
"""

from __future__ import annotations

from collections import deque

from acquire.quality.histogram import Histogram

#: Arrivals that define the schedule: few enough to follow a sensor's clock drift, enough to average a radio's jitter.
ENVELOPE = 30
#: Arrivals in a row that stay equally far behind before values are suspected lost.
FLAT = 4
#: Arrivals that may await this decision.
LONGEST_WAIT = 60


class Lateness:
    """Compares the arrivals of one connection with their schedule.

    Parameters
    ----------
    period_s : float
        Nominal time from one notification to the next.
    late_s : float
        A value is late if it arrives this long after the previous one was due; the profile's ``late_s``.

    Attributes
    ----------
    n_late, n_lost : int
        Late values; values suspected lost.
    jitter : Histogram
        Delay of each arrival behind its schedule.
    """

    def __init__(self, period_s: float, late_s: float) -> None:
        self.n_late = 0
        self.n_lost = 0
        self.jitter = Histogram()
        self._period_ns = period_s * 1e9
        self._slack_ns = 0.5 * self._period_ns
        self._late_ns = max(late_s * 1e9 - self._period_ns, self._slack_ns)
        self._index = 0
        self._first_ns = 0
        self._envelope: deque[float] = deque(maxlen=ENVELOPE)
        self._usual: deque[float] = deque(maxlen=ENVELOPE)
        self._last_ns = 0
        self._waiting: list[tuple[int, float]] = []

    def begin_again(self) -> None:
        """Reset the counts; the schedule is kept."""
        self.n_late = self.n_lost = 0
        self.jitter = Histogram()

    def add(self, arrival_ns: int) -> None:
        """Add one arrival in host nanoseconds."""
        if not self._envelope:
            self._first_ns = arrival_ns
        behind = arrival_ns - self._first_ns - self._index * self._period_ns
        self._index += 1
        schedule = min(self._envelope, default=behind)
        # No value can be early: one that was suspected lost has arrived after all, late.
        came = min(self.n_lost, max(0, round((schedule - behind) / self._period_ns)))
        if came:
            self.n_lost -= came
            self._index -= came
            behind += came * self._period_ns
        self._waiting.append((arrival_ns, behind))
        if behind - schedule <= self._slack_ns:
            self._settle(0)
        elif (level := self._level()) is not None:
            self._settle(round((level - schedule) / self._period_ns))

    def _level(self) -> float | None:
        """Return by how many periods the last arrivals stay behind; None while they may be catching up."""
        if len(self._waiting) >= LONGEST_WAIT:
            return min(behind for _, behind in self._waiting[LONGEST_WAIT // 2 :])
        usual = sorted(self._usual)
        if usual and usual[len(usual) * 4 // 5] > self._slack_ns:
            return None  # if jitter exceeds the period, a few agreeing arrivals are chance
        last = self._waiting[-FLAT:]
        behinds = [behind for _, behind in last]
        in_step = last[-1][0] - last[0][0] > (FLAT - 1.5) * self._period_ns
        flat = max(behinds) - min(behinds) <= self._slack_ns
        return min(behinds) if len(last) == FLAT and in_step and flat else None

    def _settle(self, n_lost: int) -> None:
        """Classify the waiting arrivals, now that ``n_lost`` values before them are known to be missing."""
        self.n_lost += n_lost
        self._index += n_lost
        shift = n_lost * self._period_ns
        schedule = min([*self._envelope, self._waiting[-1][1] - shift])
        for arrival_ns, behind in self._waiting:
            late_ns = max(0.0, behind - shift - schedule)
            if arrival_ns - self._last_ns > self._slack_ns:  # not in a burst
                self._usual.append(late_ns)
            self._last_ns = arrival_ns
            self.jitter.add(late_ns * 1e-9)
            self.n_late += late_ns > self._late_ns
            self._envelope.append(behind - shift)
        self._waiting.clear()
