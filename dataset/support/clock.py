"""The one host clock: every stored time of a capture comes from :func:`now_ns`."""

from __future__ import annotations

import time
from datetime import UTC, datetime

HOST_CLOCK = "perf_counter"


def now_ns() -> int:
    """Return host time in nanoseconds; call it in the first statement of the function that receives the datum."""
    return time.perf_counter_ns()


def resolution_ns() -> int:
    """Return the clock's resolution in nanoseconds, at least 1."""
    return max(1, round(time.get_clock_info("perf_counter").resolution * 1e9))


def anchor() -> tuple[int, int]:
    """Return ``(host_ns, utc_ns)``, read as close together as possible.

    The wall clock is read between two host readings; the closest of five attempts is kept.
    """
    best: tuple[int, int, int] | None = None
    for _ in range(5):
        before = now_ns()
        utc = time.time_ns()
        after = now_ns()
        if best is None or after - before < best[0]:
            best = (after - before, (before + after) // 2, utc)
    if best is None:  # pragma: no cover - the loop above always runs
        raise RuntimeError("no clock reading")
    return best[1], best[2]


def stamp() -> str:
    """Return the current UTC as ``YYYYMMDDTHHMMSS``, the name of a new recording."""
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S")


def utc_iso() -> str:
    """Return the current UTC as ISO 8601 with seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")
