"""Sensors of other makes, end to end: real GATT servers recorded, a simulated recording aligned; all of it virtual."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from acquire.bluetooth.manager import SensorManager
from acquire.event_log import EventLog
from acquire.open_rig import open_hardware
from acquire.protocol.protocol import parse_protocol
from acquire.virtual.faults import Faults
from acquire.virtual.film import Film
from acquire.virtual.simulate import simulate
from acquire.virtual.simulate_options import SimulateOptions
from dataset.capture.reader import Capture
from dataset.capture.writer import CaptureWriter
from dataset.sensors.decode import decode
from sync.clock.sensor_clock import sensor_clock
from sync.options import SyncOptions
from sync.pipeline import run_capture
from sync.read_capture import read_recording
from tests.short_protocol import PROTOCOL


def wait_until(condition: Callable[[], object], timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)


def test_other_makes_are_started_recorded_and_decoded_through_a_drop(tmp_path: Path) -> None:
    hardware, _ = open_hardware("virtual-mixed", seed=8, subject="S01")
    manager = SensorManager(hardware, EventLog())
    try:
        manager.start()
        wait_until(lambda: all(s.state == "streaming" and s.health.received for s in manager.statuses()))
        writer = CaptureWriter(tmp_path, subject="S01", sensors=manager.sensors)
        manager.attach(writer)
        time.sleep(2.0)
        hardware.drop(1)  # type: ignore[attr-defined]
        wait_until(lambda: manager.statuses()[0].reconnects == 1 and manager.statuses()[0].state == "streaming")
        time.sleep(2.0)
        health = manager.health(manager.detach())
    finally:
        manager.stop()
        hardware.finish(None)
    writer.close(health)
    with Capture.open(tmp_path) as capture:
        sensors = {s.channel: s for s in capture.sensors}
        assert len({s.address for s in capture.sensors}) == 7, "eight slots on seven devices"
        for channel, rate_hz in (("left_biceps", 1000.0), ("left_triceps", 1000.0), ("right_quadriceps", 50.0)):
            profile = sensors[channel].profile
            rows = capture.notifications(sensors[channel].slot)
            samples = decode(profile, rows)
            assert samples.n_malformed == samples.n_corrupt == 0
            assert sorted(set(samples.epoch.tolist())) == ([0] if channel == "right_quadriceps" else [0, 1])
            clock = sensor_clock(
                (samples.arrival_ns - samples.arrival_ns[0]) * 1e-9, samples.epoch, profile.stream.rate_hz,
                samples.counter, samples.counter_modulo,
            )  # fmt: skip
            assert clock.n_lost == 0
            assert 1 / clock.period_s == pytest.approx(rate_hz, rel=0.01)
            assert health[channel]["received"] > 50
        one = decode(sensors["left_biceps"].profile, capture.notifications(1))
        other = decode(sensors["left_triceps"].profile, capture.notifications(3))
        assert len(one.value) == len(other.value) > 3000 and not np.array_equal(one.value, other.value)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short simulated recording in which some frames are corrupt and some lost."""
    return simulate(
        tmp_path_factory.mktemp("captures"),
        SimulateOptions(
            subject="T14",
            minutes=None,
            seed=14,
            mixed=True,
            film=Film(width=320, height=180),
            faults=Faults(lost_share=0.001, malformed_share=0.001),
            protocol=(parse_protocol(PROTOCOL, "short"), PROTOCOL),
        ),
    )


def test_corrupt_frames_are_kept_not_decoded_and_their_gap_is_seen(mixed: Path) -> None:
    with Capture.open(mixed) as capture:
        assert capture.is_virtual
        _, recording = read_recording(capture, None)
        rows = capture.notifications(3)
    data = recording.sensors["left_triceps"]
    n_sent = sum(map(len, rows.payload)) // 8
    assert data.samples.n_corrupt > 10
    assert len(data.samples.value) == n_sent - data.samples.n_corrupt
    assert not data.clock.index_inferred
    # Lost ones and corrupt ones are missing; a simulator loses about as many as it breaks.
    assert data.clock.n_lost > data.samples.n_corrupt
    assert data.clock.n_lost == pytest.approx(2 * data.samples.n_corrupt, rel=0.5)
    assert recording.sensors["right_quadriceps"].rate_hz == pytest.approx(50.0, rel=2e-3)


@pytest.mark.slow  # aligning takes over ten seconds
def test_other_makes_are_aligned_beside_the_m40s(mixed: Path, tmp_path: Path) -> None:
    result = run_capture(mixed, tmp_path, SyncOptions(pose=False))
    truth = json.loads((mixed / "truth.json").read_text())["emg"]
    assert result.verdict in ("PASS", "WARNING"), result.reasons
    for channel in ("left_biceps", "left_triceps", "right_quadriceps"):
        constants = result.streams[channel].constants
        assert constants["delay_source"] == "measured"
        assert constants["response_s"] == pytest.approx(truth[channel]["response_s"], abs=0.050)
    channels = result.session.channels
    assert dict(zip(channels.name, channels.profile, strict=True))["left_triceps"] == "bitalino-ble:2"
    aligned = result.session.aligned
    assert aligned.emg_valid[:, channels.name.index("left_triceps")].mean() > 0.5
