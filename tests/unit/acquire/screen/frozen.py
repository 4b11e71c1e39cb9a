"""A recorder that stands still: the same snapshot for ever, so that a screen can be compared with a file."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from textual.app import App

from acquire.bluetooth.status import SensorStatus
from acquire.event_log import LogRow
from acquire.media.camera import CameraStatus
from acquire.media.microphone import SoundStatus
from acquire.protocol.cues import Cue
from acquire.quality.disk import DiskStatus
from acquire.quality.sensor_health import LiveHealth
from acquire.recording.take import Recording, Snapshot
from dataset.capture.types import Sensor
from dataset.muscles import PAPER_CHANNELS
from dataset.support import clock


def screen_text(app: App[Any]) -> str:
    """Return what the terminal shows, without colours."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips) + "\n"


def screen_svg(app: App[Any]) -> str:
    """Return what the terminal shows as an SVG, which names no font of another host and is the same each time."""
    svg = app.export_screenshot(simplify=True)
    svg = re.sub(r"@font-face {.*?}\s*", "", svg, flags=re.DOTALL)
    return re.sub(r"terminal-\d+", "terminal", svg)


def sensor(slot: int, **fields: Any) -> SensorStatus:
    """Return a sensor that streams a hump, its own height each."""
    channel = PAPER_CHANNELS[slot - 1]
    hump = 40.0 * slot + 300.0 * np.exp(-(((np.arange(100) - 55.0) / 12.0) ** 2))
    health = LiveHealth(
        received=420, expected=424, rate_hz=9.9, largest_gap_s=0.21, silent_s=0.05,
        value=float(hump[-1]), malformed=0, trace=tuple(hump.tolist()),
    )  # fmt: skip
    status = SensorStatus(
        sensor=Sensor(
            slot=slot, channel=channel.name, muscle=channel.muscle, side=channel.side, serial=f"M40-000{slot}"
        ),
        state="streaming", reconnects=0, battery_percent=80, health=health, rssi_dbm=-55,
    )  # fmt: skip
    of_health = {k: fields.pop(k) for k in tuple(fields) if k in LiveHealth.__dataclass_fields__}
    return replace(status, health=replace(health, **of_health), **fields)


def sensors_in_trouble() -> tuple[SensorStatus, ...]:
    """Return eight sensors: healthy ones, and one of each trouble."""
    return (
        sensor(1),
        sensor(2, state="stale", silent_s=2.0),
        sensor(3, state="lost", silent_s=9.0),
        sensor(4, state="reconnecting", silent_s=14.0),
        sensor(5, received=300, expected=424, rate_hz=7.0),
        sensor(6, trace=(500.0, 900.0, 1023.0, 1023.0, 1000.0), value=1000.0),
        sensor(7, battery_percent=9),
        sensor(8, state="scanning", value=None, received=0, expected=0, trace=(), silent_s=float("inf"), rate_hz=0.0),
    )


def snapshot(phase: str = "recording", **fields: Any) -> Snapshot:
    """Return a snapshot 42 s into a recording, or before one."""
    recording = phase == "recording"
    now_ns = clock.now_ns()
    rows = (
        LogRow(t_ns=now_ns - 42_000_000_000, level="info", what="recording", detail={}),
        LogRow(t_ns=now_ns - 30_000_000_000, level="info", what="values came late", detail={"channel": "left_biceps"}),
        LogRow(t_ns=now_ns - 20_000_000_000, level="event", what="exercise_start", detail={"label": "squat"}),
        LogRow(t_ns=now_ns - 2_000_000_000, level="warning", what="stale", detail={"channel": "right_biceps"}),
        LogRow(t_ns=now_ns - 1_000_000_000, level="event", what="flash", detail={}),
    )
    cue = Cue(
        kind="exercise", title="Squat", text="Squat, slowly down and up", left_s=12.0, next_title="Jumping jack",
        repetition=3, repetitions=8,
    )  # fmt: skip
    values: dict[str, Any] = {
        "phase": phase, "rig": "virtual", "subject": "S01", "folder": Path("captures/sub-S01/ses-20260131T120000"),
        "elapsed_s": 42.0 if recording else 0.0, "remaining_s": 78.0, "cue": cue if recording else None,
        "sensors": tuple(map(sensor, range(1, 9))),
        "camera": CameraStatus(state="running", width=640, height=480, rate_hz=29.9, written=1255, dropped=0),
        "sound": SoundStatus(level_db=-30.0, rate_hz=48000, blocks=2100), "box": True,
        "disk": DiskStatus(free_bytes=10**11, bytes_per_s=3e5, minutes_left=500.0), "rows": rows,
    }  # fmt: skip
    return Snapshot(**{**values, **fields})


def recording() -> Recording:
    """Return what a recording left, one sensor of it not well heard."""
    good = {"expected": 1200, "received": 1199, "largest_gap_s": 0.21, "reconnects": 0}
    health: dict[str, Any] = {c.name: dict(good) for c in PAPER_CHANNELS}
    health["right_biceps"] |= {"received": 1010, "largest_gap_s": 6.4, "reconnects": 1}
    return Recording(
        folder=Path("captures/sub-S01/ses-20260131T120000"), subject="S01", seed=3, duration_s=120.0,
        counts={"frame": 3600}, frames_dropped=2, health=health, notes=("no LED box: the terminal flashes",),
    )  # fmt: skip


@dataclass
class FrozenRecorder:
    """Everything a screen asks a recorder for; what it is told to do, it notes."""

    now: Snapshot
    muscle: str = ""
    asked: list[str] = field(default_factory=list)
    finished: threading.Event = field(default_factory=threading.Event)
    flasher: object = None
    sensors: tuple[Sensor, ...] = ()

    def snapshot(self) -> Snapshot:
        return self.now

    def missing(self) -> tuple[SensorStatus, ...]:
        return ()

    def picture(self) -> np.ndarray[Any, Any]:
        return np.full((48, 64, 3), 128, dtype=np.uint8)

    def calibrating(self) -> str:
        return self.muscle

    def calibrate(self, on: bool) -> None:
        self.asked.append(f"calibrate {on}")

    def open(self) -> None:
        self.asked.append("open")

    def start(self) -> None:
        self.asked.append("start")

    def close(self) -> None:
        self.asked.append("close")

    def mark(self, text: str, t_ns: int) -> str:
        self.asked.append(f"mark {text}")
        return text

    def __getattr__(self, name: str) -> Any:
        if name not in ("next", "skip", "redo", "pause", "resume", "flash", "clap_cue", "reconnect"):
            raise AttributeError(name)

        def note(*args: int) -> str:
            self.asked.append(" ".join([name, *map(str, args)]))
            return name

        return note
