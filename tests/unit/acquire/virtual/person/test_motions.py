"""Motions are smooth, begin and end at their base pose, and gestures do what they are called."""

from __future__ import annotations

import numpy as np
import pytest

from acquire.virtual.person.body import DOF, DOFS, STAND, Body, pose_vector, posture
from acquire.virtual.person.motion import sides_of
from acquire.virtual.person.motions import (
    GESTURES,
    MOTIONS,
    base_offset,
    gesture_offset,
    gesture_span_s,
    known_motion,
    repetition_offset,
)
from dataset.exercises import LATER_EXERCISES, PAPER_EXERCISES
from dataset.support.errors import InputError


@pytest.mark.parametrize("name", sorted(MOTIONS))
def test_repetitions_join_without_a_jump_or_a_kink(name: str) -> None:
    phase = np.array([0.0, 1e-4, 1 - 1e-4, 1.0])
    offset = repetition_offset(name, phase, mirror=np.array([False] * 4), amplitude=np.ones(4))
    offset[2:, DOF["turn"]] -= 360.0 * MOTIONS[name].turns
    np.testing.assert_allclose(offset, 0.0, atol=1e-3)


@pytest.mark.parametrize("name", sorted(MOTIONS))
def test_a_smaller_repetition_is_the_same_motion_smaller(name: str) -> None:
    phase = np.linspace(0.0, 1.0, 30)
    whole = repetition_offset(name, phase, mirror=np.zeros(30, dtype=bool), amplitude=np.ones(30))
    half = repetition_offset(name, phase, mirror=np.zeros(30, dtype=bool), amplitude=np.full(30, 0.5))
    angles = np.array(DOFS) != "turn" if MOTIONS[name].turns else slice(None)
    np.testing.assert_allclose(half[:, angles], whole[:, angles] / 2)
    assert np.abs(whole).max() > 20


@pytest.mark.parametrize("name", sorted(MOTIONS))
def test_every_key_of_a_motion_moves_something(name: str) -> None:
    """A misspelt key, or the foot of a leg that follows its angles, would be passed over in silence."""
    motion = MOTIONS[name]
    places = {f"pelvis_{axis}" for axis in "xyz"} if motion.planted else {"lift", "shift_x", "shift_z"}
    angles = {"hip_flexion", "hip_abduction", "hip_rotation", "knee"}
    for side in ("left", "right"):
        planted = side in motion.planted
        places |= {f"{side}_{key}" for key in (("foot_x", "foot_y", "foot_z", "foot_yaw") if planted else angles)}
    free = {dof for dof in DOFS if dof.partition("_")[2] not in angles and dof not in ("lift", "shift_x", "shift_z")}
    known = places | free | ({"spin"} if motion.turns else set())
    given = {one for key in (*motion.base, *motion.tracks) for one in sides_of(key)}
    assert given <= known, given - known


def test_motions_are_named_as_the_paper_names_them() -> None:
    assert set(MOTIONS) == set(PAPER_EXERCISES) | set(LATER_EXERCISES)


def test_an_unknown_exercise_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="squat"):
        known_motion("underwater_hockey")
    with pytest.raises(InputError):
        base_offset("underwater_hockey")


def test_hands_meet_at_the_clap_and_only_then() -> None:
    at_s = np.array([-0.5, -0.12, 0.0, 0.6])
    body = posture(Body(), pose_vector(STAND) + gesture_offset("clap", at_s))
    apart = np.linalg.norm(body.at("left_wrist") - body.at("right_wrist"), axis=1)
    assert apart[2] < 0.06
    assert min(apart[[0, 1, 3]]) > 0.3


def test_heels_come_down_at_the_stomp() -> None:
    at_s = np.array([-0.5, -0.12, 0.0, 0.3])
    body = posture(Body(), pose_vector(STAND) + gesture_offset("stomp", at_s))
    heel = body.at("left_heel")[:, 1]
    assert heel[1] > heel[0] + 0.05
    assert abs(heel[2] - heel[0]) < 0.005


@pytest.mark.parametrize("name", sorted(GESTURES))
def test_gestures_begin_after_the_quickest_reaction_and_end(name: str) -> None:
    first_s, last_s = gesture_span_s(name)
    assert -0.37 < first_s < 0 < last_s
    np.testing.assert_allclose(gesture_offset(name, np.array([first_s, last_s])), 0.0, atol=1e-9)
