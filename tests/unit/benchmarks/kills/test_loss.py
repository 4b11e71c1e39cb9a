"""The measure of a kill's loss, on captures whose loss is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from acquire.media.video_writer import VideoFormat, VideoWriter
from acquire.virtual.devices.sent import SentLog, read_sent
from benchmarks.kills.loss import measure_loss
from dataset.capture.types import Sensor
from dataset.capture.writer import CaptureWriter, new_capture_folder

BEGAN_NS, MS = 5_000_000_000, 1_000_000
KILLED_NS = BEGAN_NS + 2_000 * MS


def killed(tmp_path: Path, *, n_values: int, n_frames: int, skip: int = -1, prompt_ms: int = 700) -> Path:
    """Store the first of 20 values (100 ms apart) and of 60 frames (33 ms apart) of two seconds, and log all."""
    sent = tmp_path / "sent"
    sent.mkdir()
    folder = new_capture_folder(tmp_path, "S1", "20260101T000000")
    writer = CaptureWriter(folder, subject="S1", sensors=[Sensor(slot=1, channel="a", muscle="a", side="left")])
    sensors, camera = SentLog(sent / "sensors"), SentLog(sent / "camera")
    sensors.note("value", 1, BEGAN_NS - 40 * MS)  # before the recording
    for k in range(20):
        sensors.note("value", 1, BEGAN_NS + (50 + 100 * k) * MS)
        if k < n_values and k != skip:
            writer.notification(1, 0, "u", BEGAN_NS + (51 + 100 * k) * MS, bytes(2))
    sensors.note("value", 1, KILLED_NS + 50 * MS)
    for at_ms in (300, prompt_ms):
        sensors.note("prompt", "clap_cue", BEGAN_NS + at_ms * MS)
    writer.event(BEGAN_NS + 300 * MS, "clap_cue", source="schedule")
    picture = np.zeros((48, 64, 3), dtype=np.uint8)
    with VideoWriter(
        folder / "video.mkv", VideoFormat(width=64, height=48, nominal_hz=30, sound_rate_hz=None)
    ) as video:
        for k in range(60):
            camera.note("frame", BEGAN_NS + 33 * k * MS)
            if k < n_frames:
                video.write_frame(picture, 33 * k * MS)
                writer.frame(0, k, BEGAN_NS + (33 * k + 1) * MS, 33 * k * MS)
    writer._queue.put(None)
    writer._thread.join()
    return folder


@pytest.mark.parametrize(
    ("n_values", "n_frames", "sensor_s", "picture_s"),
    [(20, 60, 0.0, 0.0), (18, 58, 0.15, 2.0 - 0.033 * 58), (10, 1, 0.95, 2.0 - 0.033), (0, 30, 1.95, 2.0 - 0.99)],
)
def test_what_was_sent_and_is_not_stored_is_lost(
    tmp_path: Path, n_values: int, n_frames: int, sensor_s: float, picture_s: float
) -> None:
    folder = killed(tmp_path, n_values=n_values, n_frames=n_frames, prompt_ms=1600)
    loss = measure_loss(folder, tmp_path / "sent", BEGAN_NS, KILLED_NS)
    assert loss.sensors_s == pytest.approx((sensor_s,), abs=1e-9)
    assert loss.picture_s == pytest.approx(picture_s, abs=1e-9) == loss.frame_rows_s
    assert (loss.holes, loss.events_lost, loss.integrity, loss.closed, loss.mismatches) == (0, 0, "ok", False, 0)


def test_a_hole_and_an_old_event_that_is_missing_are_counted(tmp_path: Path) -> None:
    folder = killed(tmp_path, n_values=20, n_frames=60, skip=7)
    loss = measure_loss(folder, tmp_path / "sent", BEGAN_NS, KILLED_NS)
    assert (loss.holes, loss.events_lost) == (1, 1) and loss.sensors_s == (0.0,)


def test_a_log_that_was_never_begun_is_empty(tmp_path: Path) -> None:
    SentLog(None).note("value", 1)
    assert read_sent(tmp_path / "none") == []
