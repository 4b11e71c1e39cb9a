"""A sensor with a profile of one's own that runs at another rate than it states: the advice is about the rate."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from dataset.capture.types import Sensor
from dataset.capture.writer import CaptureWriter
from dataset.muscles import PAPER_CHANNELS
from dataset.sensors.profile import builtin_profiles, own_profile
from sync.options import SyncOptions
from sync.pipeline import run_capture
from sync.quality.advice import Cause

SECONDS = 60


@pytest.mark.parametrize(("stated_hz", "wrong"), [(12.5, True), (10.0, False)])
def test_a_rate_that_is_not_the_profiles_is_what_the_advice_is_about(
    stated_hz: float, wrong: bool, tmp_path: Path
) -> None:
    path = tmp_path / "own.toml"
    text = builtin_profiles()["anr-m40"].text.replace('name = "anr-m40"', 'name = "own-board"')
    path.write_text(text.replace("rate_hz = 10.0", f"rate_hz = {stated_hz}"))
    profile = own_profile(path)
    folder = tmp_path / "sub-S01" / "ses-20260101T100000"
    folder.mkdir(parents=True)
    sensors = [
        Sensor(slot=i, channel=c.name, muscle=c.muscle, side=c.side, address=f"A{i}", profile=profile)
        for i, c in enumerate(PAPER_CHANNELS, start=1)
    ]
    rng = np.random.default_rng(3)
    writer = CaptureWriter(folder, subject="S01", sensors=sensors)
    for sensor in sensors:
        for i in range(10 * SECONDS):
            arrival_ns = int(1e9 * (1.0 + i / 10 + rng.exponential(0.01)))
            value = struct.pack("<H", int(rng.integers(20, 60)))
            writer.notification(sensor.slot, 0, profile.stream.characteristic, arrival_ns, value)
    writer.close()
    result = run_capture(folder, tmp_path / "out", SyncOptions(pose=False))
    assert {channel: result.advice[channel].cause is Cause.RATE for channel in result.streams} == dict.fromkeys(
        (c.name for c in PAPER_CHANNELS), wrong
    )
