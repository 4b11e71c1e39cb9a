"""Courses between keys are smooth, pass through what lies between, and stop where told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquire.virtual.person.motion import course, minimum_jerk, sides_of

keys = st.lists(st.tuples(st.floats(0.05, 0.95), st.floats(-90.0, 90.0)), min_size=1, max_size=6).map(
    lambda pairs: tuple(sorted({round(t, 2): v for t, v in pairs}.items()))
)


@given(keys)
def test_a_course_passes_its_keys_and_begins_and_ends_at_rest(track: tuple[tuple[float, float], ...]) -> None:
    at = np.array([0.0, *(t for t, _ in track), 1.0])
    np.testing.assert_allclose(course(track, at), [0.0, *(v for _, v in track), 0.0], atol=1e-9)
    near = course(track, np.array([1e-5, 1.0 - 1e-5]))
    np.testing.assert_allclose(near, 0.0, atol=1e-3)


@given(keys)
def test_a_course_never_leaves_the_values_of_its_keys_by_much(track: tuple[tuple[float, float], ...]) -> None:
    values = course(track, np.linspace(0.0, 1.0, 500))
    told = [0.0, *(v for _, v in track)]
    room = 0.05 * (max(told) - min(told)) + 1e-9
    assert min(told) - room <= values.min() <= values.max() <= max(told) + room


@given(keys)
def test_velocity_and_acceleration_are_the_same_on_both_sides_of_a_key(track: tuple[tuple[float, float], ...]) -> None:
    h = 1e-6
    for at, _ in track:
        before = course(track, np.array([at - 2 * h, at - h, at]))
        after = course(track, np.array([at, at + h, at + 2 * h]))
        assert np.diff(before)[1] / h == pytest.approx(np.diff(after)[0] / h, abs=0.5)


def test_between_stops_it_is_the_minimum_jerk_course() -> None:
    at = np.linspace(0.0, 0.5, 50)
    np.testing.assert_allclose(course(((0.5, 40.0),), at), 40.0 * minimum_jerk(at / 0.5), atol=1e-9)


def test_a_key_on_the_way_is_passed_without_stopping_unless_told() -> None:
    track = ((0.25, 20.0), (0.5, 40.0))
    around = np.array([0.249, 0.251])
    assert np.diff(course(track, around))[0] > 0.1
    assert np.diff(course(track, around, stops=True))[0] < 0.001


def test_both_sides_are_named_at_once() -> None:
    assert sides_of("both_knee") == ("left_knee", "right_knee")
    assert sides_of("lean") == ("lean",)
