"""Pairing of event trains: right, or refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dataset.support.arrays import FloatArray
from sync.fit.match import match_events

TOLERANCE_S = 0.045


def trains(
    seed: int, n: int, *, missing: float, false: float, gap_s: float = 0.0
) -> tuple[FloatArray, FloatArray, float, float]:
    rng = np.random.default_rng(seed)
    spacing = rng.uniform(0.8, 2.0, n)
    spacing[n // 2] += gap_s
    reference = np.cumsum(spacing)
    rate, offset = rng.uniform(-180e-6, 180e-6), rng.uniform(-2e4, 2e4)
    target = (reference - offset) / (1 + rate) + rng.normal(0, 0.008, n)
    kept = target[rng.random(n) >= missing]
    extra = rng.uniform(target[0] - 2, target[-1] + 2, int(false * n))
    return reference, np.sort(np.concatenate([kept, extra])), rate, offset


@given(
    seed=st.integers(0, 100_000),
    n=st.integers(8, 24),
    missing=st.floats(0, 0.3),
    false=st.floats(0, 0.3),
    gap_s=st.sampled_from([0.0, 30.0, 600.0, 3600.0]),
)
@settings(max_examples=60, deadline=None)
def test_an_accepted_pairing_is_never_a_wrong_one(
    seed: int, n: int, missing: float, false: float, gap_s: float
) -> None:
    reference, target, rate, offset = trains(seed, n, missing=missing, false=false, gap_s=gap_s)
    pairing = match_events(reference, target, tolerance_s=TOLERANCE_S)
    assume(pairing.accepted)
    true_target = (reference - offset) / (1 + rate)
    # Each paired target event is the reference event's own, up to the detector's error or a false event beside it.
    assert np.max(np.abs(target[pairing.pairs[:, 1]] - true_target[pairing.pairs[:, 0]])) < 2 * TOLERANCE_S
    assert np.max(np.abs(pairing.residual_s)) <= TOLERANCE_S
    assert len(set(pairing.pairs[:, 0])) == len(set(pairing.pairs[:, 1])) == pairing.n_matched


@given(n=st.integers(3, 40), first=st.integers(0, 3), period_s=st.floats(0.5, 5.0), offset=st.floats(-1e4, 1e4))
@settings(max_examples=40, deadline=None)
def test_a_uniform_train_is_refused_whatever_is_missing(n: int, first: int, period_s: float, offset: float) -> None:
    reference = period_s * np.arange(float(n))
    target = reference[first:] + offset
    pairing = match_events(reference, target, tolerance_s=TOLERANCE_S)
    assert not pairing.accepted
    assert pairing.reason


@pytest.mark.parametrize("seed", range(8))
def test_irregular_trains_pair_with_a_fifth_missing_and_a_fifth_false(seed: int) -> None:
    reference, target, _, _ = trains(seed, 16, missing=0.2, false=0.2, gap_s=40.0)
    pairing = match_events(reference, target, tolerance_s=TOLERANCE_S)
    assert pairing.accepted, pairing.reason
    assert pairing.ambiguity_margin >= 0.25
    assert pairing.coverage > 0.5


@given(seed=st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_trains_that_have_nothing_in_common_are_refused(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = np.cumsum(rng.uniform(0.8, 2.0, 12)), np.cumsum(rng.uniform(0.8, 2.0, 12))
    assert not match_events(a, b, tolerance_s=0.02).accepted


def test_a_shift_of_both_clocks_changes_nothing_but_the_offset() -> None:
    reference, target, _, _ = trains(3, 12, missing=0.1, false=0.1)
    near = match_events(reference, target, tolerance_s=TOLERANCE_S)
    far = match_events(reference + 5e5, target - 7e5, tolerance_s=TOLERANCE_S)
    assert np.array_equal(near.pairs, far.pairs)
    assert far.residual_s == pytest.approx(near.residual_s, abs=1e-6)


@pytest.mark.parametrize(("n", "m"), [(0, 0), (2, 9), (9, 2)])
def test_fewer_than_three_events_are_refused_in_words(n: int, m: int) -> None:
    pairing = match_events(1.3 * np.arange(float(n)), 1.1 * np.arange(float(m)), tolerance_s=0.05)
    assert not pairing.accepted
    assert "at least 3" in pairing.reason


def test_a_few_events_that_fit_loosely_may_be_chance_and_are_refused() -> None:
    reference = np.array([1.95, 2.93, 4.89, 6.76])
    loose = reference + np.array([0.035, -0.035, 0.0, 0.63])
    tight = reference + np.array([0.006, -0.006, 0.0, 0.63])
    refused = match_events(reference, loose, tolerance_s=TOLERANCE_S)
    assert not refused.accepted
    assert "chance" in refused.reason
    accepted = match_events(reference, tight, tolerance_s=TOLERANCE_S)
    assert accepted.accepted, accepted.reason
    assert accepted.n_matched == 3
