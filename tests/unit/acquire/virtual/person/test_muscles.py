"""Facts that a muscle model must reproduce."""

from __future__ import annotations

import numpy as np
import pytest

from acquire.virtual.person.body import DOF, STAND, Body, pose_vector, posture
from acquire.virtual.person.dynamics import joint_torques
from acquire.virtual.person.motions import base_offset, repetition_offset
from acquire.virtual.person.muscles import Muscles, efforts
from dataset.muscles import PAPER_CHANNELS

BODY = Body()
DT_S = 0.01
INDEX = {channel.name: i for i, channel in enumerate(PAPER_CHANNELS)}


def _muscles(cocontraction: float = 0.3) -> Muscles:
    return Muscles(
        cocontraction=(cocontraction, cocontraction),
        activation_s=(0.05,) * 8,
        lead_s=0.05,
        strength=(1.0,) * 8,
        potentiation=0.3,
        fatigue=0.5,
    )


def _efforts(pose: np.ndarray, cocontraction: float = 0.3) -> dict[str, np.ndarray]:
    torques = joint_torques(BODY, posture(BODY, pose), DT_S)
    rows = efforts(_muscles(cocontraction), torques, pose, DT_S)
    return {name: rows[i] for name, i in INDEX.items()}


def _held(**angles: float) -> np.ndarray:
    return np.repeat(pose_vector({**STAND, **angles})[None], 5, axis=0)


def _exercise(name: str, seconds: float) -> np.ndarray:
    n = round(seconds / DT_S)
    phase = np.linspace(0.0, 1.0, n)
    offset = repetition_offset(name, phase, mirror=np.zeros(n, dtype=bool), amplitude=np.ones(n))
    return pose_vector(STAND) + base_offset(name) + offset


def test_quadriceps_work_in_a_squat_and_harder_on_the_way_up() -> None:
    pose = _exercise("squat", 2.3)
    quadriceps = _efforts(pose)["left_quadriceps"]
    knee = pose[1:-1, DOF["left_knee"]]
    speed = np.gradient(knee)
    middle = (knee > 40) & (knee < 90)
    down, up = quadriceps[middle & (speed > 0)].mean(), quadriceps[middle & (speed < 0)].mean()
    assert up > 1.2 * down
    assert quadriceps.max() > 5 * quadriceps[:5].mean()
    assert quadriceps.max() > 2 * _efforts(pose)["left_biceps"].max()


def test_standing_costs_next_to_nothing() -> None:
    assert max(float(row.max()) for row in _efforts(_held()).values()) < 0.1


def test_a_held_forearm_is_carried_by_the_biceps() -> None:
    rows = _efforts(_held(left_elbow=90.0, left_shoulder_elevation=0.0), cocontraction=0.0)
    assert rows["left_biceps"].mean() > 3 * rows["left_triceps"].mean()
    assert rows["left_biceps"].mean() > 2 * rows["right_biceps"].mean()


def test_a_weight_that_falls_freely_costs_nothing() -> None:
    # The forearm, straight ahead from a hanging upper arm, begins to fall as a pendulum of point mass would.
    base = pose_vector({**STAND, "lean": 0.0, "left_shoulder_elevation": 0.0, "left_shoulder_rotation": 0.0})
    length_m = 0.682 * 0.150 * BODY.height_m
    time_s = np.arange(-2, 3) * DT_S
    fall_deg = np.degrees(0.5 * 9.81 / length_m * time_s**2)
    pose = np.repeat(base[None], len(time_s), axis=0)
    pose[:, DOF["left_elbow"]] = 90.0
    held = abs(float(joint_torques(BODY, posture(BODY, pose), DT_S)["left_elbow"][1]))
    pose[:, DOF["left_elbow"]] -= fall_deg
    falling = abs(float(joint_torques(BODY, posture(BODY, pose), DT_S)["left_elbow"][1]))
    assert held > 1.0
    assert falling < 0.03 * held


def test_lowering_costs_less_than_lifting_the_same_way() -> None:
    time_s = np.arange(60) * DT_S
    pose = np.repeat(pose_vector({**STAND, "left_shoulder_elevation": 0.0})[None], len(time_s), axis=0)
    pose[:, DOF["left_elbow"]] = 60.0 + 100.0 * time_s
    lift = _efforts(pose, 0.0)["left_biceps"]
    lower = _efforts(pose[::-1].copy(), 0.0)["left_biceps"][::-1]
    assert np.all(lower < 0.8 * lift)


@pytest.mark.parametrize("cocontraction", [0.2, 0.4])
def test_the_antagonist_joins_in_by_its_share(cocontraction: float) -> None:
    pose = _held(left_elbow=90.0, left_shoulder_elevation=0.0)
    alone, together = _efforts(pose, 0.0), _efforts(pose, cocontraction)
    added = together["left_triceps"] - alone["left_triceps"]
    np.testing.assert_allclose(added, cocontraction * alone["left_biceps"], rtol=0.02)


def test_a_kick_works_the_kicking_leg_most() -> None:
    rows = _efforts(_exercise("front_kick", 1.5))
    assert rows["left_quadriceps"].max() > 1.5 * rows["left_biceps"].max()
    assert rows["left_quadriceps"].max() > 0.3


def test_punches_alternate_between_the_arms() -> None:
    rows = _efforts(_exercise("hook_punch", 1.15))
    assert rows["left_biceps"].mean() > 1.5 * rows["right_biceps"].mean()


def test_drawn_muscles_stay_within_what_people_have() -> None:
    for seed in range(20):
        muscles = Muscles.drawn(np.random.default_rng(seed))
        assert all(0.2 <= x <= 0.4 for x in muscles.cocontraction)
        assert all(0.04 <= x <= 0.08 for x in muscles.activation_s)
