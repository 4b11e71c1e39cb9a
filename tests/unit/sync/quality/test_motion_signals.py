"""Motion signals from keypoints with known angles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sync.quality.motion_signals import motion_signals
from tests.present import present
from tests.unit.sync.quality.test_lag_probe import squatter


def test_flexion_and_speed_are_those_of_the_joint() -> None:
    session = squatter(0.0, noise=0.0)
    signals = motion_signals(session, "quadriceps", "left")
    assert set(signals) == {"knee flexion", "knee speed", "hip flexion", "hip speed", "ankle energy"}
    flexion = signals["knee flexion"]
    inside = np.isfinite(signals["knee speed"])
    assert 0.0 <= np.nanmin(flexion) < np.nanmax(flexion) <= np.pi
    assert signals["knee speed"][inside] == pytest.approx(np.abs(np.gradient(flexion, 0.1))[inside], abs=1e-9)


def test_a_speed_is_not_taken_across_the_end_of_a_segment() -> None:
    session = squatter(0.0)
    speed = motion_signals(session, "biceps", "right")["elbow speed"]
    assert np.isnan(speed[[299, 300]]).all()


def test_two_dimensions_serve_where_there_are_no_three() -> None:
    session = squatter(0.0)
    flat = replace(session.aligned, keypoints_2d=present(session.aligned.keypoints_3d)[:, :, 1:], keypoints_3d=None)
    assert np.isfinite(motion_signals(replace(session, aligned=flat), "hamstrings", "left")["knee flexion"]).all()


def test_an_unknown_muscle_is_tried_with_every_joint_of_both_sides() -> None:
    names = set(motion_signals(squatter(0.0), "EMG 1", ""))
    assert {"left knee flexion", "right knee flexion", "left elbow speed"} <= names
