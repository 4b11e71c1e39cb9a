"""How well a sensor is heard: counts, rate, gaps and the last values, live and for the manifest."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

from dataset.profiles import Profile

#: Seconds over which the live rate is counted.
RATE_WINDOW_S = 3.0
#: Seconds of values kept for the screen.
TRACE_S = 60.0


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
    """

    received: int
    expected: int
    rate_hz: float
    largest_gap_s: float
    silent_s: float
    value: float | None
    malformed: int
    trace: tuple[float, ...]


@dataclass(slots=True)
class _Epoch:
    received: int = 0
    malformed: int = 0
    first_ns: int = 0
    last_ns: int = 0
    largest_gap_ns: int = 0


class SensorHealth:
    """Counts of one slot; :meth:`add` is called in the radio's thread, the rest from anywhere."""

    def __init__(self, profile: Profile) -> None:
        self._rate_hz = profile.stream.notification_rate_hz
        self._lock = threading.Lock()
        self._epochs: dict[int, _Epoch] = {}
        self._began_ns: int | None = None
        self._counting = True
        self._value: float | None = None
        self._recent: deque[int] = deque()
        self._trace: deque[float] = deque(maxlen=max(100, round(TRACE_S * self._rate_hz)))
        self.last_ns: int | None = None

    def begin(self, host_ns: int) -> None:
        """Count anew from ``host_ns``: a recording begins. The trace on the screen goes on."""
        with self._lock:
            self._epochs.clear()
            self._began_ns = host_ns
            self._counting = True

    def end(self) -> None:
        """Count no more: the recording has ended, and what comes now is shown but stored nowhere."""
        with self._lock:
            self._counting = False

    def add(self, epoch: int, arrival_ns: int, value: float | None) -> None:
        """Count one notification; ``value`` is None where the payload is malformed."""
        with self._lock:
            self.last_ns = arrival_ns
            if self._counting:
                self._count(epoch, arrival_ns, malformed=value is None)
            self._recent.append(arrival_ns)
            self._forget(arrival_ns)
            if value is not None:
                self._value = value
                self._trace.append(value)

    def _count(self, epoch: int, arrival_ns: int, *, malformed: bool) -> None:
        if self._began_ns is None:
            self._began_ns = arrival_ns
        counts = self._epochs.get(epoch)
        if counts is None:
            counts = self._epochs[epoch] = _Epoch(first_ns=arrival_ns, last_ns=arrival_ns)
        counts.largest_gap_ns = max(counts.largest_gap_ns, arrival_ns - counts.last_ns)
        counts.received += 1
        counts.malformed += malformed
        counts.last_ns = arrival_ns

    def _forget(self, now_ns: int) -> None:
        oldest_ns = now_ns - round(RATE_WINDOW_S * 1e9)
        while self._recent and self._recent[0] < oldest_ns:
            self._recent.popleft()

    def _rate_now_hz(self, now_ns: int) -> float:
        n = len(self._recent)
        if n < 2:
            return 0.0
        span_ns = self._recent[-1] - self._recent[0]
        # Silence longer than a usual interval counts, so that the rate falls while nothing comes.
        silent_ns = max(0, now_ns - self._recent[-1] - 2 * span_ns // (n - 1))
        return (n - 1) / ((span_ns + silent_ns) * 1e-9) if span_ns + silent_ns > 0 else 0.0

    def live(self, now_ns: int, n_values: int = 600) -> LiveHealth:
        """Return what can be said at host time ``now_ns``."""
        with self._lock:
            self._forget(now_ns)
            began_ns = now_ns if self._began_ns is None else self._began_ns
            return LiveHealth(
                received=sum(e.received for e in self._epochs.values()),
                expected=round(self._rate_hz * (now_ns - began_ns) * 1e-9),
                rate_hz=self._rate_now_hz(now_ns),
                largest_gap_s=max((e.largest_gap_ns for e in self._epochs.values()), default=0) * 1e-9,
                silent_s=float("inf") if self.last_ns is None else (now_ns - self.last_ns) * 1e-9,
                value=self._value,
                malformed=sum(e.malformed for e in self._epochs.values()),
                trace=tuple(self._trace)[-n_values:],
            )

    def summary(self, until_ns: int) -> dict[str, Any]:
        """Return the manifest's entry: received and expected over the recording, and each epoch's counts."""
        with self._lock:
            began_ns = until_ns if self._began_ns is None else self._began_ns
            return {
                "received": sum(e.received for e in self._epochs.values()),
                "expected": round(self._rate_hz * (until_ns - began_ns) * 1e-9),
                "epochs": [
                    {
                        "epoch": number,
                        "received": e.received,
                        "malformed": e.malformed,
                        "first_ns": e.first_ns,
                        "last_ns": e.last_ns,
                        "rate_hz": round((e.received - 1) / ((e.last_ns - e.first_ns) * 1e-9), 3)
                        if e.last_ns > e.first_ns
                        else 0.0,
                        "largest_gap_s": round(e.largest_gap_ns * 1e-9, 4),
                    }
                    for number, e in sorted(self._epochs.items())
                ],
            }
