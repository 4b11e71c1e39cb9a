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

import numpy as np
import pytest

from acquire.protocol import parse_protocol
from acquire.recorder import Snapshot, record
from acquire.upkeep import verify
from acquire.virtual.rig import VirtualHardware
from dataset.capture import Capture

pytestmark = pytest.mark.slow

SHORT = """
name = "short"
lead_in_s = 1.0
[sync]
claps = 2
stomps = 1
[[exercises]]
name = "squat"
seconds = 3
"""


def test_a_dropped_sensor_comes_back_and_the_others_never_notice(tmp_path: Path) -> None:
    hardware = VirtualHardware(21, "S1")
    dropped = threading.Event()

    def drop_once(snapshot: Snapshot) -> None:
        if snapshot.elapsed_s > 4 and not dropped.is_set():
            dropped.set()
            hardware.drop(3)

    made = record(
        hardware,
        parse_protocol(SHORT, "short"),
        out=tmp_path,
        subject="S1",
        seed=21,
        protocol_toml=SHORT,
        on_progress=drop_once,
    )
    assert made is not None and dropped.is_set()
    assert verify(made.folder) == ()
    assert hardware.processes == ()
    truth = json.loads((made.folder / "truth.json").read_text())
    with Capture.open(made.folder) as capture:
        for sensor in capture.sensors:
            got = capture.notifications(sensor.slot)
            assert sorted(set(got.epoch.tolist())) == ([0, 1] if sensor.slot == 3 else [0])
            if sensor.slot != 3:
                assert abs(len(got.payload) - made.duration_s * 10) <= 3
        flashes = np.array([e.t_ns for e in capture.events("flash")])
        uncertainty = np.array([e.uncertainty_ns for e in capture.events("flash")])
        assert len(flashes) == len(truth["flashes_host_ns"]) == 6
        assert np.all(np.abs(flashes - truth["flashes_host_ns"]) <= uncertainty + 200_000)
        frames = capture.frames()
        kept = frames.pts_ns >= 0
        assert np.abs(frames.pts_ns - (frames.arrival_ns - frames.arrival_ns[0]))[kept].max() <= 1_000_000
        assert any(what == "disconnected" for _, _, what, _ in capture.log())


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
    out, err = run.communicate(timeout=30)
    assert run.returncode == 0, err
    made = json.loads(out)
    assert made["counts"]["notification"] > 100
    assert verify(Path(made["capture"])) == ()
