"""The pose network finds people, keeps left and right, and says who it is."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from dataset.media.video import iter_frames
from dataset.pose import extract, extract_pose
from dataset.pose.body25 import to_body25
from dataset.pose.landmarker import PoseLandmarker
from dataset.pose.model_file import pose_model
from dataset.pose.skeleton import JOINT
from dataset.pose.tracker import PoseCollector, of_frames
from dataset.session.types import Pose
from dataset.support.errors import InputError, MissingDependencyError


def test_landmarks_become_body_25() -> None:
    landmarks = np.arange(33.0)[:, None] * [1.0, 10.0]
    body = to_body25(landmarks)
    assert body.shape == (25, 2)
    assert body[JOINT["nose"]].tolist() == [0, 0]
    assert body[JOINT["left_wrist"]].tolist() == [15, 150]
    assert body[JOINT["right_knee"]].tolist() == [26, 260]
    assert body[JOINT["neck"]].tolist() == [11.5, 115]
    assert body[JOINT["mid_hip"]].tolist() == [23.5, 235]


def test_tables_are_joined_in_the_frames_order_and_hold_what_is_wanted() -> None:
    def table(*frames: int) -> Pose:
        index = np.array(frames)
        flat = np.broadcast_to(index[:, None, None], (len(frames), 25, 2)).astype(np.float64)
        return Pose(
            keypoints_2d=flat, keypoints_3d=None, confidence=flat[:, :, 0], frame_index=index, backend="test",
            model_sha256="",
        )  # fmt: skip

    joined = of_frames(np.array([2, 3, 5, 8, 9]), table(1, 3, 8), table(2, 5, 6))
    assert joined.frame_index.tolist() == [2, 3, 5, 8]
    assert joined.keypoints_2d is not None
    assert joined.keypoints_2d[:, 7, 1].tolist() == [2, 3, 5, 8]
    assert joined.confidence[:, 24].tolist() == [2, 3, 5, 8]
    assert len(of_frames(np.array([4]), table(1)).frame_index) == 0


def test_a_given_model_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no pose model"):
        pose_model(tmp_path / "x.task")


def test_a_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.task"
    path.write_bytes(b"nothing")
    with pytest.raises(MissingDependencyError, match="no pose network"):
        PoseLandmarker(path)


def test_nobody_in_an_empty_room() -> None:
    with PoseLandmarker() as landmarker:
        assert landmarker.find(np.full((240, 320, 3), 127, dtype=np.uint8)) is None


@pytest.mark.realdata
def test_a_person_is_found_upright_with_the_left_on_the_left(shared_data: Path) -> None:
    pose = extract_pose(shared_data / "video/mrpose/squat.mp4", frame_indices=np.arange(90, 110))
    assert pose.frame_index.tolist() == list(range(90, 110))
    assert pose.keypoints_2d is not None
    assert pose.keypoints_3d is not None
    found = ~np.isnan(pose.keypoints_2d[:, 0, 0])
    assert found.mean() > 0.9
    body = pose.keypoints_3d[found]
    # y points down: the head is above the hips, the feet below
    assert (body[:, JOINT["nose"], 1] < body[:, JOINT["mid_hip"], 1]).all()
    assert (body[:, JOINT["left_heel"], 1] > body[:, JOINT["mid_hip"], 1]).all()
    # seen from the front, the subject's left is on the picture's right
    x_shoulders = pose.keypoints_2d[found][:, [JOINT["left_shoulder"], JOINT["right_shoulder"]], 0]
    facing = np.sign(x_shoulders[:, 0] - x_shoulders[:, 1])
    assert abs(facing.sum()) == found.sum()
    assert pose.backend.startswith("mediapipe")
    assert len(pose.model_sha256) == 64


@pytest.mark.realdata
def test_the_keypoints_do_not_depend_on_how_many_work(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extract, "_STRETCH", 10)
    clip, wanted = shared_data / "video/mrpose/squat.mp4", np.arange(60, 140, 2)
    alone, together = (extract_pose(clip, frame_indices=wanted, workers=n) for n in (1, 3))
    assert alone.frame_index.tolist() == together.frame_index.tolist() == wanted.tolist()
    assert alone.keypoints_2d is not None
    assert np.isfinite(alone.keypoints_2d).all(axis=(1, 2)).mean() > 0.9
    np.testing.assert_array_equal(alone.keypoints_2d, together.keypoints_2d)
    np.testing.assert_allclose(alone.confidence, together.confidence, atol=1e-4)


@pytest.mark.realdata
def test_after_a_while_the_person_may_be_anywhere(shared_data: Path) -> None:
    frame = next(iter_frames(shared_data / "video/mrpose/squat.mp4", indices=np.array([60]), rgb=True)).image
    height, width = frame.shape[:2]
    small = np.full_like(frame, 127)
    small[height // 2 :, width // 2 :] = cv2.resize(frame, (width - width // 2, height - height // 2))
    with PoseCollector(np.arange(2), np.array([0, 2_000_000_000])) as collector:
        tracked = collector.stretch()
        tracked.look(0, frame)
        tracked.look(1, small)
        found = collector.pose()
    with PoseLandmarker() as landmarker:
        alone = landmarker.find(small, rgb=True)
    assert alone is not None
    assert found.keypoints_2d is not None
    assert found.frame_index.tolist() == [0, 1]
    np.testing.assert_allclose(found.keypoints_2d[1], alone.keypoints_2d, atol=0.5)


def test_a_cache_that_an_earlier_version_filled_serves_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(path: Path) -> None:
        raise MissingDependencyError("the pose network cannot be had", "no connection")

    monkeypatch.setenv("MIA_CACHE", str(tmp_path))
    with pytest.raises(MissingDependencyError, match="cannot be had"):
        pose_model(build=cut_off)
    (tmp_path / "pose_landmarker_full.task").write_bytes(b"network")
    assert pose_model(build=cut_off) == tmp_path / "pose_landmarker_full.task"


@pytest.mark.slow
@pytest.mark.realdata
def test_without_the_layers_of_a_mask_keypoints_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_data: Path
) -> None:
    frames = [f.image for f in iter_frames(shared_data / "video/mrpose/squat.mp4", indices=np.arange(60, 90, 3))]

    def bodies(cache: Path) -> list[NDArray[np.float64]]:
        monkeypatch.setenv("MIA_CACHE", str(cache))
        with PoseLandmarker() as landmarker:
            found = [landmarker.find(frame) for frame in frames]
        return [np.column_stack([b.keypoints_2d, b.keypoints_3d, b.confidence]) for b in found if b is not None]

    try:
        without = bodies(tmp_path / "without")
        monkeypatch.setattr("dataset.pose.model_file._leave_out_mask", lambda model: None)
        whole = bodies(tmp_path / "whole")
    except MissingDependencyError as error:
        pytest.skip(f"the networks cannot be fetched again: {error.why}")
    sizes = [(tmp_path / name / "pose_landmarker_full_no_mask.task").stat().st_size for name in ("whole", "without")]
    assert sizes[0] > sizes[1]
    assert len(without) == len(whole) == len(frames)
    np.testing.assert_array_equal(without, whole)


@pytest.mark.realdata
def test_a_picture_is_the_same_in_either_order_of_colours(shared_data: Path) -> None:
    clip, wanted = shared_data / "video/mrpose/squat.mp4", np.array([60])
    bgr, rgb = (next(iter_frames(clip, indices=wanted, rgb=rgb)).image for rgb in (False, True))
    np.testing.assert_array_equal(bgr, rgb[..., ::-1])
    with PoseLandmarker() as one, PoseLandmarker() as other:
        found = one.find(bgr), other.find(rgb, rgb=True)
    assert found[0] is not None
    assert found[1] is not None
    np.testing.assert_array_equal(found[0].keypoints_2d, found[1].keypoints_2d)


@pytest.mark.realdata
def test_keypoints_do_not_lag_the_motion(shared_data: Path) -> None:
    frame = next(iter_frames(shared_data / "video/mrpose/squat.mp4", indices=np.array([100]))).image
    moved = np.roll(frame, 40, axis=1)
    with PoseLandmarker() as landmarker:
        still = [landmarker.find(frame) for k in range(6)][-1]
        after = landmarker.find(moved)
    assert still is not None
    assert after is not None
    trunk = [JOINT[name] for name in ("left_shoulder", "right_shoulder", "left_hip", "right_hip")]
    shift = (after.keypoints_2d - still.keypoints_2d)[trunk, 0].mean()
    assert shift == pytest.approx(40.0, abs=3.0)


@pytest.mark.realdata
def test_confidence_falls_as_soon_as_a_limb_is_hidden(shared_data: Path) -> None:
    frame = next(iter_frames(shared_data / "video/mrpose/squat.mp4", indices=np.array([60]))).image
    hidden = frame.copy()
    hidden[420:] = 0
    with PoseLandmarker() as landmarker:
        before = [landmarker.find(frame) for k in range(5)][-1]
        after = landmarker.find(hidden)
        landmarker.forget()
        again = landmarker.find(frame)
    assert before is not None
    assert after is not None
    assert again is not None
    ankles = [JOINT["left_ankle"], JOINT["right_ankle"]]
    assert before.confidence[ankles].min() > 0.8
    assert after.confidence[ankles].max() < 0.1
    assert again.confidence[ankles] == pytest.approx(before.confidence[ankles], abs=0.05)
