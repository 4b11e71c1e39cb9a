"""What a recording's own stamps say."""

from __future__ import annotations

import numpy as np

from sync.recording_types import FrameStamps


def stamps(behind_s: np.ndarray) -> FrameStamps:
    pts_s = np.arange(len(behind_s)) / 30.0
    pts_s[40] = np.nan
    return FrameStamps(
        arrival_s=12.0 + np.arange(len(behind_s)) / 30.0 + behind_s,
        pts_s=pts_s,
        epoch=np.zeros(len(behind_s), dtype=np.int64),
    )


def test_frames_are_dated_by_their_arrival_or_otherwise() -> None:
    rng = np.random.default_rng(0)
    assert stamps(rng.uniform(0.0, 0.001, 300)).dated_by_arrival
    assert not stamps(rng.gamma(1.5, 0.004, 300)).dated_by_arrival


def test_without_a_frame_in_the_file_nothing_dates_them() -> None:
    one = np.array([1.0])
    assert not FrameStamps(arrival_s=one, pts_s=np.array([np.nan]), epoch=np.zeros(1, dtype=np.int64)).dated_by_arrival
