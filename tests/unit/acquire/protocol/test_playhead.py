"""The playhead runs, stands and jumps as told, and its time never runs backwards by itself."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquire.protocol.playhead import Playhead

S = 1_000_000_000


def test_it_runs_with_the_clock() -> None:
    head = Playhead(5 * S)
    assert head.position_s(5 * S) == 0.0
    assert head.position_s(8 * S) == 3.0
    assert head.stands_s(8 * S) == 0.0 and not head.paused


def test_a_pause_takes_no_time_and_ends_after_its_countdown() -> None:
    head = Playhead(0)
    head.pause(4 * S)
    assert (head.paused, head.position_s(100 * S)) == (True, 4.0) and math.isinf(head.stands_s(100 * S))
    head.resume(100 * S, 3.0)
    assert not head.paused and head.stands_s(101 * S) == 2.0 and head.position_s(102 * S) == 4.0
    assert head.position_s(104 * S) == 5.0 and head.stands_s(104 * S) == 0.0


def test_a_jump_counts_down_but_not_out_of_a_pause() -> None:
    head = Playhead(0)
    head.jump(50.0, 10 * S, 3.0)
    assert head.position_s(12 * S) == 50.0 and head.position_s(14 * S) == 51.0
    head.jump(7.0, 20 * S)
    assert head.position_s(21 * S) == 8.0
    head.pause(21 * S)
    head.jump(30.0, 22 * S, 3.0)
    assert head.paused and head.position_s(99 * S) == 30.0
    head.resume(99 * S)
    assert head.position_s(100 * S) == pytest.approx(31.0)


def test_pausing_in_a_countdown_keeps_the_place() -> None:
    head = Playhead(0)
    head.jump(50.0, 10 * S, 3.0)
    head.pause(11 * S)
    assert head.position_s(60 * S) == 50.0
    head.resume(60 * S)
    assert head.position_s(61 * S) == pytest.approx(51.0)


STEPS = st.lists(st.tuples(st.sampled_from(["wait", "pause", "resume"]), st.integers(0, 20)), max_size=30)


@given(STEPS)
def test_without_jumps_it_loses_exactly_the_time_it_stood(steps: list[tuple[str, int]]) -> None:
    head, now_s, stood_s = Playhead(0), 0, 0
    for what, seconds in steps:
        if what == "wait":
            stood_s += seconds if head.paused else 0
            now_s += seconds
        elif what == "pause":
            head.pause(now_s * S)
        else:
            head.resume(now_s * S)
        assert head.position_s(now_s * S) == pytest.approx(now_s - stood_s)
