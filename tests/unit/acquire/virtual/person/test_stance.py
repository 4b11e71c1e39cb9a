"""A planted foot is where it is told to be, however the body moves above it."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from acquire.virtual.person.body import DOF, STAND, Posture, pose_vector, posture
from acquire.virtual.person.motions import base_offset, repetition_offset
from acquire.virtual.person.stance import MODEL, solve

STANDING = posture(MODEL, pose_vector(STAND)[None])


def _solved(planted: tuple[str, ...], **values: float) -> Posture:
    absolute = {name: np.array([value]) for name, value in {**STAND, **values}.items()}
    return posture(MODEL, solve(absolute, planted))


@settings(deadline=None)
@given(
    st.floats(-0.15, 0.15), st.floats(-0.25, -0.03), st.floats(-0.1, 0.1), st.floats(-35.0, 35.0), st.floats(0.0, 40.0)
)
def test_both_feet_stay_where_the_body_goes_turns_and_leans(
    x: float, y: float, z: float, turn: float, lean: float
) -> None:
    body = _solved(("left", "right"), pelvis_x=x, pelvis_y=y, pelvis_z=z, turn=turn, lean=lean)
    for side in ("left", "right"):
        for point in ("ankle", "heel", "big_toe"):
            np.testing.assert_allclose(
                body.at(f"{side}_{point}"), STANDING.at(f"{side}_{point}"), atol=0.003, err_msg=f"{side} {point}"
            )
    moved = body.at("mid_hip")[0] - STANDING.at("mid_hip")[0]
    np.testing.assert_allclose(moved, [x, y, z], atol=0.02)


def test_a_foot_goes_where_it_is_told_and_the_other_stays() -> None:
    body = _solved(("left", "right"), left_foot_x=0.4, left_foot_z=0.1, pelvis_x=0.2, pelvis_y=-0.15)
    moved = body.at("left_ankle")[0] - STANDING.at("left_ankle")[0]
    np.testing.assert_allclose(moved, [0.4, 0.0, 0.1], atol=0.004)
    np.testing.assert_allclose(body.at("right_ankle"), STANDING.at("right_ankle"), atol=0.004)


def test_a_raised_heel_leaves_the_ball_on_the_floor() -> None:
    body = _solved(("left", "right"), left_foot_pitch=-30.0, pelvis_y=-0.05)
    assert body.at("left_heel")[0, 1] > 0.06
    assert abs(body.at("left_big_toe")[0, 1]) < 0.02


def test_a_pelvis_too_high_comes_down_until_the_legs_reach() -> None:
    wide = _solved(("left", "right"), left_foot_x=0.3, right_foot_x=-0.3)
    assert wide.at("mid_hip")[0, 1] < STANDING.at("mid_hip")[0, 1] - 0.05
    np.testing.assert_allclose(wide.at("left_ankle")[0, 1], STANDING.at("left_ankle")[0, 1], atol=0.004)


def test_the_foot_that_stays_does_not_slide_in_a_lunge_or_under_the_skater() -> None:
    phase = np.linspace(0.0, 1.0, 80)
    for name in ("side_lunge", "skater", "knee_kick", "leg_back"):
        offset = repetition_offset(name, phase, mirror=np.zeros(80, dtype=bool), amplitude=np.ones(80))
        toe = posture(MODEL, pose_vector(STAND) + base_offset(name) + offset).at("right_big_toe")
        assert np.ptp(toe[:, [0, 2]], axis=0).max() < 0.02, name


def test_what_is_not_planted_keeps_its_angles() -> None:
    pose = solve({name: np.array([value]) for name, value in {**STAND, "left_knee": 70.0}.items()}, ("right",))
    assert pose[0, DOF["left_knee"]] == 70.0
