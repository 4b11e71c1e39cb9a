"""A whole recording of the virtual rig in which one sensor hangs up and another walks out of range."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest

from acquire.protocol import Exercise, Protocol, SyncSequence
from acquire.recorder import Snapshot, record
from acquire.virtual.faults import Faults
from acquire.virtual.rig import VirtualHardware
from dataset.capture import Capture

SYNC = SyncSequence(claps=2, stomps=2, shortest_gap_s=0.5, longest_gap_s=0.9)


@pytest.mark.slow
def test_lost_sensors_come_back_as_new_epochs_and_the_others_lose_nothing(tmp_path: Path) -> None:
    hardware = VirtualHardware(21, faults=Faults(pauses_per_minute=0.0))
    protocol = Protocol(name="short", lead_in_s=1.0, sync=SYNC, exercises=(Exercise(name="Squat", seconds=6.0),))
    mischief = threading.Timer(2.0, lambda: (hardware.drop(2), hardware.silence(3, 3.0)))

    def disturb(snapshot: Snapshot) -> None:
        if snapshot.phase == "recording" and mischief.ident is None:
            mischief.start()

    recording = record(hardware, protocol, out=tmp_path, subject="T", seed=5, on_progress=disturb)
    mischief.join()
    assert recording is not None
    truth = json.loads((recording.folder / "truth.json").read_text())
    with Capture.open(recording.folder) as capture:
        for sensor in capture.sensors:
            rows = capture.notifications(sensor.slot)
            assert list(rows.host_seq) == list(range(len(rows.host_seq)))
            assert np.all(np.diff(rows.arrival_ns) > 0)
            assert {len(payload) for payload in rows.payload} == {2}
            whole_s = recording.duration_s
            if sensor.slot in (2, 3):
                assert list(np.unique(rows.epoch)) == [0, 1]
                assert len(rows.epoch) > 10 * (whole_s - 7.0)
            else:
                assert not rows.epoch.any()
                assert len(rows.epoch) == pytest.approx(10 * whole_s, abs=4)
            assert 0.05 < truth["emg"][sensor.channel]["delay_s"] < 0.4
        flashes = capture.events("flash")
        assert len(flashes) == len(truth["flashes_host_ns"]) == 8
        for event, flash_ns in zip(flashes, truth["flashes_host_ns"], strict=True):
            assert abs(event.t_ns - flash_ns) <= max(event.uncertainty_ns, 2_000_000)
        assert len(truth["claps_host_ns"]) == len(truth["stomps_host_ns"]) == 4
        (squat,) = truth["exercises"]
        assert squat["name"] == "squat"
        frames = capture.frames()
        shown = frames.pts_ns >= 0
        assert np.mean(shown) > 0.9
        late_s = (frames.arrival_ns[shown] - truth["video"]["host_ns_at_pts0"]) * 1e-9 - frames.pts_ns[shown] * 1e-9
        assert np.median(late_s) == pytest.approx(0.1, abs=0.08)
    assert hardware.processes == ()
