"""Quantiles in bounded memory, against numpy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquire.quality.histogram import Histogram


@given(st.lists(st.floats(0, 10), min_size=1, max_size=200), st.floats(0.01, 1.0))
def test_quantiles_are_right_to_one_step(durations: list[float], share: float) -> None:
    histogram = Histogram()
    for duration_s in durations:
        histogram.add(duration_s)
    wanted = np.quantile(durations, share, method="inverted_cdf")
    # At the edge between two values rounding may take either of them.
    near = [d for d in durations if abs(np.mean(np.array(durations) <= d) - share) < 1e-9] + [wanted]
    assert min(abs(histogram.quantile_s(share) - d) for d in near) <= 1.01e-4
    assert histogram.max_s == max(durations)


def test_nothing_counted_is_zero_and_below_zero_too() -> None:
    histogram = Histogram()
    assert histogram.summary() == {"p50": 0.0, "p95": 0.0, "p99": 0.0, "max": 0.0}
    histogram.add(-0.001)
    assert (histogram.n, histogram.quantile_s(1.0)) == (1, 0.0)


def test_memory_does_not_grow_with_what_is_counted() -> None:
    histogram = Histogram(step_s=1e-3)
    for value in np.random.default_rng(0).uniform(0, 0.05, 20_000):
        histogram.add(float(value))
    assert len(histogram._counts) <= 51
    assert histogram.summary()["p50"] == pytest.approx(0.025, abs=0.002)
