"""The order of the steps and the way back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquire.screen.steps import FIRST_STEPS, Step, StepPath, step_after


def test_a_first_take_passes_every_step_and_a_further_one_skips_assigning() -> None:
    passed = [Step.SETUP]
    while passed[-1] is not Step.SUMMARY:
        passed.append(step_after(passed[-1], same_placement=False))
    assert passed == list(Step)
    assert step_after(Step.CHECK, same_placement=True) is Step.RECORD
    assert step_after(Step.SUMMARY, same_placement=False) is Step.SUMMARY


def test_the_way_back_is_the_way_that_led_here() -> None:
    path = StepPath()
    assert path.before() is None
    for step in (Step.SETUP, Step.CHECK, Step.ASSIGN, Step.CALIBRATE):
        path.go(step)
    assert path.before() is Step.ASSIGN
    path.go(Step.CHECK)
    assert path.before() is Step.SETUP


@pytest.mark.parametrize("first", sorted(FIRST_STEPS))
def test_nothing_lies_before_a_first_step(first: Step) -> None:
    path = StepPath()
    path.go(Step.CHECK)
    path.go(first)
    assert path.before() is None
    path.go(Step.CHECK)
    assert path.before() is first


@given(st.lists(st.sampled_from(Step), min_size=1, max_size=30))
def test_going_back_always_ends(steps: list[Step]) -> None:
    path = StepPath()
    for step in steps:
        path.go(step)
    seen = {steps[-1]}
    while (before := path.before()) is not None:
        path.go(before)
        assert before not in seen
        seen.add(before)
