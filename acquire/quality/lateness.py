"""How late the values of one connection come, and how many are suspected lost, from the arrivals alone.

A value can only be late, never early. So the arrivals, less their place in the sequence, have a lower envelope: the
schedule. After a pause late values catch up and come back to it; after a loss they stay behind by whole periods.
"""

from __future__ import annotations

from collections import deque

from acquire.quality.histogram import Histogram

#: Arrivals that the schedule is taken from: few enough for a sensor's clock to drift, more than a radio's jitter needs.
ENVELOPE = 30
#: Arrivals in a row that stay equally far behind before values are suspected lost.
FLAT = 4
#: Arrivals that may wait for this decision.
LONGEST_WAIT = 60


class Lateness:
    """Arrivals of one connection against their own schedule.

    Parameters
    ----------
    period_s : float
        Nominal time from one notification to the next.
    late_s : float
        A value is late when it comes this long after the one before it was due; the profile's ``late_s``.

    Attributes
    ----------
    n_late, n_lost : int
        Values that came late; values suspected lost.
    jitter : Histogram
        Time of each arrival after its schedule.
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
        """Count anew, against the schedule known so far."""
        self.n_late = self.n_lost = 0
        self.jitter = Histogram()

    def add(self, arrival_ns: int) -> None:
        """Take one arrival in host nanoseconds."""
        if not self._envelope:
            self._first_ns = arrival_ns
        behind = arrival_ns - self._first_ns - self._index * self._period_ns
        self._index += 1
        schedule = min(self._envelope, default=behind)
        # Nothing can come early: what was believed lost has come after all, slowly.
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
        """Return how far behind the last arrivals stay; None while they may be catching up."""
        if len(self._waiting) >= LONGEST_WAIT:
            return min(behind for _, behind in self._waiting[LONGEST_WAIT // 2 :])
        usual = sorted(self._usual)
        if usual and usual[len(usual) * 4 // 5] > self._slack_ns:
            return None  # where jitter exceeds the period, a few arrivals in step are chance
        last = self._waiting[-FLAT:]
        behinds = [behind for _, behind in last]
        in_step = last[-1][0] - last[0][0] > (FLAT - 1.5) * self._period_ns
        flat = max(behinds) - min(behinds) <= self._slack_ns
        return min(behinds) if len(last) == FLAT and in_step and flat else None

    def _settle(self, n_lost: int) -> None:
        """Judge the arrivals that waited, now that ``n_lost`` before them are known to be missing."""
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
