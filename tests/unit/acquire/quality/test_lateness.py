"""Late values told from lost ones, on arrivals whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acquire.quality.lateness import LONGEST_WAIT, Lateness

PERIOD_S, LATE_S = 0.1, 0.15


def arrivals(
    n: int, *, jitter_s: float = 0.02, rate_ppm: float = 0.0, seed: int = 0, lost: tuple[int, ...] = ()
) -> np.ndarray:
    """Return when values come: their own schedule, a one-sided jitter, some without any row."""
    rng = np.random.default_rng(seed)
    at_s = np.arange(n) * PERIOD_S * (1 + rate_ppm * 1e-6) + rng.uniform(0, jitter_s, n)
    return np.delete(at_s, list(lost))


def after_pause(at_s: np.ndarray, begin_s: float, length_s: float) -> np.ndarray:
    """Hold back what falls into a pause; it then comes in a burst, 3 ms apart, in order."""
    held = np.where((at_s >= begin_s) & (at_s < begin_s + length_s), begin_s + length_s, at_s)
    for i in range(1, len(held)):
        held[i] = max(held[i], held[i - 1] + 0.003)
    return held


def judged(at_s: np.ndarray, period_s: float = PERIOD_S) -> Lateness:
    lateness = Lateness(period_s, LATE_S)
    for t in np.rint(at_s * 1e9).astype(int):
        lateness.add(int(t) + 5_000_000_000)
    return lateness


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.floats(0, 0.04), st.floats(-300, 300))
def test_a_healthy_radio_is_neither_late_nor_loses(seed: int, jitter_s: float, rate_ppm: float) -> None:
    found = judged(arrivals(600, jitter_s=jitter_s, rate_ppm=rate_ppm, seed=seed))
    assert (found.n_late, found.n_lost) == (0, 0)
    assert found.jitter.n == 600
    assert found.jitter.max_s <= jitter_s + 0.002
    if jitter_s > 0.005:
        assert found.jitter.quantile_s(0.5) == pytest.approx(jitter_s / 2, rel=0.25)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.floats(5.0, 15.0), st.sampled_from([0.3, 1.0, 2.9]))
def test_what_catches_up_after_a_pause_was_late_and_none_is_lost(seed: int, begin_s: float, length_s: float) -> None:
    at_s = arrivals(300, seed=seed)
    held_s = after_pause(at_s, begin_s, length_s)
    found = judged(held_s)
    behind_s = held_s - np.arange(300) * PERIOD_S
    assert found.n_lost == 0
    assert np.sum(behind_s > 0.056) <= found.n_late <= np.sum(behind_s > 0.049)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(40, 200), st.integers(1, 25))
def test_what_never_comes_is_suspected_lost_to_the_value(seed: int, first: int, n: int) -> None:
    found = judged(arrivals(300, seed=seed, lost=tuple(range(first, first + n))))
    assert (found.n_lost, found.n_late) == (n, 0)


def test_a_pause_that_loses_a_part_is_both() -> None:
    at_s = after_pause(arrivals(200, jitter_s=0.01, lost=(101, 102, 103)), 10.0, 1.0)
    found = judged(at_s)
    assert found.n_lost == 3
    assert found.n_late == pytest.approx(7, abs=1)


@pytest.mark.parametrize("delay_s", [0.06, 0.3, 1.0])
def test_what_was_believed_lost_and_comes_after_all_is_lost_no_more(delay_s: float) -> None:
    """A queue that delays some values evenly looks like a loss until it empties."""
    at_s = arrivals(300, jitter_s=0.002)
    at_s[100:106] += delay_s
    for i in range(106, 300):
        at_s[i] = max(at_s[i], at_s[i - 1] + 0.003)
    lateness = Lateness(PERIOD_S, LATE_S)
    lost = []
    for t in np.rint(at_s * 1e9).astype(int):
        lateness.add(int(t))
        lost.append(lateness.n_lost)
    assert max(lost) == round(delay_s / PERIOD_S)
    assert lost[-1] == 0


def test_jitter_above_the_period_does_not_pile_up() -> None:
    rng = np.random.default_rng(1)
    at_s = np.sort(np.delete(np.arange(5000) * 0.02 + rng.uniform(0, 0.06, 5000), np.arange(1000, 1010)))
    found = judged(at_s, period_s=0.02)
    assert len(found._waiting) < LONGEST_WAIT
    assert found.n_lost == pytest.approx(10, abs=2)


def test_a_recording_that_begins_in_a_pause_knows_the_schedule() -> None:
    at_s = after_pause(arrivals(60), 4.0, 0.5)
    lateness = judged(at_s[:40])
    lateness.begin_again()
    for t in at_s[40:]:
        lateness.add(round(t * 1e9) + 5_000_000_000)
    assert lateness.n_late >= 4
    assert lateness.jitter.n == 20
