"""A camera's rate, measured: changes are told, losses counted, and the one is not taken for the other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from acquire.media.frame_rate import FrameRateMonitor, RateChange


def film(rate_hz: float, n: int, *, start_ns: int, jitter_s: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    at_s = np.arange(n) / rate_hz + np.abs(rng.normal(0, jitter_s, n))
    return start_ns + np.round(np.maximum.accumulate(at_s) * 1e9).astype(np.int64)


def follow(arrivals_ns: np.ndarray) -> tuple[FrameRateMonitor, list[RateChange]]:
    cadence = FrameRateMonitor()
    told = [cadence.add(int(at)) for at in arrivals_ns]
    return cadence, [change for change in told if change is not None]


@settings(max_examples=25, deadline=None)
@example(12.5, 497, 0.109375)  # nine of 25 at once
@example(12.5, 339, 0.109375)  # jitter moves the median of the first two seconds
@example(12.5, 24, 0.109375)  # the first frame is two seconds old before a rate is told
@example(12.5, 279, 0.09375)  # most intervals of two seconds are double
@given(st.sampled_from([12.5, 25.0, 30.0, 59.94]), st.integers(0, 1000), st.floats(0.0, 0.12))
def test_what_was_lost_is_counted_and_a_steady_rate_told_once(rate_hz: float, seed: int, share: float) -> None:
    arrivals = film(rate_hz, round(20 * rate_hz), start_ns=7 * 10**9, jitter_s=0.03 / rate_hz, seed=seed)
    lost = np.random.default_rng([seed, 1]).random(len(arrivals)) < share
    lost[0] = lost[-1] = False
    cadence, told = follow(arrivals[~lost])
    assert len(told) == 1 and told[0].before_hz == 0
    assert told[0].after_hz == pytest.approx(rate_hz, rel=0.02)
    found = cadence.summary()
    assert found.frames == np.count_nonzero(~lost)
    assert found.missed == np.count_nonzero(lost)
    assert found.largest_gap_s == pytest.approx(np.diff(arrivals[~lost]).max() * 1e-9, abs=1e-3)


@pytest.mark.parametrize(("before_hz", "after_hz"), [(30.0, 15.0), (30.0, 60.0), (30.0, 24.0), (60.0, 20.0)])
def test_a_change_of_rate_is_told_and_is_no_loss(before_hz: float, after_hz: float) -> None:
    first = film(before_hz, round(8 * before_hz), start_ns=0, jitter_s=0.001, seed=1)
    then = film(after_hz, round(8 * after_hz), start_ns=int(first[-1] + 1e9 / after_hz), jitter_s=0.001, seed=2)
    cadence, told = follow(np.concatenate([first, then]))
    assert told[-1].before_hz == pytest.approx(before_hz, rel=0.1)
    assert cadence.summary().rate_hz == pytest.approx(after_hz, rel=0.16)
    assert cadence.summary().missed <= 2
    assert len(told) == 2, "the first, and the change"


@pytest.mark.parametrize("seed", range(30))
def test_a_change_of_rate_is_told_once_where_frames_are_lost(seed: int) -> None:
    first = film(30.0, 240, start_ns=0, jitter_s=0.002, seed=seed)
    arrivals = np.concatenate([
        first, film(15.0, 120, start_ns=int(first[-1] + 1e9 / 15.0), jitter_s=0.002, seed=seed + 100)
    ])  # fmt: skip
    came = np.random.default_rng([seed, 2]).random(len(arrivals)) > 0.05
    _, told = follow(arrivals[came])
    # While the window holds both, its median may lie between the two.
    assert [round(change.after_hz / 15.0) for change in told] == [2, 1]


def test_too_few_frames_tell_nothing() -> None:
    cadence, told = follow(np.array([0, 33_000_000, 66_000_000]))
    assert not told
    assert cadence.summary().rate_hz == pytest.approx(30.3, abs=0.1)
    assert FrameRateMonitor().summary().rate_hz == 0
