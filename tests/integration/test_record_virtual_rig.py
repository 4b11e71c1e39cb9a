"""mia-record on the virtual rig: real GATT servers, a drawn camera, a box on a pseudo-terminal, in processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
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

pytestmark = pytest.mark.slow

SHORT = """
name = "short"
lead_in_s = 1.0
[sync]
claps = 2
stomps = 1
[[exercises]]
name = "squat"
seconds = 6
"""


def test_lost_sensors_come_back_as_new_epochs_and_the_others_never_notice(tmp_path: Path) -> None:
    hardware = VirtualHardware(21, "S1", VirtualRigOptions(faults=Faults(pauses_per_minute=0.0)))

    def disturb() -> None:
        hardware.drop(2)
        hardware.silence(3, 3.0)

    mischief = threading.Timer(2.0, disturb)

    def disturb_once(snapshot: Snapshot) -> None:
        if snapshot.phase == "recording" and mischief.ident is None:
            mischief.start()

    plan = parse_protocol(SHORT, "short")
    take = Take(protocol=plan, out=tmp_path, subject="S1", seed=21, protocol_toml=SHORT)
    made = record(hardware, take, on_progress=disturb_once)
    mischief.join()
    assert made is not None
    assert verify(made.folder) == ()
    assert hardware.processes == ()
    truth = json.loads((made.folder / "truth.json").read_text())
    with Capture.open(made.folder) as capture:
        for sensor in capture.sensors:
            got = capture.notifications(sensor.slot)
            assert got.host_seq.tolist() == list(range(len(got.host_seq)))
            assert np.all(np.diff(got.arrival_ns) > 0)
            assert {len(payload) for payload in got.payload} == {2}
            if sensor.slot in (2, 3):
                assert sorted(set(got.epoch.tolist())) == [0, 1]
                assert len(got.payload) > 10 * (made.duration_s - 7.0)
            else:
                assert not got.epoch.any()
                assert len(got.payload) == pytest.approx(10 * made.duration_s, abs=4)
            assert 0.05 < truth["emg"][sensor.channel]["delay_s"] < 0.4
        assert any(what == "disconnected" for _, _, what, _ in capture.log())
        check_events_and_frames(capture, truth)


def test_a_box_that_sends_garbage_falls_silent_and_restarts_still_dates_its_flashes(tmp_path: Path) -> None:
    """All in the exercise; the closing sync sequence finds a box whose counter began again."""
    hardware = VirtualHardware(22, "S1", VirtualRigOptions(faults=Faults(pauses_per_minute=0.0)))
    faults = [
        threading.Timer(0.2, hardware.trigger),
        threading.Timer(0.7, hardware.garble_box, (1.0,)),
        threading.Timer(2.5, hardware.mute_box, (3.5,)),
        threading.Timer(7.5, hardware.reset_box),
    ]

    def begin_faults(snapshot: Snapshot) -> None:
        if snapshot.cue is not None and snapshot.cue.kind == "exercise" and faults[0].ident is None:
            for fault in faults:
                fault.start()

    text = SHORT.replace("seconds = 6", "seconds = 12")
    take = Take(protocol=parse_protocol(text, "short"), out=tmp_path, subject="S1", seed=22, protocol_toml=text)
    made = record(hardware, take, on_progress=begin_faults)
    assert made is not None and all(fault.ident is not None for fault in faults)
    truth = json.loads((made.folder / "truth.json").read_text())
    with Capture.open(made.folder) as capture:
        said = [what for _, _, what, _ in capture.log() if what.startswith("the LED box")]
        assert said[-3:] == [
            "the LED box is silent; its flashes are lost", "the LED box replies again", "the LED box restarted"
        ]  # fmt: skip
        (trigger,) = capture.events("trigger")
        begun = capture.events("exercise_start")[0].t_ns
        assert 0.15 < (trigger.t_ns - begun) * 1e-9 < 1.0 and trigger.source == "led-box"
        assert 0 < trigger.uncertainty_ns < 50_000_000
        check_events_and_frames(capture, truth)


def check_events_and_frames(capture: Capture, truth: dict[str, Any]) -> None:
    flashes = np.array([e.t_ns for e in capture.events("flash")])
    uncertainty = np.array([e.uncertainty_ns for e in capture.events("flash")])
    assert len(flashes) == len(truth["flashes_host_ns"]) == 6
    assert np.all(np.abs(flashes - truth["flashes_host_ns"]) <= uncertainty + 200_000)
    assert (len(truth["claps_host_ns"]), len(truth["stomps_host_ns"])) == (4, 2)
    assert [exercise["name"] for exercise in truth["exercises"]] == ["squat"]
    frames = capture.frames()
    kept = frames.pts_ns >= 0
    assert np.mean(kept) > 0.9
    assert np.abs(frames.pts_ns - (frames.arrival_ns - frames.arrival_ns[0]))[kept].max() <= 1_000_000
    late_s = (frames.arrival_ns[kept] - truth["video"]["host_ns_at_pts0"]) * 1e-9 - frames.pts_ns[kept] * 1e-9
    assert np.median(late_s) == pytest.approx(0.1, abs=0.08)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_recording_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-c", "from acquire.cli import main; main()", "run", "--headless", "--rig", "virtual"]
    run = subprocess.Popen(
        [*command, "--out", str(tmp_path), "--subject", "S1", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("sub-S1/ses-*/video.mkv")):
        assert time.monotonic() < deadline and run.poll() is None
        time.sleep(0.1)
    time.sleep(2)
    run.send_signal(number)
    out, err = run.communicate(timeout=60)
    assert run.returncode == 0, err
    made = json.loads(out)
    assert made["counts"]["notification"] > 100
    assert verify(Path(made["capture"])) == ()
