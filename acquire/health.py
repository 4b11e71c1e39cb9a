"""How well a sensor is heard: counts, rate, gaps, lateness and the last values, live and for the manifest."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any

from acquire.lateness import Lateness
from dataset.profiles import Profile

#: Seconds over which the live rate is counted.
RATE_WINDOW_S = 3.0
#: Seconds of values kept for the screen.
TRACE_S = 60.0
#: A stream this much faster than its profile says is delivered twice, or is another sensor's.
FASTEST = 1.25
#: Notifications by which it may run ahead of that.
AHEAD = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveHealth:
    """What the screen shows of one sensor.

    Attributes
    ----------
    received : int
        Notifications since the recording began (before it: since the sensor was first heard).
    expected : int
        What the profile's rate would have given in the same time, 0 where the rate is unknown.
    rate_hz : float
        Notifications per second over the last seconds.
    largest_gap_s, silent_s : float
        Longest pause so far; time since the last notification (infinite before the first).
    value : float or None
        Last value that could be decoded.
    trace : tuple of float
        The last values, oldest first.
    malformed, out_of_range : int
        Payloads that the profile cannot read; values outside its range.
    late, suspected_lost : int
        Values that came late but came; values that probably never will.
    stale_s : float
        Time it was silent for longer than a healthy sensor is.
    jitter_p95_s : float
        95 % of the values of this connection came no later than this after their schedule.
    surplus : bool
        More comes than such a sensor can send.
    """

    received: int
    expected: int
    rate_hz: float
    largest_gap_s: float
    silent_s: float
    value: float | None
    malformed: int
    trace: tuple[float, ...]
    out_of_range: int = 0
    late: int = 0
    suspected_lost: int = 0
    stale_s: float = 0.0
    jitter_p95_s: float = 0.0
    surplus: bool = False


@dataclass(slots=True)
class _Epoch:
    """One connection. Times are host nanoseconds; ``closed_ns`` is None while it lasts."""

    opened_ns: int
    lateness: Lateness
    closed_ns: int | None = None
    received: int = 0
    malformed: int = 0
    out_of_range: int = 0
    first_ns: int = 0
    last_ns: int = 0
    largest_gap_ns: int = 0
    stale_ns: int = 0
    excess: float = 0.0
    surplus: bool = False
    battery_percent: list[int] = field(default_factory=list)

    @property
    def heard_ns(self) -> int:
        """The last notification, or the beginning where there is none yet."""
        return self.last_ns if self.received else self.opened_ns


class SensorHealth:
    """Counts of one slot; :meth:`add` is called in the radio's thread, the rest from anywhere."""

    def __init__(self, profile: Profile) -> None:
        stream = profile.stream
        self._rate_hz = stream.rate_hz
        self._low = float("-inf") if stream.minimum is None else stream.minimum
        self._high = float("inf") if stream.maximum is None else stream.maximum
        self._gaps = profile.gaps
        self._stale_ns = round(profile.gaps.stale_s * 1e9)
        self._lock = threading.Lock()
        self._epochs: dict[int, _Epoch] = {}
        self._began_ns: int | None = None
        self._counting = True
        self._value: float | None = None
        self._battery_percent: int | None = None
        self._recent: deque[int] = deque()
        self._trace: deque[float] = deque(maxlen=max(100, round(TRACE_S * self._rate_hz)))
        self.last_ns: int | None = None

    # -- what happens ---------------------------------------------------------------------------------------------

    def begin(self, host_ns: int, *, connected: bool = False) -> None:
        """Count anew from ``host_ns``: a recording begins.

        The trace on the screen goes on; a sensor that is connected is so in epoch 0, and its schedule is known.
        """
        with self._lock:
            before = list(self._epochs.values())
            self._epochs.clear()
            self._began_ns = host_ns
            self._counting = True
            if connected:
                opened = self._open(0, host_ns)
                if before and before[-1].closed_ns is None:
                    opened.lateness = before[-1].lateness
                    opened.lateness.begin_again()

    def end(self) -> None:
        """Count no more: the recording has ended, and what comes now is shown but stored nowhere."""
        with self._lock:
            self._counting = False

    def open(self, epoch: int, host_ns: int) -> None:
        """Begin a connection: from now on values are expected."""
        with self._lock:
            if self._counting:
                self._open(epoch, host_ns)

    def _open(self, epoch: int, host_ns: int) -> _Epoch:
        if self._began_ns is None:
            self._began_ns = host_ns
        for earlier in self._epochs.values():
            if earlier.closed_ns is None:
                earlier.closed_ns = earlier.heard_ns
        late = Lateness(1.0 / self._rate_hz if self._rate_hz else 1.0, self._gaps.late_s)
        opened = self._epochs[epoch] = _Epoch(opened_ns=host_ns, lateness=late)
        if self._battery_percent is not None:
            opened.battery_percent.append(self._battery_percent)
        return opened

    def close(self, host_ns: int) -> None:
        """End the connection: nothing is expected until the next."""
        with self._lock:
            for epoch in self._epochs.values():
                if epoch.closed_ns is None and self._counting:
                    self._pause(epoch, host_ns)
                    epoch.closed_ns = host_ns

    def battery(self, percent: int) -> None:
        """Note the battery's charge."""
        with self._lock:
            self._battery_percent = percent
            for epoch in self._epochs.values():
                if epoch.closed_ns is None:
                    epoch.battery_percent = [*epoch.battery_percent[:1], percent]

    def add(self, epoch: int, arrival_ns: int, value: float | None) -> None:
        """Count one notification; ``value`` is None where the payload is malformed."""
        with self._lock:
            self.last_ns = arrival_ns
            if self._counting:
                self._count(self._epochs.get(epoch) or self._open(epoch, arrival_ns), arrival_ns, value)
            self._recent.append(arrival_ns)
            self._forget(arrival_ns)
            if value is not None:
                self._value = value
                self._trace.append(value)

    def _count(self, counts: _Epoch, arrival_ns: int, value: float | None) -> None:
        since_ns = arrival_ns - counts.heard_ns
        self._pause(counts, arrival_ns)
        if not counts.received:
            counts.first_ns = arrival_ns
        counts.received += 1
        counts.last_ns = arrival_ns
        counts.malformed += value is None
        counts.out_of_range += value is not None and not self._low <= value <= self._high
        if self._rate_hz:
            counts.lateness.add(arrival_ns)
            # What a pause held back may come at once, up to the pause that ends a connection.
            allowed = FASTEST * self._rate_hz
            counts.excess = max(counts.excess + 1.0 - allowed * since_ns * 1e-9, -allowed * self._gaps.reconnect_s)
            counts.surplus |= counts.excess > AHEAD

    def _pause(self, epoch: _Epoch, until_ns: int) -> None:
        """Take the time from the last notification to ``until_ns`` into the epoch's gaps."""
        pause_ns = until_ns - epoch.heard_ns
        epoch.stale_ns += max(0, pause_ns - self._stale_ns)
        if epoch.received:
            epoch.largest_gap_ns = max(epoch.largest_gap_ns, pause_ns)

    def _forget(self, now_ns: int) -> None:
        oldest_ns = now_ns - round(RATE_WINDOW_S * 1e9)
        while self._recent and self._recent[0] < oldest_ns:
            self._recent.popleft()

    # -- what can be said -----------------------------------------------------------------------------------------

    def _rate_now_hz(self, now_ns: int) -> float:
        n = len(self._recent)
        if n < 2:
            return 0.0
        span_ns = self._recent[-1] - self._recent[0]
        # Silence longer than a usual interval counts, so that the rate falls while nothing comes.
        silent_ns = max(0, now_ns - self._recent[-1] - 2 * span_ns // (n - 1))
        return (n - 1) / ((span_ns + silent_ns) * 1e-9) if span_ns + silent_ns > 0 else 0.0

    def _expected(self, from_ns: int, until_ns: int) -> int:
        return round(self._rate_hz * max(0, until_ns - from_ns) * 1e-9)

    def counts(self) -> dict[str, int]:
        """Return what the ``log`` tells when it grows; far cheaper than :meth:`live`."""
        with self._lock:
            epochs = self._epochs.values()
            return {
                "late": sum(e.lateness.n_late for e in epochs),
                "suspected_lost": sum(e.lateness.n_lost for e in epochs),
                "malformed": sum(e.malformed for e in epochs),
                "out_of_range": sum(e.out_of_range for e in epochs),
                "surplus": sum(e.surplus for e in epochs),
            }

    def live(self, now_ns: int, n_values: int = 600) -> LiveHealth:
        """Return what can be said at host time ``now_ns``."""
        with self._lock:
            self._forget(now_ns)
            epochs = tuple(self._epochs.values())
            open_now = [e for e in epochs if e.closed_ns is None]
            overdue_ns = sum(max(0, now_ns - e.heard_ns - self._stale_ns) for e in open_now)
            return LiveHealth(
                received=sum(e.received for e in epochs),
                expected=self._expected(now_ns if self._began_ns is None else self._began_ns, now_ns),
                rate_hz=self._rate_now_hz(now_ns),
                largest_gap_s=max((e.largest_gap_ns for e in epochs), default=0) * 1e-9,
                silent_s=float("inf") if self.last_ns is None else (now_ns - self.last_ns) * 1e-9,
                value=self._value,
                malformed=sum(e.malformed for e in epochs),
                trace=tuple(self._trace)[-n_values:],
                out_of_range=sum(e.out_of_range for e in epochs),
                late=sum(e.lateness.n_late for e in epochs),
                suspected_lost=sum(e.lateness.n_lost for e in epochs),
                stale_s=(sum(e.stale_ns for e in epochs) + overdue_ns) * 1e-9,
                jitter_p95_s=max((e.lateness.jitter.quantile_s(0.95) for e in open_now), default=0.0),
                surplus=any(e.surplus for e in open_now),
            )

    def summary(self, until_ns: int) -> dict[str, Any]:
        """Return the manifest's entry for a recording that ended at ``until_ns``: the whole, and each connection."""
        with self._lock:
            epochs = [(number, self._closed(epoch, until_ns)) for number, epoch in sorted(self._epochs.items())]
            began_ns = until_ns if self._began_ns is None else self._began_ns
            connected_ns = sum((e.closed_ns or until_ns) - e.opened_ns for _, e in epochs)
            return {
                "received": sum(e.received for _, e in epochs),
                "expected": self._expected(began_ns, until_ns),
                "largest_gap_s": round(max((e.largest_gap_ns for _, e in epochs), default=0) * 1e-9, 4),
                "late": sum(e.lateness.n_late for _, e in epochs),
                "suspected_lost": sum(e.lateness.n_lost for _, e in epochs),
                "malformed": sum(e.malformed for _, e in epochs),
                "stale_s": round(sum(e.stale_ns for _, e in epochs) * 1e-9, 3),
                "away_s": round(max(0, until_ns - began_ns - connected_ns) * 1e-9, 3),
                "reconnects": max(0, len(epochs) - 1),
                "battery_percent": self._battery_percent,
                "epochs": [self._epoch_summary(number, epoch) for number, epoch in epochs],
            }

    def _closed(self, epoch: _Epoch, until_ns: int) -> _Epoch:
        """Return the epoch as it is where it has ended, else as if it ended now."""
        if epoch.closed_ns is not None:
            return epoch
        ended = replace(epoch, closed_ns=until_ns)
        self._pause(ended, until_ns)
        return ended

    def _epoch_summary(self, number: int, e: _Epoch) -> dict[str, Any]:
        span_ns = e.last_ns - e.first_ns
        return {
            "epoch": number,
            "received": e.received,
            "expected": self._expected(e.opened_ns, e.closed_ns or e.opened_ns),
            "malformed": e.malformed,
            "out_of_range": e.out_of_range,
            "opened_ns": e.opened_ns,
            "first_ns": e.first_ns,
            "last_ns": e.last_ns,
            "closed_ns": e.closed_ns,
            "rate_hz": round((e.received - 1) / (span_ns * 1e-9), 3) if span_ns > 0 else 0.0,
            "largest_gap_s": round(e.largest_gap_ns * 1e-9, 4),
            "jitter_s": e.lateness.jitter.summary(),
            "late": e.lateness.n_late,
            "suspected_lost": e.lateness.n_lost,
            "stale_s": round(e.stale_ns * 1e-9, 3),
            "surplus": e.surplus,
            "battery_percent": e.battery_percent,
        }
