"""A film is decoded once: what the grid will want of it is foreseen, and what was foreseen wrongly is made up for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acquire.protocol.protocol import parse_protocol
from acquire.virtual.simulate import simulate
from acquire.virtual.simulate_options import SimulateOptions
from dataset.capture.reader import Capture
from dataset.media import video_pass
from dataset.pose import extract_pose
from dataset.session.types import Pose, Session
from sync import build_session, read_capture
from sync.fit.pose_frames import PoseFramePlan, WorthPredicting, predict_pose_frames
from sync.pipeline import run_capture
from tests.present import present
from tests.short_protocol import PROTOCOL


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short simulated recording."""
    return simulate(
        tmp_path_factory.mktemp("captures"),
        SimulateOptions(subject="F1", minutes=None, seed=21, protocol=(parse_protocol(PROTOCOL, "short"), PROTOCOL)),
    )


LONG = WorthPredicting(shortest_s=10.0, most=1.0)
predict = partial(predict_pose_frames, worth=LONG)


@pytest.fixture(scope="module")
def as_in_a_long_recording() -> Iterator[None]:
    """Read in several stretches, and the flashes, which fill much of a short one, taken for a small part of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(video_pass, "STRETCH_S", 5.0)
        patch.setattr(read_capture, "predict_pose_frames", predict)
        yield


@contextmanager
def counting() -> Iterator[list[int]]:
    """Yield how many frames are looked at in a pass of their own, call by call."""
    counts = []

    def counted(video: Path, **how: Any) -> Pose:
        counts.append(len(how["frame_indices"]))
        return extract_pose(video, **how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build_session, "extract_pose", counted)
        yield counts


@pytest.fixture(scope="module")
def at_once(capture: Path, as_in_a_long_recording: None, tmp_path_factory: pytest.TempPathFactory) -> Session:
    """The session whose keypoints were found while the film was read for its flashes."""
    with counting() as looked_at_later:
        session = run_capture(capture, tmp_path_factory.mktemp("sessions")).session
    assert sum(looked_at_later) < 0.03 * len(present(session.pose).frame_index)
    return session


@pytest.mark.parametrize("wrong_by", [None, 1])
def test_what_was_not_foreseen_is_looked_at_later(
    capture: Path, tmp_path: Path, at_once: Session, monkeypatch: pytest.MonkeyPatch, wrong_by: int | None
) -> None:
    def blind(*args: Any) -> PoseFramePlan | None:
        ahead = predict(*args)
        assert ahead is not None
        return replace(ahead, frames=ahead.frames[:-1] + wrong_by) if wrong_by else None

    monkeypatch.setattr(read_capture, "predict_pose_frames", blind)
    with counting() as looked_at_later:
        later = run_capture(capture, tmp_path).session
    assert sum(looked_at_later) > 0.9 * len(present(later.pose).frame_index)
    # Of two frames about as near to a grid time the one seen already is taken.
    other = present(later.pose).frame_index - present(at_once.pose).frame_index
    assert np.abs(other).max() <= 1
    assert np.mean(other != 0) < 0.05
    np.testing.assert_array_equal(later.aligned.frame_index, at_once.aligned.frame_index)
    mine, theirs = (present(s.aligned.keypoints_2d) for s in (at_once, later))
    np.testing.assert_array_equal(np.isnan(mine), np.isnan(theirs))
    # The network's tracker began elsewhere.
    assert np.nanmedian(np.abs(mine - theirs)) < 0.5


def test_a_damaged_frame_does_not_shift_what_was_foreseen(
    capture: Path, tmp_path: Path, at_once: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_one_more(*args: Any) -> PoseFramePlan:
        ahead = predict(*args)
        assert ahead is not None
        damaged = 100
        extra_ns = (ahead.file_pts_ns[damaged - 1] + ahead.file_pts_ns[damaged]) // 2
        return PoseFramePlan(
            frames=np.where(ahead.frames >= damaged, ahead.frames + 1, ahead.frames),
            file_pts_ns=np.insert(ahead.file_pts_ns, damaged, extra_ns),
        )

    monkeypatch.setattr(read_capture, "predict_pose_frames", with_one_more)
    with counting() as looked_at_later:
        session = run_capture(capture, tmp_path).session
    assert sum(looked_at_later) < 0.03 * len(present(session.pose).frame_index)
    np.testing.assert_array_equal(present(session.pose).frame_index, present(at_once.pose).frame_index)
    mine, theirs = (present(present(s.pose).keypoints_2d) for s in (session, at_once))
    np.testing.assert_allclose(mine, theirs, atol=1e-3)


def test_nothing_is_foreseen_without_flashes_or_where_they_are_elsewhere(capture: Path) -> None:
    with Capture.open(capture) as opened:
        zero_ns, sensors = read_capture._read_sensors(opened)
        stamps = present(read_capture._frame_stamps(opened, zero_ns))
        flashes = read_capture._host_flashes(opened, zero_ns)
        video = present(opened.video_path)
    none = np.zeros(0)
    assert predict(video, stamps, flashes, sensors, 1) is not None
    assert predict(video, stamps, replace(flashes, light_s=none, sd_s=none), sensors, 1) is None
    assert predict(video, stamps, replace(flashes, light_s=flashes.light_s + 1e4), sensors, 1) is None
    rng = np.random.default_rng(0)
    random = np.sort(flashes.light_s + rng.uniform(-1, 1, len(flashes.light_s)))
    assert predict(video, stamps, replace(flashes, light_s=random), sensors, 1) is None
    # A phone's frames are dated by the phone.
    phone = replace(stamps, pts_s=stamps.pts_s * 1.001 + 5.0)
    assert predict(video, phone, flashes, sensors, 1) is None
    # Where the flashes fill the film, or it is short, nothing would be gained.
    for worth in (replace(LONG, shortest_s=120.0), replace(LONG, most=0.1)):
        assert predict_pose_frames(video, stamps, flashes, sensors, 1, worth) is None
