"""Motion signals against a body whose angles are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from dataset.session.types import Session
from sync.quality.motion_signals import motion_signals
from tests.present import present

Make = Callable[..., Session]


@pytest.fixture
def session(moving_session: Make) -> Session:
    return moving_session(0.0, duration_s=20.0)


@pytest.fixture
def bent(session: Session, body: Callable[..., np.ndarray]) -> Callable[[np.ndarray], Session]:
    """Return what makes a session with the knees bent as told."""
    return lambda knee: replace(session, aligned=replace(session.aligned, keypoints_3d=body(knee, 0 * knee)))


def test_flexion_is_the_angle_and_speed_its_change(session: Session, bent: Make) -> None:
    knee = 0.2 + 0.05 * np.arange(len(session.aligned.time_s)) / 10
    signals = motion_signals(bent(knee), "quadriceps", "left")
    np.testing.assert_allclose(signals["knee flexion"], knee, atol=1e-9)
    np.testing.assert_allclose(signals["knee speed"][1:-1], 0.05, atol=1e-9)
    assert np.isnan(signals["knee speed"][[0, -1]]).all()


def test_energy_is_the_square_of_the_speed_against_the_hips(session: Session, bent: Make) -> None:
    knee = 0.2 + 0.05 * np.arange(len(session.aligned.time_s)) / 10
    still = bent(knee)
    walking = present(still.aligned.keypoints_3d) + np.arange(len(knee))[:, None, None] * 0.03
    walked = replace(still, aligned=replace(still.aligned, keypoints_3d=walking))
    one, other = (motion_signals(s, "quadriceps", "left")["ankle energy"] for s in (still, walked))
    np.testing.assert_allclose(one[1:-1], (0.9 * np.sin(knee / 2) * 0.5 * 0.05)[1:-1] ** 2, rtol=1e-3)
    np.testing.assert_allclose(one, other, atol=1e-9)


def test_nothing_is_differenced_across_segments(session: Session) -> None:
    segment = np.arange(len(session.aligned.time_s)) // 30
    cut = replace(session, aligned=replace(session.aligned, segment=segment))
    speed = motion_signals(cut, "biceps", "right")["elbow speed"][:180].reshape(-1, 30)
    assert np.isnan(speed[:, [0, -1]]).all()
    assert np.isfinite(speed[:, 1:-1]).all()


def test_a_side_is_the_channels_own_and_none_is_both(session: Session) -> None:
    lost = present(session.aligned.keypoints_3d).copy()
    lost[:, 13] = np.nan  # left knee
    half = replace(session, aligned=replace(session.aligned, keypoints_3d=lost))
    assert np.isnan(motion_signals(half, "quadriceps", "left")["knee flexion"]).all()
    assert np.isfinite(motion_signals(half, "quadriceps", "right")["knee flexion"]).all()
    unknown = motion_signals(half, "tibialis", "")
    assert {"left knee flexion", "right knee flexion", "left elbow speed"} <= set(unknown)


def test_3d_is_preferred_2d_will_do_and_none_gives_nothing(session: Session, moving_session: Make) -> None:
    flat = moving_session(0.0, duration_s=20.0, flat=True)
    assert np.isfinite(motion_signals(flat, "quadriceps", "left")["knee flexion"]).all()
    both = replace(session, aligned=replace(session.aligned, keypoints_2d=np.full((200, 25, 2), np.nan)))
    assert np.isfinite(motion_signals(both, "quadriceps", "left")["knee flexion"]).all()
    none = replace(session, aligned=replace(session.aligned, keypoints_3d=None))
    assert motion_signals(none, "quadriceps", "left") == {}
