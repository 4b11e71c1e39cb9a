"""Control of a real recording on a fake rig: from the inside, from outside, and what the capture holds of it."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from acquire.assignment import Assigned
from acquire.cli import app
from acquire.protocol.protocol import parse_protocol
from acquire.recording.control_socket import ask, running
from acquire.recording.recorder import Recorder, record
from acquire.recording.take import Take
from acquire.rig.config import parse_rig
from dataset.capture.reader import Capture
from dataset.support.errors import InputError, RefusedError

PLAN = parse_protocol(
    "name='x'\nlead_in_s=0\n[sync]\nclaps=0\nstomps=0\n[[exercises]]\nname='squat'\nseconds=30\n"
    "[[exercises]]\nname='twist'\nseconds=30",
    "x",
)


def until(what: Callable[[], Any], timeout_s: float = 15.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def own_runtime(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))


@pytest.fixture
def make(fakes: Any, tmp_path: Path) -> Iterator[Callable[..., Recorder]]:
    made: list[Recorder] = []

    def make(n: int = 2, **fields: Any) -> Recorder:
        take = replace(Take(protocol=PLAN, out=tmp_path, subject="S1", seed=1), **fields)
        made.append(Recorder(fakes.hardware(fakes.sensors(n)), take))
        return made[-1]

    yield make
    for recorder in made:
        recorder.close()


def test_status_and_marks_from_outside_while_it_waits_records_and_has_ended(make: Callable[..., Recorder]) -> None:
    recorder = make(setup_id="monday")
    recorder.open()
    recorder.wait_ready(20)
    status = ask({"do": "status"})
    assert status["phase"] == "ready" and status["capture"] is None and status["cue"] is None
    with pytest.raises(InputError, match="nothing is being recorded"):
        ask({"do": "mark", "text": "early"})
    folder = recorder.start()
    assert ask({"do": "mark", "text": "left knee hurts"}) == "marked: left knee hurts"
    status = ask({"do": "status"})
    assert json.loads(json.dumps(status, allow_nan=False)) == status
    assert status["phase"] == "recording" and Path(status["capture"]) == folder and status["subject"] == "S1"
    assert [s["channel"] for s in status["sensors"]] == ["left_biceps", "right_biceps"]
    assert all(s["state"] == "streaming" and s["rate_hz"] > 1 for s in status["sensors"])
    assert 0 < status["remaining_s"] <= 62 and status["cue"]["title"] == "Squat"
    until(lambda: recorder._hardware.prompts)  # type: ignore[attr-defined]
    assert recorder.pause() == "pauses after squat"
    recorder.next()
    until(lambda: ask({"do": "status"})["paused"])
    recorder.close()
    assert running() == {}
    with pytest.raises(InputError, match="no recording runs"):
        ask({"do": "status"})
    with Capture.open(folder) as capture:
        assert [(e.label, e.source) for e in capture.events("marker")] == [
            ("left knee hurts", "control"), ("next squat", "control")
        ]  # fmt: skip
        assert [e.kind for e in capture.events("pause_start")] == ["pause_start"]
        assert capture.meta["setup_id"] == "monday"


def test_a_marker_that_is_no_utf8_is_stored_and_the_recording_goes_on(make: Callable[..., Recorder]) -> None:
    """As typed into a Latin-1 terminal, or pasted with an escape sequence."""
    recorder = make(subject_info={"consent_id": "A\x1b[2J\udce9", "height_m": float("nan")}, setup_id="\udcef")
    recorder.open()
    recorder.wait_ready(20)
    folder = recorder.start()
    asked = CliRunner().invoke(app, ["mark", os.fsdecode(b"Kn\xefie\x1b[2J")])
    assert asked.exit_code == 0 and asked.output == "marked: Kn\N{REPLACEMENT CHARACTER}ie\\x1b[2J\n"
    assert ask({"do": "mark", "text": "\ud800 raw \x00"}) == "marked: \N{REPLACEMENT CHARACTER} raw \\x00"
    time.sleep(0.6)  # a commit and a look at the writer
    assert not recorder.finished.is_set()
    assert recorder.mark("after it") == "marked: after it"
    recording = recorder.close()
    assert recording is not None and not any("left out" in note for note in recording.notes)
    with Capture.open(folder) as capture:
        assert capture.closed
        labels = [e.label for e in capture.events("marker")]
        assert labels == ["Kn\N{REPLACEMENT CHARACTER}ie\\x1b[2J", "\N{REPLACEMENT CHARACTER} raw \\x00", "after it"]
        (info,) = [detail for _, _, what, detail in capture.log() if what == "subject"]
        assert info == {"consent_id": "A\\x1b[2J\N{REPLACEMENT CHARACTER}", "height_m": None}


def test_a_row_that_cannot_be_stored_is_noted_and_the_recording_goes_on(make: Callable[..., Recorder]) -> None:
    recorder = make()
    recorder.open()
    recorder.wait_ready(20)
    folder = recorder.start()
    recorder.mark("when", t_ns=2**70)
    until(lambda: any(row.what.startswith("rows cannot be stored") for row in recorder.event_log.recent(20)))
    assert recorder.mark("after it") == "marked: after it"
    recording = recorder.close()
    assert recording is not None
    assert recording.notes[-1] == "rows could not be stored and are left out: 1 of event, 1 of log; see the log"
    with Capture.open(folder) as capture:
        assert [e.label for e in capture.events("marker")] == ["after it"]
        assert [d["table"] for _, _, what, d in capture.log() if what.startswith("rows could not")] == ["event", "log"]
        assert all(len(capture.notifications(s.slot).payload) > 3 for s in capture.sensors)


def test_a_sensor_with_control_characters_in_its_serial_is_bound_and_stored_clean(
    make: Callable[..., Recorder], fakes: Any, tmp_path: Path
) -> None:
    """The rig file names the serial as `rig init` writes it, and as a person would: with a TOML escape."""
    sensors = fakes.sensors(2)
    sensors[0].serial, sensors[1].serial = "M40\x1b[2J\x07", "M40-\x00-2"
    slot = "[[slots]]\nchannel = '{}'\nserial = {}\n"
    text = slot.format("left_biceps", "'M40\\x1b[2J\\x07'") + slot.format("right_biceps", '"M40-\\u0000-2"')
    hardware = fakes.hardware(sensors)
    hardware.sensors = parse_rig(text, "rig").sensors()
    recorder = Recorder(hardware, Take(protocol=PLAN, out=tmp_path, subject="S1", seed=1))
    recorder.open()
    recorder.wait_ready(20)
    folder = recorder.start()
    time.sleep(0.5)
    recorder.close()
    with Capture.open(folder) as capture:
        assert [s.serial for s in capture.sensors] == [r"M40\x1b[2J\x07", r"M40-\x00-2"]
        assert all(len(capture.notifications(s.slot).payload) > 1 for s in capture.sensors)


def test_a_recording_without_its_socket_is_a_recording(
    make: Callable[..., Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_self: Any) -> None:
        raise OSError("no such device")

    monkeypatch.setattr("acquire.recording.control_socket.ControlServer.start", refuse)
    recorder = make()
    recorder.open()
    recorder.wait_ready(20)
    folder = recorder.start()
    recorder.stop()
    recorder.close()
    with Capture.open(folder) as capture:
        assert any(what == "control socket not available" for _, _, what, _ in capture.log())


def test_a_sensor_is_connected_anew_on_request(make: Callable[..., Recorder]) -> None:
    recorder = make()
    recorder.open()
    with pytest.raises(InputError, match="no slot 7"):
        recorder.reconnect(7)
    recorder.wait_ready(20)
    folder = recorder.start()
    until(lambda: recorder.snapshot().sensors[1].health.received > 2)
    assert recorder.reconnect(2) == "slot 2 right_biceps is being reconnected"
    until(lambda: recorder.snapshot().sensors[1].reconnects == 1)
    until(lambda: recorder.snapshot().sensors[1].state == "streaming")
    recorder.close()
    with Capture.open(folder) as capture:
        assert set(capture.notifications(2).epoch.tolist()) == {0, 1}
        assert set(capture.notifications(1).epoch.tolist()) == {0}
        assert [e.label for e in capture.events("marker")] == ["reconnect right_biceps"]
        assert any(what == "reconnection requested" and d["slot"] == 2 for _, _, what, d in capture.log())


def test_one_that_is_not_connected_cannot_be_connected_anew(make: Callable[..., Recorder], fakes: Any) -> None:
    recorder = make()
    recorder._hardware.air.sensors[1].switched_on = False  # type: ignore[attr-defined]
    recorder.open()
    until(lambda: len(recorder.missing()) == 1)
    with pytest.raises(InputError, match="slot 2 right_biceps is not connected"):
        recorder.reconnect(2)


def test_assigned_sensors_are_stored_on_their_muscles_and_carried_to_the_next_take(
    make: Callable[..., Recorder],
) -> None:
    recorder = make(3)
    with pytest.raises(InputError, match="cannot be assigned now"):
        recorder.assigning.flex("left_biceps")
    recorder.open()
    recorder.wait_ready(20)
    with pytest.raises(InputError, match="the rig has no left_calf"):
        recorder.assigning.flex("left_calf")
    recorder.assigning.bind(
        {
            "left_biceps": Assigned(slot=2, margin=1.0, why=""),
            "right_biceps": Assigned(slot=3, margin=0.9, why=""),
        }
    )
    bound = recorder.sensors
    assert [(s.slot, s.channel) for s in bound] == [(1, "left_triceps"), (2, "left_biceps"), (3, "right_biceps")]
    folder = recorder.start()
    with pytest.raises(InputError, match="cannot be assigned now"):
        recorder.assigning.rest()
    until(lambda: recorder.snapshot().elapsed_s > 0.3)
    recorder.close()
    with Capture.open(folder) as capture:
        assert [(s.slot, s.channel, s.muscle, s.side) for s in capture.sensors] == [
            (1, "left_triceps", "triceps", "left"), (2, "left_biceps", "biceps", "left"),
            (3, "right_biceps", "biceps", "right"),
        ]  # fmt: skip
        assert {s.serial for s in capture.sensors} == {"SN001", "SN002", "SN003"}
        (row,) = [d for _, _, what, d in capture.log() if what == "sensors assigned by flexing"]
        assert row["slots"] == {"left_biceps": 2, "right_biceps": 3} and len(row["moved"]) == 3
        health = capture.manifest["health"]["sensors"]
        assert {c: h["slot"] for c, h in health.items()} == {"left_triceps": 1, "left_biceps": 2, "right_biceps": 3}
    again = make(3, sensors=bound)
    again.open()
    again.wait_ready(20)
    assert [replace(s, name="") for s in again.sensors] == [replace(s, name="") for s in bound]


def test_flexing_tells_the_person_and_can_be_ended_early(make: Callable[..., Recorder]) -> None:
    recorder, stop = make(3), threading.Event()
    recorder.open()
    recorder.wait_ready(20)
    told: list[tuple[str, float]] = []

    def tell(channel: str, seconds: float) -> None:
        told.append((channel, seconds))
        if channel == "right_biceps":
            stop.set()

    answers = recorder.assigning.run(rest_s=0.05, flex_s=0.1, stop=stop, on_prompt=tell)
    assert [c for c, _ in told] == ["", "left_biceps", "", "right_biceps"]
    assert list(answers) == ["left_biceps", "right_biceps"]
    heard = recorder._hardware.prompts  # type: ignore[attr-defined]
    assert [(p.kind, p.label) for p, _ in heard] == [
        (f"contract_{end}", channel) for channel in ("left_biceps", "right_biceps") for end in ("start", "stop")
    ]
    assert all("half as hard" in p.text for p, _ in heard if p.kind == "contract_start")


def test_sensors_that_answer_alike_are_refused_before_anything_is_written(
    fakes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """These sensors count upwards, all the same, whatever is flexed."""
    monkeypatch.setattr("acquire.recording.assignment_procedure.REST_S", 1.5)
    monkeypatch.setattr("acquire.recording.assignment_procedure.FLEX_S", 1.0)
    hardware, told = fakes.hardware(fakes.sensors(2)), []
    take = Take(protocol=PLAN, out=tmp_path, subject="S1", seed=1)
    with pytest.raises(RefusedError, match="the sensors are not assigned") as caught:
        record(hardware, take, ask_to_flex=lambda channel, _seconds: told.append(channel))
    assert told == ["", "left_biceps", "", "right_biceps"] and caught.value.exit_code == 3
    assert caught.value.hint
    assert not list(tmp_path.iterdir()) and hardware.radio_open == 0


def test_answers_are_kept_beyond_the_sensors_own_traces(
    make: Callable[..., Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trace of a second: what was flexed before it is still there, once and in order."""
    monkeypatch.setattr(
        "acquire.quality.sensor_health.TRACE_S", 0.0
    )  # then a trace is a hundred values, two seconds here
    recorder = make(2)
    recorder.open()
    recorder.wait_ready(20)
    assigning = recorder.assigning
    assigning.run(["left_biceps"], rest_s=0.6, flex_s=0.6)
    assigning.run(["right_biceps"], rest_s=0.6, flex_s=0.6, afresh=False)
    assigning.run(["left_biceps"], rest_s=0.6, flex_s=0.6, afresh=False)
    assert list(assigning.answers()) == ["left_biceps", "right_biceps"]
    heard = assigning._heard[1]
    assert len(heard.value) > 120 and len(heard.value) == len(heard.arrival_ns)
    assert all(b > a for a, b in zip(heard.arrival_ns[:-1], heard.arrival_ns[1:], strict=True))
    assert all((b - a) % 1024 == 1 for a, b in zip(heard.value[:-1], heard.value[1:], strict=True))
