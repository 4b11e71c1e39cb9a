"""Quantiles of a stream of durations in bounded memory."""

from __future__ import annotations

from collections import Counter


class Histogram:
    """Durations counted in steps of ``step_s`` seconds; quantiles are accurate to one step, the maximum is exact."""

    def __init__(self, step_s: float = 1e-4) -> None:
        self._step_s = step_s
        self._counts: Counter[int] = Counter()
        self.max_s = 0.0
        self.n = 0

    def add(self, duration_s: float) -> None:
        """Count one duration; negative ones count as zero."""
        self._counts[max(0, round(duration_s / self._step_s))] += 1
        self.max_s = max(self.max_s, duration_s)
        self.n += 1

    def quantile_s(self, share: float) -> float:
        """Return the quantile ``share`` (0-1) of the durations; 0 if there are none."""
        seen = 0
        for step, count in sorted(self._counts.items()):
            seen += count
            if seen >= share * self.n:
                return step * self._step_s
        return 0.0

    def summary(self) -> dict[str, float]:
        """Return ``p50``, ``p95``, ``p99`` and ``max`` in seconds."""
        return {
            **{f"p{round(100 * share)}": round(self.quantile_s(share), 6) for share in (0.5, 0.95, 0.99)},
            "max": round(self.max_s, 6),
        }
