"""Levels and typical steps: long streams are gone through in blocks, and tell what short ones do."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from dataset.support.arrays import FloatArray
from dataset.support.disk_arrays import concatenate
from sync.events.perievent import level_of, typical_step


def waveform(seconds: float, rate_hz: float = 1000.0, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    """Noise whose amplitude is 2 at rest and 10 in the second half of each 4 s."""
    t = np.arange(0, seconds, 1 / rate_hz)
    gain = np.where(t % 4 > 2, 10.0, 2.0)
    return t, 300.0 + gain * np.random.default_rng(seed).standard_normal(len(t))


def test_a_typical_step_is_the_median_of_all() -> None:
    t = np.cumsum(np.random.default_rng(0).uniform(0.5, 1.5, 60_000))
    assert typical_step(t) == np.median(np.diff(t))
    assert typical_step(t[:2]) == t[1] - t[0]


@pytest.mark.parametrize("packet", [4, 55, 64, 100])
def test_the_step_of_a_long_stream_is_seen_through_packets_and_gaps(packet: int) -> None:
    n = 1_000_000
    step = np.full(n, 1e-3) + np.random.default_rng(packet).normal(0, 1e-5, n)
    step[::packet] = 0.02
    step[::100_000] = 30.0
    t = np.cumsum(step)
    assert typical_step(t) == pytest.approx(np.median(np.diff(t)), abs=2e-7)
    [stored] = concatenate([(t,)], (np.float64,))
    assert typical_step(stored) == typical_step(t)


@pytest.mark.parametrize("rate_hz", [100.0, 130.0, 1000.0, 2148.0])
@pytest.mark.parametrize("block", [500, 4099])
def test_a_level_is_the_same_in_blocks(rate_hz: float, block: int) -> None:
    t, value = waveform(20, rate_hz)
    whole_t, whole = level_of(t, value)
    in_blocks_t, in_blocks = level_of(t, value, block=block)
    assert np.array_equal(in_blocks_t, whole_t)
    # Where the power is that at rest, its root is nothing but rounding's.
    assert in_blocks**2 == pytest.approx(whole**2, rel=1e-9, abs=1e-10 * np.max(whole) ** 2)


def test_a_level_is_the_amplitude_above_rest_at_about_100_hz() -> None:
    t = np.arange(0, 60, 1e-3)
    value = 300.0 + np.where(t % 4 > 2, 10.0, 2.0) * np.sqrt(2) * np.sin(2 * np.pi * 120 * t)
    at, level = level_of(t, value)
    assert at == pytest.approx(t[:: round((at[1] - at[0]) * 1000)])
    assert 90 < 1 / (at[1] - at[0]) < 130
    inside = (at % 4 > 2.2) & (at % 4 < 3.8)
    assert level[inside] == pytest.approx(np.sqrt(10.0**2 - 2.0**2), rel=0.01)
    assert np.max(level[(at % 4 > 0.2) & (at % 4 < 1.8)]) < 0.5


def test_half_an_hours_level_takes_little_memory() -> None:
    t, value = concatenate((waveform(60, seed=k) for k in range(30)), (np.float64, np.float64))
    t += 60.0 * (np.arange(len(t)) // 60_000)
    tracemalloc.start()
    level_of(t, value)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < value.nbytes
