"""Cameras that freeze, lose frames, change their rate or disappear, on the virtual rig in real time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acquire.maintenance.recover import verify
from acquire.protocol.protocol import parse_protocol
from acquire.recording.recorder import record
from acquire.recording.take import Snapshot, Take
from acquire.virtual.faults import Faults
from acquire.virtual.rig import VirtualHardware, VirtualRigOptions
from dataset.capture.reader import Capture
from dataset.capture.types import Frames
from dataset.media.video import frame_pts_ns
from dataset.support import clock

pytestmark = pytest.mark.slow

PLAN = """
name = "short"
lead_in_s = 1.0
[sync]
claps = 1
stomps = 0
[[exercises]]
name = "squat"
seconds = 10
"""


@dataclass
class Made:
    """A finished recording and when the mischief began."""

    frames: Frames
    log: list[tuple[int, str, str, dict[str, Any]]]
    camera: dict[str, Any]
    mischief_ns: int
    pts_ms: np.ndarray

    def said(self, what: str) -> list[tuple[int, dict[str, Any]]]:
        return [(at_ns, detail) for at_ns, _, words, detail in self.log if words == what]


def film(out: Path, seed: int, faults: Faults, mischief: Callable[[VirtualHardware], None], duration_s: float) -> Made:
    hardware = VirtualHardware(seed, "S1", VirtualRigOptions(faults=faults))
    began_ns: list[int] = []

    def disturb() -> None:
        began_ns.append(clock.now_ns())
        mischief(hardware)

    timer = threading.Timer(5.0, disturb)

    def start_once(snapshot: Snapshot) -> None:
        if snapshot.phase == "recording" and timer.ident is None:
            timer.start()

    plan = parse_protocol(PLAN, "short")
    made = record(
        hardware, Take(protocol=plan, out=out, subject="S1", seed=seed, duration_s=duration_s), on_progress=start_once
    )
    timer.join()
    assert made is not None and verify(made.folder) == ()
    with Capture.open(made.folder) as capture:
        health = capture.manifest["health"]
        assert all(h["received"] > 0.95 * h["expected"] for h in health["sensors"].values()), "the sensors went on"
        return Made(
            capture.frames(), capture.log(), health["camera"], began_ns[0],
            frame_pts_ns(made.folder / "video.mkv") // 1_000_000,
        )  # fmt: skip


def check_table(made: Made) -> None:
    """PTS and arrivals agree to 1 ms, and the file holds the frames that the table says."""
    frames = made.frames
    written = frames.pts_ns >= 0
    since_ns = frames.arrival_ns - frames.arrival_ns[0]
    assert np.abs(frames.pts_ns - since_ns)[written].max() <= 1_000_000
    assert np.array_equal(np.sort(frames.pts_ns[written]) // 1_000_000, made.pts_ms)
    assert made.camera["written"] == np.count_nonzero(written)
    assert made.camera["dropped"] == np.count_nonzero(~written)
    assert sum(e["frames"] for e in made.camera["epochs"]) == len(written)


def test_a_freeze_of_five_seconds_is_noticed_within_two_and_told_exactly(tmp_path: Path) -> None:
    made = film(tmp_path, 31, Faults(dropped_frame_share=0.0), lambda rig: rig.freeze_camera(5.0), 20)
    check_table(made)
    ((silent_ns, _),) = made.said("the camera is silent; opening it again")
    assert (silent_ns - made.mischief_ns) * 1e-9 < 2.0
    ((back_ns, detail),) = made.said("the camera is back")
    assert detail == {"epoch": 1}
    gaps_s = np.diff(made.frames.arrival_ns) * 1e-9
    at = int(np.argmax(gaps_s))
    assert gaps_s[at] == pytest.approx(5.0, abs=0.3)
    assert made.frames.epoch[: at + 1].max() == 0 and made.frames.epoch[at + 1 :].min() == 1
    assert back_ns == made.frames.arrival_ns[at + 1]


def test_lost_frames_are_counted_and_a_new_rate_is_told(tmp_path: Path) -> None:
    made = film(tmp_path, 32, Faults(dropped_frame_share=0.05), lambda rig: rig.set_camera_rate(15.0), 24)
    check_table(made)
    ((at_ns, detail),) = made.said("the camera's rate changed")
    assert (detail["before_hz"], detail["after_hz"]) == (pytest.approx(30, abs=2), pytest.approx(15, abs=1.5))
    assert 0 < (at_ns - made.mischief_ns) * 1e-9 < 4
    (epoch,) = made.camera["epochs"]
    total = epoch["frames"] + epoch["missed"]
    assert epoch["missed"] / total > 0.02
    # Against what the arrivals themselves say: whole frames between neighbours, at the rate of the time.
    period_s = np.where(made.frames.arrival_ns[1:] < made.mischief_ns + 50_000_000, 1 / 30, 1 / 15)
    between = np.round(np.diff(made.frames.arrival_ns) * 1e-9 / period_s) - 1
    assert epoch["missed"] == pytest.approx(between.sum(), abs=5), "a few about the change cannot be told"


def test_a_camera_that_disappears_comes_back_as_a_new_epoch(tmp_path: Path) -> None:
    made = film(tmp_path, 33, Faults(dropped_frame_share=0.0), lambda rig: rig.unplug_camera(4.0), 18)
    check_table(made)
    ((lost_ns, _),) = made.said("the camera delivers no frames; opening it again")
    assert (lost_ns - made.mischief_ns) * 1e-9 < 2.0
    assert [e["epoch"] for e in made.camera["epochs"]] == [0, 1]
    gap_s = np.diff(made.frames.arrival_ns).max() * 1e-9
    assert 4.0 <= gap_s < 6.5
