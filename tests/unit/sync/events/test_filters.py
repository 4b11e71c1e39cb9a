"""Filters of raw sEMG: rows of a long stream come out as they do in the whole."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from dataset.support.arrays import FloatArray
from sync.events.filters import band, band_share, envelope, smoothed_power

FILTERS = {
    "band": band,
    "envelope": lambda value, rate_hz, rows=None: envelope(value, rate_hz, 4.0, rows),
    "power": lambda value, rate_hz, rows=None: smoothed_power(value, rate_hz, 20.0, rows),
}


def raw(n: int, seed: int = 0) -> FloatArray:
    """Noise about a constant, louder in its second third."""
    gain = np.where((np.arange(n) > n // 3) & (np.arange(n) < 2 * n // 3), 30.0, 3.0)
    return 700.0 + gain * np.random.default_rng(seed).standard_normal(n)


@pytest.mark.parametrize("work", FILTERS.values(), ids=FILTERS)
@pytest.mark.parametrize("rate_hz", [100.0, 250.0, 1000.0, 2148.0])
def test_rows_come_out_as_in_the_whole(work: Callable[..., FloatArray], rate_hz: float) -> None:
    value = raw(round(30 * rate_hz))
    whole = work(value, rate_hz)
    edges = [0, 1, 7, 50, 1000, len(value) // 2, len(value) - 5, len(value)]
    for first, stop in zip([*edges[:-1], 0], [*edges[1:], len(value)], strict=True):
        part = work(value, rate_hz, slice(first, stop))
        assert part.shape == (stop - first,)
        np.testing.assert_allclose(part, whole[first:stop], rtol=0.0, atol=1e-11 * np.max(np.abs(whole)))


@pytest.mark.parametrize("work", FILTERS.values(), ids=FILTERS)
def test_all_rows_are_the_whole_bit_for_bit(work: Callable[..., FloatArray]) -> None:
    value = raw(5000)
    assert np.array_equal(work(value, 1000.0, slice(0, 5000)), work(value, 1000.0))


@pytest.mark.parametrize("work", FILTERS.values(), ids=FILTERS)
def test_a_stream_shorter_than_the_filters_memory_is_padded_at_both_ends(work: Callable[..., FloatArray]) -> None:
    value = raw(300)
    assert np.array_equal(work(value, 1000.0, slice(100, 180)), work(value, 1000.0)[100:180])


@pytest.mark.parametrize("work", FILTERS.values(), ids=FILTERS)
def test_what_lies_far_off_is_not_looked_at(work: Callable[..., FloatArray]) -> None:
    value = raw(40_000)
    far = np.abs(np.arange(len(value)) - 20_000) > 5000
    part = work(np.where(far, np.nan, value), 1000.0, slice(19_000, 21_000))
    assert part == pytest.approx(work(value, 1000.0)[19_000:21_000], rel=1e-9, abs=1e-9)


def test_a_constant_leaves_nothing() -> None:
    t = np.arange(0, 5, 1e-3)
    assert band(np.full(len(t), 700.0), 1000.0) == pytest.approx(0.0, abs=1e-9)
    ramp = 1e5 + np.sin(2 * np.pi * 120 * t)
    assert envelope(ramp, 1000.0, 4.0, slice(2000, 3000)) == pytest.approx(2 / np.pi, abs=0.01)
    assert smoothed_power(ramp, 1000.0, 20.0, slice(2000, 3000)) == pytest.approx(0.5, abs=0.01)


def test_the_band_s_share_of_what_the_rate_allows() -> None:
    assert band_share(1000.0) == pytest.approx(430 / 500)
    assert band_share(100.0) == pytest.approx((45 - 18) / 50)
