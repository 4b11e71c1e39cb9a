"""A recording end to end on a fake rig."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from acquire.maintenance.recover import recover
from acquire.protocol.protocol import parse_protocol
from acquire.recording.recorder import Recorder, record
from acquire.recording.take import Take
from dataset.capture.reader import Capture
from dataset.capture.writer import CaptureWriter
from dataset.support.errors import CaptureError, HardwareError, InputError

SHORT = """
name = "short"
lead_in_s = 0.2
rest_s = 0.1
[sync]
claps = 2
stomps = 1
shortest_gap_s = 0.2
longest_gap_s = 0.3
[[exercises]]
name = "squat"
seconds = 0.6
"""
PLAN = parse_protocol(SHORT, "short")


def take(out: Path, **fields: Any) -> Take:
    """Return what the tests record."""
    return replace(Take(protocol=PLAN, out=out, subject="S1", seed=1), **fields)


def test_a_whole_recording_ends_in_a_closed_capture(
    fakes: Any, box_twin: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("acquire.protocol.schedule.SETTLE_S", 0.2)
    twin, sensors = box_twin(), fakes.sensors(3)
    hardware = fakes.hardware(sensors, camera=fakes.camera(50), microphone=fakes.microphone(), port=twin.port)
    phases: list[str] = []
    made = record(
        hardware,
        take(tmp_path, seed=7, protocol_toml=SHORT, rig_toml="name='fake'"),
        on_progress=lambda s: phases.append(s.phase),
    )
    assert made is not None
    assert "recording" in phases
    assert hardware.finished_with == [made.folder] and hardware.radio_open == 0 and hardware.camera.released
    assert made.folder.parent == tmp_path / "sub-S1"
    with Capture.open(made.folder) as capture:
        assert capture.meta["sync_seed"] == "7" and capture.meta["protocol_toml"] == SHORT
        assert [s.serial for s in capture.sensors] == ["SN001", "SN002", "SN003"]
        for sensor in capture.sensors:
            sent = next(s.sent for s in sensors if s.address == sensor.address)
            got = list(capture.notifications(sensor.slot).payload)
            at = sent.index(got[0])
            assert len(got) > 50 and got == sent[at : at + len(got)]
            assert made.health[sensor.channel]["received"] == len(got)
        kinds = [e.kind for e in capture.events()]
        assert [kinds.count(k) for k in ("clap_cue", "stomp_cue", "flash", "exercise_start")] == [4, 2, 6, 1]
        flashes = capture.events("flash")
        error_ms = (np.array([e.t_ns for e in flashes]) - twin.flashes_host_ns) * 1e-6
        assert np.max(np.abs(error_ms)) < 10 and {e.source for e in flashes} == {"led-box"}
        assert all(e.uncertainty_ns > 0 for e in flashes)
        prompted = {host_ns for prompt, host_ns in hardware.prompts if prompt.kind != "flash"}
        assert {e.t_ns for e in capture.events() if e.source == "schedule"} == prompted
        assert len(capture.clock_anchors()) >= 2
        assert len(capture.serial_lines()) > 6
        frames, blocks = capture.frames(), capture.audio_blocks()
        assert len(frames.pts_ns) > 50 and frames.pts_ns[0] == 0
        assert blocks.first_sample[0] == 0 and np.sum(blocks.n_samples) > 16000
        assert capture.manifest["health"]["sensors"]["left_biceps"]["received"] > 0
        assert capture.manifest["counts"]["notification"] == made.counts["notification"]
        with av.open(str(made.folder / "video.mkv")) as video:
            assert sum(1 for _ in video.decode(video=0)) == np.sum(frames.pts_ns >= 0)
        with av.open(str(made.folder / "video.mkv")) as video:
            assert sum(f.samples for f in video.decode(audio=0)) == np.sum(blocks.n_samples)


def test_cut_short_in_an_exercise_it_still_closes_and_says_so(fakes: Any, tmp_path: Path) -> None:
    hardware, stop = fakes.hardware(fakes.sensors(2)), threading.Event()
    plan = PLAN.model_copy(update={"sync": PLAN.sync.model_copy(update={"claps": 0, "stomps": 0})})

    def show(snapshot: Any) -> None:
        if snapshot.cue is not None and snapshot.cue.kind == "exercise":
            stop.set()

    made = record(hardware, take(tmp_path, protocol=plan, duration_s=60), stop=stop, on_progress=show)
    assert made is not None and made.duration_s < 10
    assert any("no LED box" in note for note in made.notes) and any("no camera" in note for note in made.notes)
    with Capture.open(made.folder) as capture:
        last = capture.events()[-1]
        assert (last.kind, last.label, last.detail) == ("exercise_stop", "squat", {"cut_short": True})
        assert any(what.startswith("no LED box") for _, _, what, _ in capture.log())


def test_a_missing_sensor_is_named_and_nothing_is_written(fakes: Any, tmp_path: Path) -> None:
    sensors = fakes.sensors(2)
    sensors[1].switched_on = False
    hardware = fakes.hardware(sensors, settle_s=0.1)
    with pytest.raises(HardwareError, match="1 of 2 sensors do not stream") as caught:
        record(hardware, take(tmp_path), ready_timeout_s=0.8)
    assert "slot 2 right_biceps" in caught.value.why
    assert not list(tmp_path.iterdir())
    assert hardware.finished_with == [None] and hardware.radio_open == 0


def test_a_box_that_does_not_answer_ends_before_anything_is_written(
    fakes: Any, box_twin: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("acquire.ledbox.driver.OPEN_TIMEOUT_S", 0.3)
    hardware = fakes.hardware(fakes.sensors(1), port=box_twin(mute=True).port)
    with pytest.raises(HardwareError, match="no reply from an LED box"):
        record(hardware, take(tmp_path))
    assert not list(tmp_path.iterdir()) and hardware.radio_open == 0


def test_stopping_before_all_sensors_stream_stores_nothing(fakes: Any, tmp_path: Path) -> None:
    sensors, stop = fakes.sensors(1), threading.Event()
    sensors[0].switched_on = False
    stop.set()
    assert record(fakes.hardware(sensors), take(tmp_path), stop=stop) is None
    assert not list(tmp_path.iterdir())


def test_a_subject_that_is_no_label_is_refused_at_once(fakes: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a valid label"):
        Recorder(fakes.hardware(fakes.sensors(1)), take(tmp_path, subject="../x"))


def test_a_duration_that_cannot_hold_the_sync_sequences_is_said(fakes: Any, tmp_path: Path) -> None:
    recorder = Recorder(fakes.hardware(fakes.sensors(1)), take(tmp_path, duration_s=2))
    recorder.close()
    assert recorder.schedule.duration_s > 4
    assert any("instead of 2 s" in note for note in recorder.notes)


def test_closing_twice_and_without_opening_is_harmless(fakes: Any, tmp_path: Path) -> None:
    recorder = Recorder(fakes.hardware(fakes.sensors(1)), take(tmp_path))
    assert recorder.close() is None
    assert recorder.close() is None
    assert recorder.snapshot().phase == "done"


def test_a_full_disk_ends_the_recording_at_once_and_keeps_what_was_stored(
    fakes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = CaptureWriter._commit
    n_commits = 0

    def commit_until_full(self: CaptureWriter, *arguments: Any) -> None:
        nonlocal n_commits
        n_commits += 1
        if n_commits > 3:
            raise sqlite3.OperationalError("database or disk is full")
        commit(self, *arguments)

    def finish_on_a_full_disk(_capture: Path | None) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(CaptureWriter, "_commit", commit_until_full)
    hardware = fakes.hardware(fakes.sensors(2))
    monkeypatch.setattr(hardware, "finish", finish_on_a_full_disk)
    snapshots: list[Any] = []
    with pytest.raises(CaptureError, match="database or disk is full") as caught:
        record(hardware, take(tmp_path, duration_s=600), on_progress=snapshots.append)
    assert snapshots[-1].elapsed_s < 60 and hardware.radio_open == 0
    (folder,) = tmp_path.glob("sub-S1/ses-*")
    assert str(folder) in caught.value.hint
    assert recover(folder).counts["notification"] > 20


def test_a_schedule_that_breaks_off_ends_the_recording_and_says_so(
    fakes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prompt(prompt: Any, _host_ns: int) -> None:
        if prompt.kind == "exercise_start":
            raise RuntimeError("nobody to tell")

    hardware = fakes.hardware(fakes.sensors(1))
    monkeypatch.setattr(hardware, "prompt", prompt)
    made = record(hardware, take(tmp_path, duration_s=600))
    assert made is not None and made.duration_s < 60
    assert any("its schedule broke off" in note for note in made.notes)
    with Capture.open(made.folder) as capture:
        assert any(what == "the schedule broke off" for _, _, what, _ in capture.log())
