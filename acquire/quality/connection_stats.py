"""Statistics of one connection with one sensor."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from acquire.quality.lateness import Lateness
from dataset.sensors.profile import Profile

#: A stream this much faster than its profile states is delivered twice, or is another sensor's.
FASTEST = 1.25
#: Notifications allowed above that.
AHEAD = 10


def expected(rate_hz: float, from_ns: int, until_ns: int) -> int:
    """Return the number of notifications a healthy sensor sends between two host times."""
    return round(rate_hz * max(0, until_ns - from_ns) * 1e-9)


@dataclass(slots=True)
class Epoch:
    """One connection. Times are host nanoseconds; ``closed_ns`` is None while it lasts.

    Attributes
    ----------
    number : int
        Counts from 0 in the recording.
    stale_ns : int
        Total time of silences longer than the profile's ``stale_s``.
    surplus : bool
        More notifications arrived than such a sensor can send.
    battery_percent : list of int
        The first and the last reading.
    """

    number: int
    profile: Profile
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
    surplus: bool = False
    battery_percent: list[int] = field(default_factory=list)
    _excess: float = 0.0

    @classmethod
    def open(cls, number: int, profile: Profile, host_ns: int) -> Epoch:
        """Return a connection that begins now."""
        rate_hz = profile.stream.notification_rate_hz
        return cls(number, profile, host_ns, Lateness(1.0 / rate_hz if rate_hz else 1.0, profile.gaps.late_s))

    @property
    def heard_ns(self) -> int:
        """Time of the last notification, or of the start if there is none yet."""
        return self.last_ns if self.received else self.opened_ns

    def add(self, arrival_ns: int, value: float | None) -> None:
        """Count one notification; ``value`` is None where the payload is malformed."""
        stream = self.profile.stream
        if self.profile.stream.notification_rate_hz:
            self.lateness.add(arrival_ns)
            self._weigh((arrival_ns - self.heard_ns) * 1e-9)
        self._pause(arrival_ns)
        if not self.received:
            self.first_ns = arrival_ns
        self.received += 1
        self.last_ns = arrival_ns
        if value is None:
            self.malformed += 1
        else:
            low = stream.minimum is not None and value < stream.minimum
            high = stream.maximum is not None and value > stream.maximum
            self.out_of_range += low or high

    def _weigh(self, since_s: float) -> None:
        """Detect a stream that is too fast for its sensor, but not the burst after a pause.

        Values delayed by a pause may arrive at once, up to the longest pause before a reconnection.
        """
        allowed_hz = FASTEST * self.profile.stream.notification_rate_hz
        saved = allowed_hz * self.profile.gaps.reconnect_s
        self._excess = max(self._excess + 1.0 - allowed_hz * since_s, -saved)
        self.surplus |= self._excess > AHEAD

    def overdue_ns(self, now_ns: int) -> int:
        """Return how long the current silence exceeds the limit."""
        return max(0, now_ns - self.heard_ns - round(self.profile.gaps.stale_s * 1e9))

    def _pause(self, until_ns: int) -> None:
        """Add the time since the last notification to the gaps."""
        self.stale_ns += self.overdue_ns(until_ns)
        if self.received:
            self.largest_gap_ns = max(self.largest_gap_ns, until_ns - self.last_ns)

    def read_battery(self, percent: int) -> None:
        """Store a battery reading."""
        self.battery_percent = [*self.battery_percent[:1], percent]

    def closed(self, host_ns: int) -> Epoch:
        """Return the connection as one that ended at ``host_ns``."""
        ended = replace(self, closed_ns=host_ns)
        ended._pause(host_ns)
        return ended

    def counts(self) -> Counter[str]:
        """Return the counts that are summed over connections."""
        return Counter(
            received=self.received,
            malformed=self.malformed,
            out_of_range=self.out_of_range,
            late=self.lateness.n_late,
            suspected_lost=self.lateness.n_lost,
            surplus=int(self.surplus),
            stale_ns=self.stale_ns,
        )

    def summary(self) -> dict[str, Any]:
        """Return the manifest's entry of a closed connection."""
        span_s = (self.last_ns - self.first_ns) * 1e-9
        return {
            "epoch": self.number,
            "received": self.received,
            "expected": expected(
                self.profile.stream.notification_rate_hz, self.opened_ns, self.closed_ns or self.opened_ns
            ),
            "malformed": self.malformed,
            "out_of_range": self.out_of_range,
            "opened_ns": self.opened_ns,
            "first_ns": self.first_ns,
            "last_ns": self.last_ns,
            "closed_ns": self.closed_ns,
            "rate_hz": round((self.received - 1) / span_s, 3) if span_s > 0 else 0.0,
            "largest_gap_s": round(self.largest_gap_ns * 1e-9, 4),
            "jitter_s": self.lateness.jitter.summary(),
            "late": self.lateness.n_late,
            "suspected_lost": self.lateness.n_lost,
            "stale_s": round(self.stale_ns * 1e-9, 3),
            "surplus": self.surplus,
            "battery_percent": self.battery_percent,
        }
