"""What a recording's own stamps say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sync import recording
from sync.arrivals import sensor_clock
from sync.parts import FrameStamps


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


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="this system does not list open files")
def test_a_sensor_that_lost_its_link_often_takes_no_more_files():
    n_epochs, n = 400, 30
    epoch = np.repeat(np.arange(n_epochs), n)
    arrival_s = 0.1 * np.arange(n_epochs * n) + 5.0 * epoch
    clock = sensor_clock(arrival_s, epoch, 10.0)
    before = len(list(Path("/proc/self/fd").iterdir()))
    light = recording._lightened(clock)
    assert len(list(Path("/proc/self/fd").iterdir())) - before < 5
    for name in ("time_s", "run", "lateness_s"):
        np.testing.assert_array_equal(getattr(light, name), getattr(clock, name))
    for e, of_light in zip(clock.epochs, light.epochs, strict=True):
        np.testing.assert_array_equal(of_light.index, e.index)
        np.testing.assert_array_equal(of_light.time_s, e.time_s)
        np.testing.assert_array_equal(of_light.lateness_s, e.lateness_s)
