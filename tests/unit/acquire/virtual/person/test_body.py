"""The virtual skeleton holds together and stands on the floor."""

from __future__ import annotations

import numpy as np
import pytest

from acquire.virtual.person.body import DOFS, STAND, Body, mirrored, pose_vector, posture
from acquire.virtual.person.motions import MOTIONS, base_offset, repetition_offset
from dataset.pose.skeleton import JOINT, flexion_rad

BODY = Body()


def _repetition(name: str, n: int = 60) -> np.ndarray:
    phase = np.linspace(0.0, 1.0, n)
    offset = repetition_offset(name, phase, mirror=np.zeros(n, dtype=bool), amplitude=np.ones(n))
    return pose_vector(STAND) + base_offset(name) + offset


@pytest.mark.parametrize("name", sorted(MOTIONS))
def test_bones_keep_their_length(name: str) -> None:
    joints = posture(BODY, _repetition(name)).joints
    for a, b in (("left_elbow", "left_wrist"), ("right_hip", "right_knee"), ("left_knee", "left_ankle")):
        length = np.linalg.norm(joints[:, JOINT[a]] - joints[:, JOINT[b]], axis=1)
        np.testing.assert_allclose(length, length[0], rtol=1e-9)


@pytest.mark.parametrize("name", sorted(MOTIONS))
def test_nobody_sinks_into_the_floor(name: str) -> None:
    joints = posture(BODY, _repetition(name)).joints
    assert joints[:, :, 1].min() > -0.02


def test_the_standing_person_is_as_tall_as_told_and_faces_ahead() -> None:
    joints = posture(BODY, pose_vector(STAND)[None]).joints[0]
    assert 0.88 * BODY.height_m < joints[JOINT["left_eye"], 1] < 0.97 * BODY.height_m
    assert joints[JOINT["nose"], 2] > joints[JOINT["left_ear"], 2] + 0.05
    assert joints[JOINT["left_shoulder"], 0] > joints[JOINT["right_shoulder"], 0]


def test_feet_do_not_slide_in_a_squat_and_knees_bend() -> None:
    joints = posture(BODY, _repetition("squat")).joints
    middle = (joints[:, JOINT["left_ankle"]] + joints[:, JOINT["right_ankle"]]) / 2
    assert np.ptp(middle[:, 2]) < 0.03
    bend = flexion_rad(joints, "left_hip", "left_knee", "left_ankle")
    assert np.degrees(bend.max()) > 95
    assert np.degrees(bend[0]) < 10


def test_a_mirrored_pose_is_the_mirror_image() -> None:
    pose = np.random.default_rng(2).normal(0.0, 20.0, (5, len(DOFS))) * (np.array(DOFS) != "lift")
    plain, mirror = posture(BODY, pose), posture(BODY, mirrored(pose))
    left, right = plain.at("left_wrist"), mirror.at("right_wrist")
    np.testing.assert_allclose(left * [-1, 1, 1], right, atol=1e-9)
    np.testing.assert_allclose(mirrored(mirrored(pose)), pose)


def test_one_leg_in_the_air_leaves_all_weight_on_the_other() -> None:
    kick = posture(BODY, _repetition("front_kick"))
    highest = int(np.argmax(kick.at("left_ankle")[:, 1]))
    assert kick.support["right"][highest] > 0.99
    assert kick.at("left_ankle")[highest, 1] > 0.5
