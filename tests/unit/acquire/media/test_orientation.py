"""Pictures made upright and unmirrored, to the pixel, and so stored."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquire.media.orientation import Orientation
from acquire.media.video_writer import VideoFormat, VideoWriter
from tests.unit.native import refuse_strided


@given(st.sampled_from([0, 90, 180, 270]), st.booleans())
def test_the_top_left_corner_goes_where_the_turn_takes_it(rotation_deg: int, mirrored: bool) -> None:
    turn = Orientation(rotation_deg=rotation_deg, mirrored=mirrored)
    image = np.zeros((4, 6, 3), dtype=np.uint8)
    image[0, -1 if mirrored else 0] = 255
    out = turn(image)
    corner = {0: (0, 0), 90: (0, -1), 180: (-1, -1), 270: (-1, 0)}[rotation_deg]
    assert out[corner].tolist() == [255] * 3
    assert out.sum() == image.sum()
    assert (out.shape[1], out.shape[0]) == turn.size(6, 4)


@pytest.mark.parametrize("rotation_deg", [0, 90])
def test_the_file_is_upright(tmp_path: Path, rotation_deg: int) -> None:
    turn = Orientation(rotation_deg=rotation_deg, mirrored=True)
    image = np.zeros((48, 64, 3), dtype=np.uint8)
    image[:24, 32:] = 255  # a mirroring camera shows the upper left at the upper right
    with VideoWriter(
        tmp_path / "v.mkv", VideoFormat(width=64, height=48, nominal_hz=30, sound_rate_hz=None, turn=turn)
    ) as writer:
        for k in range(3):
            writer.write_frame(image, k * 33_000_000)
    with av.open(str(tmp_path / "v.mkv")) as file:
        shown = next(file.decode(video=0)).to_ndarray(format="gray").astype(int)
    assert shown.shape == ((48, 64) if rotation_deg == 0 else (64, 48))
    height, width = shown.shape
    quarter = shown[: height // 2, : width // 2] if rotation_deg == 0 else shown[: height // 2, width // 2 :]
    assert quarter.mean() > 220 and shown.sum() < 1.3 * quarter.sum()


@pytest.mark.parametrize("rotation_deg", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_any_view_is_turned_like_its_copy_and_without_gaps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rotation_deg: int, mirrored: bool
) -> None:
    refuse_strided(monkeypatch)
    turn = Orientation(rotation_deg=rotation_deg, mirrored=mirrored)
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    if turn == Orientation():
        assert turn(noise) is noise
    for k, view in enumerate((noise[:, 3:67], noise[::-1], noise[:, ::-1], noise.transpose(1, 0, 2))):
        turned = turn(view)
        assert turned.flags.c_contiguous
        np.testing.assert_array_equal(turned, turn(view.copy()))
        content = []
        for name, image in (("view", view), ("copy", view.copy())):
            path = tmp_path / f"{k}.{name}.mkv"
            stored = VideoFormat(width=view.shape[1], height=view.shape[0], nominal_hz=30, turn=turn)
            with VideoWriter(path, stored) as writer:
                writer.write_frame(image, 0)
            with av.open(str(path)) as container:
                content.append(next(container.decode(video=0)).to_ndarray(format="bgr24"))
        np.testing.assert_array_equal(content[0], content[1])
