"""Measurement of a process: latency percentiles, CPU time and memory."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

_PAGE_BYTES = resource.getpagesize()


def percentiles_ms(seconds: Sequence[float]) -> dict[str, float]:
    """Return p50, p99 and the maximum in milliseconds; NaN if nothing was measured."""
    if len(seconds) == 0:
        return dict.fromkeys(("p50", "p99", "max"), float("nan"))
    p50, p99, most = np.percentile(np.asarray(seconds, dtype=np.float64) * 1e3, [50, 99, 100])
    return {"p50": float(p50), "p99": float(p99), "max": float(most)}


class Meter:
    """CPU time and memory of this process from :meth:`start` to :meth:`stop`."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._resident: list[int] = []
        self._from_s = self._cpu_s = 0.0

    def start(self) -> None:
        """Begin."""
        self._from_s, self._cpu_s = time.monotonic(), _cpu_s()
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(0.5):
            self._resident.append(resident_bytes())

    def stop(self) -> dict[str, Any]:
        """Return the share of one core, the peak memory, and its growth after the first quarter."""
        took_s, cpu_s = time.monotonic() - self._from_s, _cpu_s() - self._cpu_s
        self._stop.set()
        self._thread.join()
        seen = self._resident or [resident_bytes()]
        quarter = seen[len(seen) // 4]
        return {"cpu_share": cpu_s / took_s, "peak_bytes": max(seen), "growth_bytes": seen[-1] - quarter}


def resident_bytes() -> int:
    """Return the memory this process has in use."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
