"""The one affine map: its inverse, its composition, and intervals that follow both."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.fit.clock_map import ClockMap

OFFSETS, RATES, TIMES = st.floats(-1e5, 1e5), st.floats(-1e-3, 1e-3), st.floats(-1e4, 1e4)
SDS = st.floats(1e-6, 1.0)


@st.composite
def maps(draw: st.DrawFn) -> ClockMap:
    sd, rate_sd, r = draw(SDS), draw(st.floats(1e-9, 1e-3)), draw(st.floats(-0.9, 0.9))
    covariance = np.array([[sd**2, r * sd * rate_sd], [r * sd * rate_sd, rate_sd**2]])
    return ClockMap(offset_s=draw(OFFSETS), rate=draw(RATES), reference_s=draw(TIMES), covariance=covariance)


@given(maps(), TIMES)
def test_the_inverse_undoes_the_map(clock: ClockMap, at_s: float) -> None:
    assert clock.inverse()(clock(at_s)) == pytest.approx(at_s, abs=1e-6)


@given(maps(), TIMES)
def test_the_inverse_is_known_as_well_as_the_map(clock: ClockMap, at_s: float) -> None:
    there = clock.inverse().half_width_s(clock(at_s))
    assert there * (1 + clock.rate) == pytest.approx(float(clock.half_width_s(at_s)), rel=1e-4, abs=1e-9)


@given(maps(), maps(), TIMES)
def test_one_map_after_another(outer: ClockMap, inner: ClockMap, at_s: float) -> None:
    both = outer.after(inner)
    assert both(at_s) == pytest.approx(float(outer(inner(at_s))), abs=1e-5)
    variance = (inner.half_width_s(at_s) * (1 + outer.rate)) ** 2 + outer.half_width_s(inner(at_s)) ** 2
    assert both.half_width_s(at_s) ** 2 == pytest.approx(float(variance), rel=1e-5)


@given(maps(), TIMES)
def test_the_reference_may_lie_anywhere(clock: ClockMap, at_s: float) -> None:
    moved = clock.decorrelated()
    assert moved.covariance[0, 1] == 0.0
    assert moved(at_s) == clock(at_s)
    assert moved.half_width_s(at_s) == pytest.approx(float(clock.half_width_s(at_s)), rel=1e-4, abs=1e-9)


def test_the_interval_holds_where_value_and_rate_are_drawn() -> None:
    rng = np.random.default_rng(5)
    covariance = np.array([[4e-6, -3e-8], [-3e-8, 4e-10]])
    known = ClockMap(offset_s=3.0, rate=4e-5, reference_s=50.0, covariance=covariance)
    drawn = rng.multivariate_normal([0.0, 0.0], covariance, 4000)
    for at_s in (0.0, 50.0, 400.0):
        error = drawn[:, 0] + drawn[:, 1] * (at_s - 50.0)
        assert np.mean(np.abs(error) <= known.half_width_s(at_s)) == pytest.approx(0.95, abs=0.012)


def test_what_is_not_known_has_no_interval() -> None:
    unknown = ClockMap(offset_s=1.0, covariance=np.full((2, 2), np.nan))
    assert unknown(2.0) == 3.0
    assert np.isnan(unknown.half_width_s(np.zeros(2))).all()
