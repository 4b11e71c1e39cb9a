"""Robust statistics: right on normal data, unmoved by outliers, and monotonous weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sync.robust import MAD_TO_SD, cauchy_weight, mad_sd, mad_sds, student_t_weight


def test_the_constant_is_the_normal_distributions() -> None:
    assert pytest.approx(1 / stats.norm.ppf(0.75), rel=1e-4) == MAD_TO_SD


@given(scale=st.floats(1e-6, 1e6), shift=st.floats(-1e6, 1e6), seed=st.integers(0, 10**6))
def test_it_is_the_standard_deviation_of_normal_values_wherever_they_lie(scale: float, shift: float, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=4001)
    assert mad_sd(shift + scale * values) == pytest.approx(scale * mad_sd(values), rel=1e-3)
    assert mad_sd(values) == pytest.approx(1.0, abs=0.12)


def test_a_third_of_outliers_does_not_move_it_far() -> None:
    values = np.random.default_rng(0).normal(size=3000)
    values[:1000] += 1e6
    assert mad_sd(values) < 3.0


def test_residuals_are_taken_about_zero_and_columns_apart() -> None:
    values = np.array([[1.0, 10.0], [1.0, 30.0], [1.0, 20.0]])
    assert mad_sd(values[:, 0], 0.0) == pytest.approx(MAD_TO_SD)
    assert mad_sds(values) == pytest.approx([0.0, 10 * MAD_TO_SD])


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30), st.floats(1.0, 20.0))
def test_what_lies_further_off_never_weighs_more(standardised: list[float], degrees: float) -> None:
    off = np.array(sorted(standardised, key=abs))
    for weight in (student_t_weight(off, degrees), cauchy_weight(off)):
        assert np.all(np.diff(weight) <= 1e-12)
        assert np.all((weight > 0) & (weight <= 1))
