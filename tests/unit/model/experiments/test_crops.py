from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dataset.session.file import read_session
from dataset.windows import Windows, windows_from_sessions
from model.experiments.crops import cropped, joined, offsets

Maker = Callable[..., Path]


@pytest.fixture
def windows(make_session: Maker) -> Windows:
    return windows_from_sessions([read_session(make_session())], stride=5)


@pytest.mark.parametrize("length", [1, 5, 7, 10, 20, 25, 29, 30])
def test_crops_put_together_are_the_windows_they_were_cut_from(windows: Windows, length: int) -> None:
    crops, which = cropped(windows, length)
    assert crops.length == length
    assert np.array_equal(joined(crops.emg, which, windows.length), windows.emg)
    place = set(zip(crops.recording.tolist(), crops.start_frame.tolist(), strict=True))
    assert len(place) == len(crops)  # the same frames once
    assert {crops.exercise[k] for row in which for k in row} == set(windows.exercise)
    for i, row in enumerate(which):
        for k, offset in zip(row, offsets(30, length), strict=True):
            assert np.array_equal(crops.keypoints[k], windows.keypoints[i, offset : offset + length])
            assert crops.exercise[k] == windows.exercise[i]


def test_every_frame_is_covered() -> None:
    for whole in range(1, 40):
        for length in range(1, whole + 1):
            at = offsets(whole, length)
            assert {frame for a in at for frame in range(a, a + length)} == set(range(whole))
