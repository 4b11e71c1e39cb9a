"""The box's microseconds on the host's clock: the interval holds as it says, under delays of several kinds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquire.ledbox.clock_sync import WRAP_US, Exchange, host_time, unwrap_us

#: One-way delays in nanoseconds; nothing here is a constant of the estimator.
Delay = Callable[[np.random.Generator, int], np.ndarray]

JITTER: dict[str, Delay] = {
    "even": lambda rng, n: rng.uniform(0.4e6, 1.9e6, n),
    "exponential": lambda rng, n: 0.35e6 + rng.exponential(0.7e6, n),
    "humped": lambda rng, n: 0.3e6 + rng.gamma(3.0, 0.3e6, n),
    "polled": lambda rng, n: 0.25e6 + rng.uniform(0, 1e6, n) + rng.exponential(0.05e6, n),
    "long tail": lambda rng, n: 0.2e6 + 0.4e6 * rng.lognormal(0.0, 1.0, n),
    "stalls": lambda rng, n: 0.5e6 + rng.exponential(0.15e6, n) + (rng.random(n) < 0.08) * rng.uniform(2e6, 16e6, n),
}


@given(st.integers(min_value=0, max_value=1 << 40), st.integers(min_value=-(1 << 30), max_value=1 << 30))
def test_unwrapping_finds_the_nearest_count(previous: int, step: int) -> None:
    true = max(0, previous + step)
    assert unwrap_us(previous, true % WRAP_US) == true


class Talk:
    """A host and a box that talk, with a truth: pulses in bursts of exchanges."""

    def __init__(self, delay: Delay, *, rate: float, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.delay, self.rate = delay, rate
        self.now_ns = 3_000_000_000.0
        self.slow = 1.0
        self.exchanges: list[Exchange] = []

    def ask(self) -> tuple[int, float]:
        """Return the box's reading and the true host time at which it was taken."""
        there, back = self.delay(self.rng, 2) * self.slow
        sent, read = self.now_ns, self.now_ns + there
        box_us = 5_000_000 + int((read - 3e9) / 1000 * self.rate) // 4 * 4  # counts in steps of 4, as many boards do
        self.now_ns = read + back + 30_000
        self.exchanges.append(Exchange(sent_ns=round(sent), received_ns=round(read + back), box_us=box_us))
        return box_us, read

    def pulses(self, n: int, *, in_spells: bool = False) -> np.ndarray:
        """Return error over half-width of ``n`` pulses."""
        for _ in range(60):
            self.ask()
        share = []
        for _ in range(n):
            self.now_ns += self.rng.uniform(0.2e9, 1.2e9)
            self.slow = float(np.exp(self.rng.normal(0, 0.6))) if in_spells else 1.0
            box_us, true_ns = self.ask()
            for _ in range(6):
                self.ask()
            t_ns, half_ns = host_time(self.exchanges[-400:], box_us)
            share.append((t_ns - true_ns) / half_ns)
        return np.array(share)


@pytest.mark.parametrize("kind", list(JITTER))
def test_the_interval_covers_as_it_says_in_a_thousand_pulses(kind: str) -> None:
    share = Talk(JITTER[kind], rate=1.00006, seed=len(kind)).pulses(1000)
    assert 0.93 <= np.mean(np.abs(share) <= 1) <= 0.97
    assert abs(np.median(share)) < 0.1, "no bias"


@pytest.mark.parametrize("kind", ["even", "exponential"])
def test_spells_of_slowness_hardly_lower_the_coverage(kind: str) -> None:
    share = Talk(JITTER[kind], rate=0.99995, seed=3).pulses(500, in_spells=True)
    assert np.mean(np.abs(share) <= 1) > 0.9


@pytest.mark.parametrize("rate", [0.9965, 1.004])
def test_a_ceramic_resonator_is_followed(rate: float) -> None:
    talk = Talk(JITTER["even"], rate=rate, seed=1)
    assert np.mean(np.abs(talk.pulses(150)) <= 1) > 0.9


@pytest.mark.parametrize("rate", [0.9965, 1.0, 1.00004, 1.004])
def test_with_few_exchanges_the_bound_holds_nearly_always(rate: float) -> None:
    inside = 0
    for seed in range(200):
        talk = Talk(JITTER["exponential"], rate=rate, seed=seed)
        for _ in range(6):
            talk.ask()
        talk.now_ns += 1e9
        box_us, true_ns = talk.ask()
        for _ in range(6):
            talk.ask()
        t_ns, half_ns = host_time(talk.exchanges, box_us)
        inside += abs(t_ns - true_ns) <= half_ns + 5000
    assert inside >= 190


def test_one_exchange_is_enough_and_none_is_refused() -> None:
    one = Exchange(sent_ns=1_000_000, received_ns=3_000_000, box_us=70)
    assert host_time([one], 70) == (2_000_000, 1_000_000)
    with pytest.raises(ValueError, match="no exchange"):
        host_time([], 0)


def test_answers_that_came_late_on_one_way_move_nothing() -> None:
    talk = Talk(JITTER["even"], rate=1.0, seed=5)
    talk.pulses(20)
    box_us, true_ns = talk.ask()
    late = talk.exchanges.pop()
    talk.exchanges.append(
        Exchange(sent_ns=late.sent_ns, received_ns=late.received_ns + 300_000_000, box_us=late.box_us)
    )
    t_ns, half_ns = host_time(talk.exchanges, box_us)
    assert abs(t_ns - true_ns) < 3 * half_ns < 2e6
