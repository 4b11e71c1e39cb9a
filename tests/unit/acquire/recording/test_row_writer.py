"""One writer of rows: what it stores, and that a recorded and a simulated capture have rows of the same shapes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from acquire.event_log import EventLog
from acquire.ledbox.clock_sync import Exchange
from acquire.ledbox.flasher import Flash, box_flash
from acquire.protocol.protocol import parse_protocol
from acquire.protocol.schedule import Prompt
from acquire.recording.recorder import record
from acquire.recording.row_writer import RowWriter
from acquire.recording.take import Take
from acquire.virtual.simulate import simulate
from acquire.virtual.simulate_options import SimulateOptions
from dataset.capture.reader import Capture
from dataset.capture.types import Sensor
from dataset.capture.writer import CaptureWriter

PROTOCOL = """
name = "one"
lead_in_s = 0.1
rest_s = 0.1
[sync]
claps = 1
stomps = 0
[[exercises]]
name = "squat"
seconds = 0.4
"""


def shapes(capture: Capture) -> dict[str, Any]:
    """Return the kinds of rows in a capture, with what is stored beside each, but no values."""
    begun_and_ended = [row for row in capture.log() if row[2] in ("recording", "stopped")]
    return {
        "events": {(e.kind, e.source, tuple(sorted(e.detail))) for e in capture.events()},
        "labels": {(e.kind, e.label) for e in capture.events()},
        "dated": {(e.kind, e.uncertainty_ns > 0) for e in capture.events()},
        "log": {(level, what, tuple(sorted(detail))) for _, level, what, detail in begun_and_ended},
        "lines": {(source, payload.split()[0]) for source, _, payload in capture.serial_lines()},
        "health": {tuple(sorted(one)) for one in capture.manifest["health"]["sensors"].values()},
        "manifest": set(capture.manifest["health"]),
    }


def test_a_recorded_and_a_simulated_capture_have_rows_of_the_same_shapes(
    fakes: Any, box_twin: Callable[..., Any], tmp_path: Path
) -> None:
    plan, stop = parse_protocol(PROTOCOL, "one"), threading.Event()

    def stop_after_the_exercise(snapshot: Any) -> None:
        if any(row.what == "exercise_stop" for row in snapshot.rows):
            stop.set()

    hardware = fakes.hardware(fakes.sensors(2), port=box_twin().port)
    take = Take(protocol=plan, out=tmp_path / "recorded", subject="S1", seed=1)
    recording = record(hardware, take, stop=stop, on_progress=stop_after_the_exercise)
    assert recording is not None
    simulated = simulate(
        tmp_path / "simulated", SimulateOptions(subject="S1", minutes=None, seed=1, protocol=(plan, ""), film=None)
    )
    with Capture.open(recording.folder) as real, Capture.open(simulated) as virtual:
        wanted, found = shapes(real), shapes(virtual)
        # The box is greeted before there is a capture to write to; the simulation writes the greeting's reply too.
        wanted["lines"] |= {("led-box", b"ID")}
        assert {kind for kind, _, _ in wanted["events"]} == {
            "sync_start", "clap_cue", "flash", "sync_stop", "exercise_start", "exercise_stop"
        }  # fmt: skip
        assert found == wanted


@pytest.fixture
def rows(tmp_path: Path) -> tuple[RowWriter, EventLog, Path]:
    event_log = EventLog()
    sensor = Sensor(slot=1, channel="left_biceps", muscle="biceps", side="left")
    writer = CaptureWriter(tmp_path, subject="S1", sensors=[sensor])
    event_log.attach(writer)
    return RowWriter(writer, event_log), event_log, tmp_path


def test_every_row_is_stored_as_it_is_given(rows: tuple[RowWriter, EventLog, Path]) -> None:
    writer, event_log, folder = rows
    writer.subject({})
    writer.subject({"height_m": 1.7})
    writer.begun(10, seed=4, duration_s=1.23456)
    writer.clock_anchor(11, 22)
    writer.prompt(Prompt(at_s=0.0, kind="exercise_start", label="squat"), 20, detail={"attempt": 2})
    writer.prompt(Prompt(at_s=0.0, kind="clap_cue"), 30, requested=True)
    writer.flash(Flash(t_ns=40, uncertainty_ns=5, detail={"number": 3}), "lamp")
    writer.flash(Flash(t_ns=41, uncertainty_ns=5, detail={"number": 4}), "lamp", requested=True)
    writer.flash(None, "lamp")
    writer.marker(50, "redo", "squat", "redo squat")
    writer.pause_begun(60)
    writer.pause_ended(61)
    writer.pause_begun(62)
    writer.pause_ended(63, cut_short=True)
    writer.trigger(70, 9)
    writer.box_line(80, b"PONG 1 5")
    writer.ended(90)
    writer.close({"left_biceps": {"slot": 1}}, {"written": 2}, disk_full="full")
    with Capture.open(folder) as capture:
        events = sorted(capture.events(), key=lambda e: e.t_ns)
        assert [(e.t_ns, e.kind, e.label, e.source, e.uncertainty_ns, e.detail) for e in events] == [
            (20, "exercise_start", "squat", "schedule", 0, {"attempt": 2}),
            (30, "clap_cue", "", "control", 0, {}),
            (40, "flash", "", "lamp", 5, {"number": 3}),
            (41, "flash", "", "lamp", 5, {"number": 4, "asked": True}),
            (50, "marker", "redo squat", "control", 0, {"asked": "redo"}),
            (60, "pause_start", "", "control", 0, {}),
            (61, "pause_stop", "", "control", 0, {}),
            (62, "pause_start", "", "control", 0, {}),
            (63, "pause_stop", "", "control", 0, {"cut_short": True}),
            (70, "trigger", "", "led-box", 9, {}),
        ]
        log = [(level, what, detail) for _, level, what, detail in capture.log()]
        assert sorted(log, key=str) == sorted(
            [
                ("info", "subject", {"height_m": 1.7}),
                ("info", "recording", {"seed": 4, "duration_s": 1.235}),
                ("warning", "no flash was made", {"source": "lamp"}),
                ("info", "redo", {"label": "squat"}),
                ("info", "paused", {}), ("info", "resumed", {}), ("info", "paused", {}),
                ("info", "stopped", {}),
            ],
            key=str,
        )  # fmt: skip
        assert list(capture.serial_lines()) == [("led-box", 80, b"PONG 1 5")]
        health = capture.manifest["health"]
        assert health == {"sensors": {"left_biceps": {"slot": 1}}, "camera": {"written": 2}, "disk_full": "full"}
    shown = [(row.what, row.t_ns) for row in event_log.recent(99) if row.level == "event"]
    assert shown == [("exercise_start", 20), ("clap_cue", 30), ("flash", 40), ("flash", 41), ("trigger", 70)]


def test_a_flash_of_the_box_lies_within_its_exchange() -> None:
    slow = Exchange(sent_ns=0, received_ns=8_000_000, box_us=4_000)
    quick = [Exchange(sent_ns=t, received_ns=t + 200_000, box_us=t // 1000 + 9_000) for t in (10**8, 10**8 + 10**6)]
    flash = box_flash([slow, *quick], slow, number=7, duration_ms=80)
    assert slow.sent_ns <= flash.t_ns <= slow.received_ns
    assert flash.detail == {"number": 7, "box_us": 4_000, "duration_ms": 80, "half_trip_ns": 4_000_000}
