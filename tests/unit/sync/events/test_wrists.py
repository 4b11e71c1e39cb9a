"""Wrists that meet, against known times."""

from __future__ import annotations

import numpy as np
import pytest

from dataset.pose.skeleton import JOINT
from dataset.support.arrays import FloatArray
from sync.events.wrists import detect_wrist_contacts


def clapper(
    seed: int, *, hz: float = 30.0, n_dims: int = 2, mirrored: bool = False, rest: bool = False, noise: float = 0.01
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Somebody who claps at irregular times; hands meet, stay for a moment, and part."""
    rng = np.random.default_rng(seed)
    t = np.arange(0.0, 24.0, 1 / hz) + rng.uniform(-0.002, 0.002, int(24 * hz))
    claps = 2.0 + np.cumsum(rng.uniform(0.9, 2.2, 10))
    claps = claps[claps < 22]
    away = np.full(len(t), 1.6)
    for at in claps:
        swing = np.abs(t - at) / rng.uniform(0.18, 0.3)
        away = np.minimum(away, 0.12 + 1.48 * np.clip(swing, 0, 1))
    if rest:
        away = 0.15 + 0.02 * np.sin(t)
    keypoints = np.zeros((len(t), 25, n_dims))
    scale = (-200.0 if mirrored else 200.0) if n_dims == 2 else 0.4
    keypoints[:, JOINT["left_shoulder"], 0], keypoints[:, JOINT["right_shoulder"], 0] = 0.5 * scale, -0.5 * scale
    keypoints[:, JOINT["left_wrist"], 0], keypoints[:, JOINT["right_wrist"], 0] = (
        0.5 * scale * away,
        -0.5 * scale * away,
    )
    keypoints += noise * abs(scale) * rng.normal(0, 1, keypoints.shape)
    return t, keypoints, claps


@pytest.mark.parametrize("n_dims", [2, 3])
@pytest.mark.parametrize("mirrored", [False, True])
def test_each_clap_is_seen_within_a_frame_and_none_invented(n_dims: int, mirrored: bool) -> None:
    for seed in range(6):
        t, keypoints, claps = clapper(seed, n_dims=n_dims, mirrored=mirrored)
        found = detect_wrist_contacts(t, keypoints)
        assert len(found) == len(claps)
        error = np.array([f.time_s for f in found]) - claps
        assert np.max(np.abs(error)) < 1 / 30
        assert np.mean(np.abs(error) <= [f.uncertainty_s for f in found]) > 0.9


def test_hands_that_rest_together_do_not_clap() -> None:
    t, keypoints, _ = clapper(1, rest=True)
    assert detect_wrist_contacts(t, keypoints) == ()


def test_frames_without_wrists_are_passed_over() -> None:
    t, keypoints, claps = clapper(2)
    gone = np.abs(t - claps[3]) < 0.2
    keypoints[gone, JOINT["left_wrist"]] = np.nan
    confidence = np.ones((len(t), 25))
    confidence[np.abs(t - claps[5]) < 0.2, JOINT["right_wrist"]] = 0.1
    found = np.array([f.time_s for f in detect_wrist_contacts(t, keypoints, confidence)])
    assert len(found) == len(claps) - 2
    assert np.min(np.abs(found - claps[3])) > 0.3
    assert np.min(np.abs(found - claps[5])) > 0.3


def test_nobody_in_the_picture_gives_nothing() -> None:
    assert detect_wrist_contacts(np.arange(30) / 30, np.full((30, 25, 2), np.nan)) == ()
