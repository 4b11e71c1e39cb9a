"""Exact stamps stay exact, gaps alone are found, and no level is valid further than one interval from a value."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync import resample
from sync.clock.sensor_clock import SensorClock, sensor_clock
from sync.clock.stamps import interval_at, rate_sections, typical_interval
from sync.events.perievent import level_of, typical_step

RATES = (5.0, 10.0, 100.0, 250.0, 1000.0, 1481.48, 2000.0)


def as_stamped(stamp_s: np.ndarray, nominal_hz: float = 0.0) -> SensorClock:
    return sensor_clock(stamp_s, np.zeros(len(stamp_s), dtype=np.int64), nominal_hz, exact=True)


def gap_lengths(clock: SensorClock) -> np.ndarray:
    return np.diff(clock.gaps_s, axis=1)[:, 0]


@given(
    seed=st.integers(0, 100_000),
    rates=st.lists(st.sampled_from(RATES), min_size=1, max_size=3),
    missing=st.sampled_from([0.0, 0.05, 0.4, 0.9]),
    n_gaps=st.integers(0, 20),
    jitter=st.sampled_from([0.0, 0.0, 0.2, 0.49]),
    nominal_hz=st.sampled_from([0.0, 10.0]),
    start_s=st.sampled_from([0.0, 35.619925, 6559.166931, -12.5, 1.5e9]),
)
@settings(max_examples=50, deadline=None)
def test_exact_stamps_stay_as_they_are(
    seed: int, rates: list[float], missing: float, n_gaps: int, jitter: float, nominal_hz: float, start_s: float
) -> None:
    """Whatever rows are missing, however the rate changes, and however the stamps wander."""
    rng = np.random.default_rng(seed)
    steps = np.concatenate([np.full(rng.integers(50, 1500), 1 / rate) for rate in rates])
    time_s = np.unique(np.cumsum(steps) + jitter * steps * rng.uniform(-1, 1, len(steps)) + start_s)
    keep = rng.random(len(time_s)) >= missing
    for at in rng.integers(0, len(time_s), n_gaps):
        keep[at : at + rng.integers(1, 100)] = False
    time_s = time_s[keep]
    if len(time_s) == 0:
        return
    clock = as_stamped(time_s, nominal_hz)
    np.testing.assert_array_equal(clock.time_s, time_s)
    assert not clock.lateness_s.any() and clock.ci95_s == 0.0 and not clock.index_inferred
    assert np.all(np.diff(clock.run) >= 0)


@given(
    seed=st.integers(0, 100_000),
    rate_hz=st.sampled_from(RATES),
    kind=st.sampled_from(["even", "jitter", "random", "bursts", "rows missing"]),
    n_gaps=st.integers(0, 4),
    exact=st.booleans(),
)
@settings(max_examples=30, deadline=None)
def test_no_level_is_further_than_one_interval_from_a_value(
    seed: int, rate_hz: float, kind: str, n_gaps: int, exact: bool
) -> None:
    """Whatever the stamps, the gaps and the route; nor does a slow level leave the range of the values."""
    rng = np.random.default_rng(seed)
    n = round(20 * rate_hz)
    period_s = 1 / rate_hz
    time_s = period_s * np.arange(float(n))
    if kind == "jitter":
        time_s = np.sort(time_s + period_s * rng.normal(0, 0.25, n))
    elif kind == "random":
        time_s = np.cumsum(rng.exponential(period_s, n))
    elif kind == "bursts":
        time_s = period_s * (np.arange(float(n)) // 3 * 3 + 0.01 * (np.arange(float(n)) % 3))
    elif kind == "rows missing":
        time_s = time_s[rng.random(n) > 0.05]
    for at in rng.integers(1, len(time_s), n_gaps):
        time_s[at:] += rng.uniform(1.0, 90.0)
    time_s = np.unique(time_s)
    value = 200 + 80 * np.sin(0.7 * time_s) + rng.normal(0, 1, len(time_s))
    clock = sensor_clock(time_s, np.zeros(len(time_s), dtype=np.int64), 0.0 if exact else rate_hz, exact=exact)
    at_s = resample.grid_times(clock.time_s[0], clock.time_s[-1])
    level = resample.sensor_on_grid(at_s, clock.time_s, value, clock.run)
    valid = np.isfinite(level)
    right = np.clip(np.searchsorted(clock.time_s, at_s), 1, len(time_s) - 1)
    away_s = np.minimum(np.abs(at_s - clock.time_s[right - 1]), np.abs(clock.time_s[right] - at_s))
    # Beside the rate, the interval is what is usual at a place: random stamps are further apart here and there.
    allowed_s = period_s if kind in ("even", "rows missing") else 3 * period_s
    assert np.all(away_s[valid] <= allowed_s * (1 + 1e-3) + 1e-6)
    if exact and rate_hz < 50:
        low, high = value.min(), value.max()
        assert np.all((level[valid] > low - 25) & (level[valid] < high + 25))


def test_a_hole_in_irregular_stamps_is_a_gap() -> None:
    """Stamps of a link's turns, several values in each, with a hole in the middle."""
    rng = np.random.default_rng(0)
    time_s = np.cumsum(rng.choice([0.0015, 0.015, 0.03, 0.06, 0.09, 0.105, 0.12, 0.135], 3000))
    time_s[1500:] += 85.5
    value = 200 + 80 * np.sin(time_s)
    for clock in (as_stamped(time_s), sensor_clock(time_s, np.zeros(3000, dtype=np.int64), 0.0)):
        assert clock.run[1499] != clock.run[1500]
        at_s = resample.grid_times(time_s[0], time_s[-1])
        level = resample.sensor_on_grid(at_s, clock.time_s, value, clock.run)
        hole = (at_s > clock.time_s[1499] + 1e-6) & (at_s < clock.time_s[1500] - 1e-6)
        assert np.isnan(level[hole]).all()
        assert np.nanmin(level) > 115 and np.nanmax(level) < 285
    clock = as_stamped(time_s)
    assert gap_lengths(clock).max() > 85 and np.isfinite(level[~hole]).mean() > 0.85


@pytest.mark.parametrize("size", [2, 3, 20])
def test_bursty_stamps_are_counted(size: int) -> None:
    """Sixty microseconds within a burst are no rate of 16,667 values a second."""
    k = np.arange(1200)
    time_s = k // size * size * 0.1 + k % size * 6e-5
    assert as_stamped(time_s).period_s == pytest.approx(0.1, rel=0.08)
    assert typical_interval(time_s) == pytest.approx(0.1, rel=0.08)
    assert typical_step(time_s) == pytest.approx(0.1, rel=0.08) or size == 2
    unverified = sensor_clock(time_s, np.zeros(1200, dtype=np.int64), 0.0)
    assert unverified.period_s == pytest.approx(0.1, rel=0.08)
    value = np.full(1200, 50.0)
    np.testing.assert_array_equal(level_of(time_s, value)[1], value)


@pytest.mark.parametrize(("size", "rate_hz"), [(2, 200.0), (5, 500.0), (20, 1000.0)])
def test_values_of_one_packet_share_a_stamp_and_are_laid_before_it(size: int, rate_hz: float) -> None:
    k = np.arange(2000)
    stamp_s = (k // size * size + size - 1) / rate_hz
    clock = as_stamped(stamp_s)
    np.testing.assert_allclose(clock.time_s, k / rate_hz, atol=1e-9)
    assert clock.period_s == pytest.approx(1 / rate_hz, rel=1e-6)
    assert clock.run[-1] == 0 and clock.n_lost == 0
    np.testing.assert_allclose(clock.time_s + clock.lateness_s, stamp_s, atol=1e-12)
    np.testing.assert_array_equal(clock.time_s[size - 1 :: size], stamp_s[size - 1 :: size])


def test_stamps_of_a_coarse_clock_tell_the_rate() -> None:
    assert typical_interval(np.round(np.arange(60_000) / 1481.48, 3)) == pytest.approx(1 / 1481.48, rel=1e-3)


@pytest.mark.parametrize(("before_hz", "after_hz"), [(1000.0, 500.0), (10.0, 5.0), (1000.0, 10.0), (10.0, 2000.0)])
def test_a_change_of_rate_is_no_gap(before_hz: float, after_hz: float) -> None:
    time_s = np.concatenate([np.arange(0, 30, 1 / before_hz), np.arange(30, 60, 1 / after_hz)])
    clock = as_stamped(time_s)
    assert clock.run[-1] == 0
    at_s = resample.grid_times(0, 59.8)
    level = resample.sensor_on_grid(at_s, clock.time_s, np.sin(time_s), clock.run)
    assert np.isfinite(level).all()


def test_each_section_of_a_rate_is_enveloped_at_its_own() -> None:
    time_s = np.concatenate([np.arange(0, 30, 1 / 1000), np.arange(30, 60, 1 / 500)])
    (first, stop), (again, end) = rate_sections(time_s)
    assert (first, end) == (0, len(time_s)) and again + 1 == stop and abs(again - 30_000) <= 1
    wave = np.sin(2 * np.pi * 100 * time_s)
    at_s = resample.grid_times(1, 58)
    level = resample.sensor_on_grid(at_s, time_s, wave, np.zeros(len(time_s), dtype=np.int64))
    assert level[(at_s < 29) | (at_s > 31)] == pytest.approx(2 / np.pi, abs=0.03)


@pytest.mark.parametrize("lost", [0.0, 0.2])
def test_an_even_run_is_one_section(lost: float) -> None:
    rng = np.random.default_rng(3)
    time_s = np.arange(20_000) / 1000
    assert rate_sections(time_s[rng.random(20_000) >= lost])[1:] == []


def test_the_interval_follows_the_rate() -> None:
    time_s = np.concatenate([np.arange(0, 30, 0.001), np.arange(30, 60, 0.1)])
    rows = np.array([1, 20_000, 29_999, 30_001, 30_005, 30_299])
    assert interval_at(time_s, rows) == pytest.approx([0.001, 0.001, 0.001, 0.1, 0.1, 0.1])


def test_two_values_far_apart_are_not_joined() -> None:
    for exact in (True, False):
        clock = sensor_clock(np.array([0.0, 80.0]), np.zeros(2, dtype=np.int64), 10.0, exact=exact)
        assert exact or clock.run.tolist() == [0, 1]
