"""Each value's place in its sensor's sequence, where it is known what was sent."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.clock.packet_index import counts, infer_index, packet_size, unwrap_counter


def test_index_counts_every_value_once() -> None:
    rng = np.random.default_rng(8)
    arrival_s = np.maximum.accumulate(0.1 * np.arange(300) + rng.exponential(0.012, 300))
    index = np.zeros(300, dtype=np.int64)
    infer_index(index, arrival_s - arrival_s[0], 0.1)
    assert np.array_equal(index, np.arange(300))


@given(
    packet=st.integers(1, 30),
    queued=st.lists(st.integers(1, 3), min_size=12, max_size=60),
    cut=st.tuples(st.integers(0, 29), st.integers(0, 29)),
)
def test_a_packet_s_size_is_what_all_groups_are_multiples_of(
    packet: int, queued: list[int], cut: tuple[int, int]
) -> None:
    """Packets that a stall delivered together are one group; a recording begins and ends within one."""
    queued = [*queued, 1]  # one of them came alone
    arrival_s = np.repeat(np.arange(len(queued) + 2.0), [packet, *(packet * k for k in queued), packet])
    arrival_s = arrival_s[cut[0] % packet : len(arrival_s) - cut[1] % packet]
    size = packet_size(arrival_s)
    assert size % packet == 0
    assert np.mean([packet * k % size == 0 for k in queued]) > 0.9


def test_values_that_come_singly_are_packets_of_one() -> None:
    assert packet_size(np.arange(50.0)) == 1
    assert packet_size(np.array([0.0, 1.0])) == 1


@given(steps=st.lists(st.integers(1, 15), max_size=200))
def test_a_counter_that_goes_round_is_unwrapped(steps: list[int]) -> None:
    position = np.concatenate([[0], np.cumsum(steps)]).astype(np.int64)
    index = np.zeros(len(position), dtype=np.int64)
    unwrap_counter(index, (position + 5) % 16, position / 100, 0.01, 16)
    assert np.array_equal(index, position)


@pytest.mark.parametrize(
    ("counter", "modulo", "goes_on"),
    [
        ([7], 0, True),
        ([7, 7, 7], 0, False),
        ([1, 2, 2], 0, True),
        ([1, 1, 2], 0, True),
        ([6, 7, 0, 1], 8, True),
        ([6, 7, 0, 1], 0, False),
    ],
)
def test_a_counter_that_stands_still_or_falls_counts_nothing(counter: list[int], modulo: int, goes_on: bool) -> None:
    assert counts(np.array(counter), modulo) == goes_on
