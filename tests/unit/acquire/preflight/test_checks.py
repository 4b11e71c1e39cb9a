"""The preflight's lines: healthy is green, and a red line says what to do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from acquire.preflight.body_in_view import body_view
from acquire.preflight.checks import BodyView, preflight, ready_to_go
from acquire.quality.disk import DiskStatus
from acquire.recording.take import Snapshot
from dataset.pose.skeleton import JOINT
from tests.unit.acquire.screen import frozen

WHOLE = BodyView()


def changed(name: str, **fields: Any) -> Snapshot:
    snapshot = frozen.snapshot("ready")
    if name == "sensor":
        return replace(snapshot, sensors=(frozen.sensor(1, **fields), *snapshot.sensors[1:]))
    if name == "camera":
        assert snapshot.camera is not None
        return replace(snapshot, camera=replace(snapshot.camera, **fields))
    if name == "sound":
        assert snapshot.sound is not None
        return replace(snapshot, sound=replace(snapshot.sound, **fields))
    return replace(snapshot, **fields)


def disk(minutes_left: float) -> DiskStatus:
    return DiskStatus(free_bytes=1, bytes_per_s=1, minutes_left=minutes_left)


def test_a_healthy_rig_is_ready() -> None:
    checks = preflight(frozen.snapshot("ready"), WHOLE)
    assert ready_to_go(checks) and all(c.level == "ok" and not c.do for c in checks)


@pytest.mark.parametrize(
    ("snapshot", "body", "line", "level", "do"),
    [
        (changed("sensor", state="scanning", value=None), WHOLE, "Sensors", "wait", "switch on M40-0001"),
        (changed("sensor", state="stale"), WHOLE, "Sensors", "bad", "off and on"),
        (changed("sensor", state="lost"), WHOLE, "Sensors", "bad", "move it closer"),
        (changed("sensor", rate_hz=7.0), WHOLE, "Sensors", "bad", "7.0 of 10"),
        (changed("sensor", battery_percent=9), WHOLE, "Batteries", "bad", "charge L biceps"),
        (changed("", disk=disk(minutes_left=1.0)), WHOLE, "Disk", "bad", "free"),
        (changed("", disk=disk(minutes_left=9.0)), WHOLE, "Disk", "warning", "take"),
        (changed("camera", state="lost"), WHOLE, "Camera", "bad", "cable"),
        (changed("", camera=None), WHOLE, "Camera", "warning", "mia-record attach"),
        (changed("", sound=None), WHOLE, "Sound", "warning", "delay"),
        (changed("sound", level_db=-90.0), WHOLE, "Sound", "warning", "clap"),
        (changed("", box=False), WHOLE, "Flash", "warning", "film this screen"),
        (changed(""), None, "Whole body", "wait", ""),
        (changed(""), BodyView(nobody=True), "Whole body", "bad", "step in front"),
        (changed(""), BodyView(missing=("left foot",)), "Whole body", "bad", "step back"),
        (changed(""), BodyView(unavailable="libgl1 is missing"), "Whole body", "warning", "libgl1"),
    ],
)  # fmt: skip
def test_each_trouble_has_its_line(snapshot: Snapshot, body: BodyView | None, line: str, level: str, do: str) -> None:
    checks = {c.name: c for c in preflight(snapshot, body)}
    assert checks[line].level == level and do in checks[line].do
    assert all(
        c.level == "ok"
        for name, c in checks.items()
        if name != line and not (line == "Camera" and name == "Whole body")
    )
    assert ready_to_go(tuple(checks.values())) is (level == "warning")


@pytest.mark.parametrize("phase", ["closed", "opening"])
def test_what_may_still_open_is_no_warning(phase: str) -> None:
    nothing: dict[str, Any] = {"camera": None, "sound": None, "box": False, "disk": None}
    sensors = tuple(frozen.sensor(n, state="scanning", value=None, battery_percent=None) for n in (1, 2))
    checks = {c.name: c for c in preflight(replace(frozen.snapshot(phase), sensors=sensors, **nothing), None)}
    assert {name: c.found for name, c in checks.items() if name not in ("Sensors", "Clock")} == dict.fromkeys(
        ("Batteries", "Disk", "Camera", "Whole body", "Sound", "Flash"), "opening"
    )
    assert {c.level for name, c in checks.items() if name != "Clock"} == {"wait"}


def test_a_microphone_that_has_sent_nothing_is_opening() -> None:
    (sound,) = [c for c in preflight(changed("sound", level_db=-120.0, blocks=0), WHOLE) if c.name == "Sound"]
    assert (sound.level, sound.found) == ("wait", "opening")


def test_a_body_is_whole_when_head_hands_and_feet_are_in_the_picture() -> None:
    points, sure = np.full((25, 2), 100.0), np.ones(25)
    assert body_view(points, sure, 640, 480) == BodyView()
    points[JOINT["left_ankle"]] = (300.0, 485.0)
    points[JOINT["nose"]] = np.nan
    sure[JOINT["right_wrist"]] = 0.1
    assert body_view(points, sure, 640, 480) == BodyView(missing=("head", "right hand", "left foot"))
