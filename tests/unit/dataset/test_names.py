"""Muscles, exercises and joints have the names that everything else relies on."""

from __future__ import annotations

import numpy as np
import pytest

from dataset.exercises import PAPER_EXERCISES, canonical_exercise, exercise_title
from dataset.muscles import CONTACT_OF_MUSCLE, MIA_CHANNELS, PAPER_CHANNELS, channel_from_name, in_order_of_the_body
from dataset.pose.skeleton import BODY_25, JOINT, LIMBS, flexion_rad


def test_the_paper_has_eight_channels_and_twenty_exercises() -> None:
    assert len({c.name for c in PAPER_CHANNELS}) == 8
    assert len(set(PAPER_EXERCISES)) == 20
    assert {c.muscle for c in (*PAPER_CHANNELS, *MIA_CHANNELS)} <= set(CONTACT_OF_MUSCLE)


@pytest.mark.parametrize(
    ("given", "stored"),
    [("Squat", "squat"), ("squats", "squat"), ("HookPunch", "hook_punch"), ("Hook punch ", "hook_punch"),
     ("LegCross", "feet_cross"), ("my own-move", "my_own_move")],
)  # fmt: skip
def test_exercises_have_one_spelling(given: str, stored: str) -> None:
    assert canonical_exercise(given) == stored
    assert canonical_exercise(stored) == stored
    assert exercise_title("hook_punch") == "Hook punch"


def test_channel_names_go_both_ways() -> None:
    for channel in PAPER_CHANNELS:
        assert channel_from_name(channel.name) == channel
    assert channel_from_name("trapezius").side == ""
    assert PAPER_CHANNELS[0].label == "L biceps"


def test_body_25_is_whole() -> None:
    assert len(BODY_25) == len(JOINT) == 25
    assert {i for limb in LIMBS for i in limb} == set(range(25))


def test_flexion_is_zero_when_straight_and_a_right_angle_when_bent() -> None:
    pose = np.full((2, 25, 3), np.nan)
    pose[:, JOINT["left_hip"]] = (0, 0, 0)
    pose[:, JOINT["left_knee"]] = (0, 1, 0)
    pose[0, JOINT["left_ankle"]] = (0, 2, 0)
    pose[1, JOINT["left_ankle"]] = (0, 1, 1)
    flexion = flexion_rad(pose, "left_hip", "left_knee", "left_ankle")
    np.testing.assert_allclose(flexion, [0, np.pi / 2], atol=1e-7)
    assert np.isnan(flexion_rad(pose, "right_hip", "right_knee", "right_ankle")).all()


def test_channels_stand_in_the_papers_order_whichever_sensor_has_them() -> None:
    names = [c.name for c in PAPER_CHANNELS]
    assert list(in_order_of_the_body(reversed(names))) == names
    assert in_order_of_the_body(["emg2", "left_triceps", "emg1", "left_biceps"]) == (
        "left_biceps", "left_triceps", "emg2", "emg1"
    )  # fmt: skip
