"""Reception health of a sensor: counts, rate, gaps, lateness and the last values, live and for the manifest."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from acquire.quality.connection_stats import Epoch, expected
from dataset.capture.types import Sensor
from dataset.sensors.profile import Profile
from dataset.support.arrays import FloatArray, IntArray

#: Seconds over which the live rate is counted.
RATE_WINDOW_S = 3.0
#: Seconds of values kept for the screen.
TRACE_S = 60.0
#: The same if a sensor's rate is unknown.
TRACE_VALUES = 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveHealth:
    """Live health of one sensor for the screen.

    Attributes
    ----------
    received : int
        Notifications since the start of the recording (before it: since the sensor was first received).
    expected : int
        Expected number by the profile's rate in the same time; 0 if the rate is unknown.
    rate_hz : float
        Notifications per second over the last seconds.
    largest_gap_s, silent_s : float
        Longest pause so far; time since the last notification (infinite before the first).
    value : float or None
        Last decoded value.
    trace : tuple of float
        The last values, oldest first.
    malformed, out_of_range : int
        Payloads that the profile cannot read; values outside its range.
    late, suspected_lost : int
        Values that arrived late; values that probably will not arrive.
    stale_s : float
        Total time of silences longer than those of a healthy sensor.
    jitter_p95_s : float
        95 % quantile of the delay of this connection's values behind their schedule.
    surplus : bool
        More values arrive than such a sensor can send.
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


class SensorHealth:
    """Counts of one slot; :meth:`add` is called in the radio's thread, the rest from anywhere."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._rate_hz = profile.stream.notification_rate_hz
        self._lock = threading.Lock()
        self._epoch: Epoch | None = None
        # Entries of ended connections, and their sums. There may be thousands in a day.
        self._ended: list[dict[str, Any]] = []
        self._totals: Counter[str] = Counter()
        self._largest_gap_ns = 0
        self._connected_ns = 0
        self._began_ns: int | None = None
        self._counting = True
        self._value: float | None = None
        self._battery_percent: int | None = None
        self._recent: deque[int] = deque()
        n_kept = max(100, round(TRACE_S * self._rate_hz)) if self._rate_hz else TRACE_VALUES
        self._trace: deque[float] = deque(maxlen=n_kept)
        self._trace_ns: deque[int] = deque(maxlen=self._trace.maxlen)
        self.last_ns: int | None = None

    # -- what happens ---------------------------------------------------------------------------------------------

    def begin(self, host_ns: int, *, connected: bool = False) -> None:
        """Reset the counts at ``host_ns``, the start of a recording.

        The trace on the screen continues; a connected sensor is in epoch 0, and its schedule is kept.
        """
        with self._lock:
            before, self._epoch = self._epoch, None
            self._ended.clear()
            self._totals.clear()
            self._largest_gap_ns = self._connected_ns = 0
            self._began_ns = host_ns
            self._counting = True
            if connected:
                opened = self._open(0, host_ns)
                if before is not None:
                    opened.lateness = before.lateness
                    opened.lateness.begin_again()

    def end(self) -> None:
        """Stop counting at the end of the recording; later values are shown but not stored."""
        with self._lock:
            self._counting = False

    def open(self, epoch: int, host_ns: int) -> None:
        """Start a connection: from now on values are expected."""
        with self._lock:
            if self._counting:
                self._open(epoch, host_ns)

    def _open(self, number: int, host_ns: int) -> Epoch:
        if self._began_ns is None:
            self._began_ns = host_ns
        if self._epoch is not None:
            self._close(self._epoch.heard_ns)
        opened = self._epoch = Epoch.open(number, self._profile, host_ns)
        if self._battery_percent is not None:
            opened.read_battery(self._battery_percent)
        return opened

    def close(self, host_ns: int) -> None:
        """End the connection: nothing is expected until the next."""
        with self._lock:
            if self._counting:
                self._close(host_ns)

    def _close(self, host_ns: int) -> None:
        if self._epoch is None:
            return
        ended, self._epoch = self._epoch.closed(host_ns), None
        self._ended.append(ended.summary())
        self._totals.update(ended.counts())
        self._largest_gap_ns = max(self._largest_gap_ns, ended.largest_gap_ns)
        self._connected_ns += host_ns - ended.opened_ns

    def cancel(self) -> None:
        """Discard a connection that failed."""
        with self._lock:
            self._epoch = None

    def battery(self, percent: int) -> None:
        """Store the battery level."""
        with self._lock:
            self._battery_percent = percent
            if self._epoch is not None:
                self._epoch.read_battery(percent)

    def add(self, epoch: int, arrival_ns: int, value: float | None) -> None:
        """Count one notification; ``value`` is None where the payload is malformed."""
        with self._lock:
            self.last_ns = arrival_ns
            if self._counting:
                self._count(epoch, arrival_ns, value)
            self._recent.append(arrival_ns)
            self._forget(arrival_ns)
            if value is not None:
                self._value = value
                self._trace.append(value)
                self._trace_ns.append(arrival_ns)

    def _count(self, number: int, arrival_ns: int, value: float | None) -> None:
        if self._epoch is not None and self._epoch.number == number:
            self._epoch.add(arrival_ns, value)
        elif self._ended and number <= self._ended[-1]["epoch"]:
            self._ended[-1]["received"] += 1  # arrived while the link was being closed
            self._totals["received"] += 1
        else:
            self._open(number, arrival_ns).add(arrival_ns, value)

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
        # Silence longer than a usual interval counts, so that the rate falls while no value arrives.
        silent_ns = max(0, now_ns - self._recent[-1] - 2 * span_ns // (n - 1))
        return (n - 1) / ((span_ns + silent_ns) * 1e-9) if span_ns + silent_ns > 0 else 0.0

    def counts(self) -> Counter[str]:
        """Return the counts that are logged when they grow."""
        with self._lock:
            return self._counts()

    def _counts(self) -> Counter[str]:
        return self._totals + self._epoch.counts() if self._epoch is not None else self._totals.copy()

    def since(self, host_ns: int) -> tuple[IntArray, FloatArray]:
        """Return arrivals and values since a host time, shape (N,) each; at most the last minute's."""
        with self._lock:
            arrival_ns = np.array(self._trace_ns, dtype=np.int64)
            value = np.array(self._trace, dtype=np.float64)
        recent = arrival_ns >= host_ns
        return arrival_ns[recent], value[recent]

    def live(self, now_ns: int, n_values: int = 600) -> LiveHealth:
        """Return the live health at host time ``now_ns``."""
        with self._lock:
            self._forget(now_ns)
            counts, epoch = self._counts(), self._epoch
            return LiveHealth(
                received=counts["received"],
                expected=expected(self._rate_hz, now_ns if self._began_ns is None else self._began_ns, now_ns),
                rate_hz=self._rate_now_hz(now_ns),
                largest_gap_s=max(self._largest_gap_ns, epoch.largest_gap_ns if epoch else 0) * 1e-9,
                silent_s=float("inf") if self.last_ns is None else (now_ns - self.last_ns) * 1e-9,
                value=self._value,
                malformed=counts["malformed"],
                trace=tuple(self._trace)[-n_values:],
                out_of_range=counts["out_of_range"],
                late=counts["late"],
                suspected_lost=counts["suspected_lost"],
                stale_s=(counts["stale_ns"] + (epoch.overdue_ns(now_ns) if epoch else 0)) * 1e-9,
                jitter_p95_s=epoch.lateness.jitter.quantile_s(0.95) if epoch else 0.0,
                surplus=epoch.surplus if epoch else False,
            )

    def summary(self, until_ns: int) -> dict[str, Any]:
        """Return the manifest's entry for a recording that ended at ``until_ns``: the whole, and each connection."""
        with self._lock:
            counts, epochs = self._totals.copy(), [dict(entry) for entry in self._ended]
            largest_gap_ns, connected_ns = self._largest_gap_ns, self._connected_ns
            if self._epoch is not None:
                last = self._epoch.closed(until_ns)
                counts.update(last.counts())
                epochs.append(last.summary())
                largest_gap_ns = max(largest_gap_ns, last.largest_gap_ns)
                connected_ns += until_ns - last.opened_ns
            began_ns = until_ns if self._began_ns is None else self._began_ns
            return {
                "received": counts["received"],
                "expected": expected(self._rate_hz, began_ns, until_ns),
                "largest_gap_s": round(largest_gap_ns * 1e-9, 4),
                **{key: counts[key] for key in ("late", "suspected_lost", "malformed", "out_of_range")},
                "stale_s": round(counts["stale_ns"] * 1e-9, 3),
                "away_s": round(max(0, until_ns - began_ns - connected_ns) * 1e-9, 3),
                "reconnects": max(0, len(epochs) - 1),
                "battery_percent": self._battery_percent,
                "epochs": epochs,
            }


def health_by_channel(sensors: Iterable[tuple[Sensor, SensorHealth]], until_ns: int) -> dict[str, dict[str, Any]]:
    """Return the manifest's health of channels for a recording that ended at ``until_ns``, by the channels' names."""
    return {sensor.channel: {"slot": sensor.slot, **health.summary(until_ns)} for sensor, health in sensors}
