"""The line below many arrivals is that below all of them, however many are passed over on the way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sync.clock import lower_envelope as envelope
from sync.clock.lower_envelope import lower_envelope


@given(
    seed=st.integers(0, 10_000),
    n=st.integers(2, 400),
    step=st.integers(0, 3),
    shape=st.sampled_from(["late", "even", "coarse", "bent"]),
)
@example(seed=2, n=187, step=0, shape="late")
@settings(max_examples=150, deadline=None)
def test_passing_points_over_leaves_the_hull_as_it_is(seed: int, n: int, step: int, shape: str) -> None:
    rng = np.random.default_rng(seed)
    index = np.cumsum(rng.integers(min(step, 1), step + 2, n)) + np.arange(n) * (step > 0)
    index[-1] = max(index[-1], index[0] + 1)
    late_s = {
        "late": rng.exponential(0.01, n),
        "even": np.zeros(n),
        "coarse": rng.integers(0, 4, n) * 0.0075,
        "bent": 1e-4 * np.arange(n) ** 2 * 0.001,
    }[shape]
    arrival_s = 5.0 + 0.1 * index + late_s
    all_points = lower_envelope(index, arrival_s, few_points=10**9)
    few_points = lower_envelope(index, arrival_s, few_points=8, block=4)
    assert few_points == pytest.approx(all_points, rel=1e-12, abs=1e-9)
    slope, height, margin = envelope._least_credible(index, arrival_s)
    kept = arrival_s - slope * index - height > -margin
    above_s = (arrival_s - all_points[0] - all_points[1] * index)[kept]
    assert np.sort(above_s)[:2] == pytest.approx([0.0, 0.0], abs=1e-9)


def test_the_line_touches_two_arrivals_and_none_lies_below_it() -> None:
    rng = np.random.default_rng(3)
    index = np.arange(20_000)
    arrival_s = 2.0 + 0.001 * index + rng.exponential(0.004, len(index))
    intercept_s, period_s = lower_envelope(index, arrival_s)
    above_s = arrival_s - intercept_s - period_s * index
    assert above_s.min() > -1e-9
    assert np.count_nonzero(above_s < 1e-9) == 2
