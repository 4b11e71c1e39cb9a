"""The floor carries the body through the foot that is under it, and what is struck pushes back."""

from __future__ import annotations

import numpy as np
import pytest

from acquire.virtual.person.body import STAND, Body, pose_vector, posture
from acquire.virtual.person.dynamics import joint_torques
from acquire.virtual.person.stance import solve

BODY = Body()
DT_S = 0.01


def _torques(pushes: dict[str, tuple[float, float, float]] | None, **values: float) -> dict[str, float]:
    absolute = {name: np.full(5, value) for name, value in {**STAND, **values}.items()}
    pushed = {joint: np.tile(push, (5, 1)) for joint, push in (pushes or {}).items()}
    found = joint_torques(BODY, posture(BODY, solve(absolute, ("left", "right"))), DT_S, pushed)
    return {name: float(torque[1]) for name, torque in found.items()}


def test_the_leg_under_the_body_carries_it() -> None:
    wide = {"left_foot_x": 0.2, "right_foot_x": -0.2, "pelvis_y": -0.25}
    middle, left = _torques(None, **wide), _torques(None, **wide, pelvis_x=0.25)
    assert middle["left_knee"] == pytest.approx(middle["right_knee"], rel=0.02)
    assert left["left_knee"] < 1.5 * middle["left_knee"] < 0.0
    assert abs(left["right_knee"]) < 0.5 * abs(left["left_knee"])


def test_a_push_on_the_fist_loads_elbow_and_shoulder_and_one_on_the_elbow_only_the_shoulder() -> None:
    arm = {"left_shoulder_elevation": 90.0, "left_shoulder_plane": 90.0, "left_elbow": 80.0}
    plain = _torques(None, **arm)
    fist = _torques({"left_wrist": (0.0, 0.0, -50.0)}, **arm)
    elbow = _torques({"left_elbow": (0.0, -50.0, 0.0)}, **arm)
    assert abs(fist["left_elbow"] - plain["left_elbow"]) > 5.0
    assert elbow["left_elbow"] == pytest.approx(plain["left_elbow"])
    assert elbow["left_shoulder"] > plain["left_shoulder"] + 10.0
    assert fist["right_elbow"] == pytest.approx(plain["right_elbow"])


def test_the_hips_extend_to_hold_against_a_push_from_ahead() -> None:
    plain, pushed = _torques(None), _torques({"left_wrist": (0.0, 0.0, -60.0)})
    for side in ("left", "right"):
        assert pushed[f"{side}_hip"] < plain[f"{side}_hip"] - 15.0


def test_torques_grow_with_the_person() -> None:
    pose = np.repeat(pose_vector({**STAND, "left_elbow": 90.0, "left_shoulder_elevation": 0.0})[None], 5, axis=0)
    small, large = (
        joint_torques(body, posture(body, pose), DT_S)["left_elbow"][1]
        for body in (Body(height_m=1.6, mass_kg=55.0), Body(height_m=1.9, mass_kg=95.0))
    )
    assert large == pytest.approx(small * (95.0 / 55.0) * (1.9 / 1.6), rel=1e-6)
