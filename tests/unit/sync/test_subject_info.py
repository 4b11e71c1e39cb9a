"""What was typed of the person while recording reaches the session's subject."""

from __future__ import annotations

from pathlib import Path

from dataset.capture.reader import Capture
from dataset.capture.types import Sensor
from dataset.capture.writer import CaptureHeader, CaptureWriter
from sync.build_session import _subject_info


def test_what_was_typed_is_kept_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "sub-S1" / "ses-20260101T120000"
    folder.mkdir(parents=True)
    slots = (Sensor(slot=1, channel="left_biceps", muscle="biceps", side="left"),)
    writer = CaptureWriter(folder, subject="S1", sensors=slots, header=CaptureHeader(setup_id="a1b2"))
    writer.log("info", "subject", {"height_m": 1.75, "handedness": "left", "consent_id": "C7", "shoe_size": 43})
    writer.close()
    with Capture.open(folder) as capture:
        assert _subject_info(capture) == {
            "setup_id": "a1b2", "height_m": 1.75, "handedness": "left", "consent_id": "C7"
        }  # fmt: skip
