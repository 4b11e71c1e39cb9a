"""A simulated capture is a capture like any other, and its truth is what it holds."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from acquire.maintenance.recover import verify
from acquire.protocol.protocol import Protocol, parse_protocol
from acquire.protocol.schedule import build_schedule
from acquire.virtual.devices.clocks import Devices
from acquire.virtual.faults import Faults, Outage
from acquire.virtual.film import Film
from acquire.virtual.simulate import _Grain, simulate
from acquire.virtual.simulate_options import SimulateOptions
from acquire.virtual.truth import fit_video
from dataset.capture.reader import Capture
from dataset.muscles import CONTACT_OF_MUSCLE
from dataset.sensors.decode import decode
from dataset.sensors.profile import find_profile
from dataset.support.errors import InputError, OutputExistsError
from tests.present import present
from tests.unit.native import refuse_strided

M40 = find_profile("anr-m40")


def _frames(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return PTS in seconds and the brightness of each row, shape (frames, rows), of the picture's left edge."""
    times, rows = [], []
    with av.open(str(folder / "video.mkv")) as container:
        for frame in container.decode(video=0):
            times.append(float(present(frame.pts) * present(frame.time_base)))
            rows.append(frame.to_ndarray(format="gray")[:, 4:60].mean(axis=1))
    return np.array(times), np.array(rows)


def _sound(folder: Path) -> np.ndarray:
    with av.open(str(folder / "video.mkv")) as container:
        return np.concatenate([f.to_ndarray().ravel() for f in container.decode(audio=0)]).astype(float)


def _fault_capture(tmp_path: Path, protocol: Protocol, faults: Faults) -> tuple[Capture, dict[str, Any]]:
    folder = simulate(
        tmp_path, SimulateOptions(subject="S01", minutes=None, seed=5, protocol=(protocol, ""), faults=faults)
    )
    return Capture.open(folder), json.loads((folder / "truth.json").read_text())


@pytest.fixture(scope="module")
def tiny_protocol() -> Protocol:
    """Three seconds, for what needs no more."""
    return parse_protocol(
        'name="tiny"\nlead_in_s=0.2\nrest_s=0.5\n[sync]\nclaps=0\nstomps=0\n[[exercises]]\nname="squat"\nseconds=3.0',
        "tiny",
    )


@pytest.fixture
def blank(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the drawing out, where the picture does not matter."""
    monkeypatch.setattr("acquire.virtual.simulate.Figure.draw", lambda *_: np.zeros((480, 640, 3), np.uint8))


def test_the_capture_is_closed_and_every_table_is_filled(simulated: Any) -> None:
    capture, folder = simulated.capture, simulated.folder
    assert folder.name == "ses-20260102T030405"
    assert capture.closed
    assert verify(folder) == ()
    assert len(capture.sensors) == 8
    counts = capture.manifest["counts"]
    seconds = build_schedule(parse_protocol(capture.meta["protocol_toml"], ""), 41).duration_s
    assert counts["notification"] == pytest.approx(8 * 10 * seconds, rel=0.02)
    assert counts["frame"] == pytest.approx(30 * seconds, rel=0.03)
    assert counts["audio_block"] == pytest.approx(50 * seconds, rel=0.03)
    assert counts["clock_anchor"] == 2
    assert set(capture.manifest["health"]["sensors"]) == {s.channel for s in capture.sensors}


def test_every_value_decodes_and_arrivals_grow(simulated: Any) -> None:
    for sensor in simulated.capture.sensors:
        samples = decode(M40, simulated.capture.notifications(sensor.slot))
        assert samples.n_malformed == samples.n_out_of_range == 0
        assert np.all(np.diff(samples.arrival_ns) > 0)
        assert set(samples.epoch) == {0}


def test_the_frame_table_is_the_videos(simulated: Any) -> None:
    frames = simulated.capture.frames()
    times, _ = _frames(simulated.folder)
    np.testing.assert_allclose(frames.pts_ns * 1e-9, times, atol=1e-9)
    np.testing.assert_allclose(frames.pts_ns, frames.arrival_ns - frames.arrival_ns[0], atol=1_500_000)


def test_events_are_what_the_recorder_would_have_logged(simulated: Any) -> None:
    capture, truth = simulated.capture, simulated.truth
    flashes = capture.events("flash")
    assert len(flashes) == 8
    for flash, true_ns in zip(flashes, truth["flashes_host_ns"], strict=True):
        assert abs(flash.t_ns - true_ns) <= flash.uncertainty_ns
        assert 50_000 < flash.uncertainty_ns < 3_000_000
        assert flash.source == "led-box"
    errors = [f.t_ns - t for f, t in zip(flashes, truth["flashes_host_ns"], strict=True)]
    assert len(set(errors)) == 8
    assert len(capture.events("clap_cue")) == len(truth["claps_host_ns"]) == 4
    assert len(capture.events("stomp_cue")) == len(truth["stomps_host_ns"]) == 4
    assert [e.label for e in capture.events("exercise_start", "exercise_stop")] == ["squat", "squat"]
    assert [e["name"] for e in truth["exercises"]] == ["squat"]
    assert capture.serial_lines()[0][2].startswith(b"ID mia-led-box")


def test_flashes_are_in_the_picture_where_the_truth_puts_them(simulated: Any) -> None:
    times, rows = _frames(simulated.folder)
    video = simulated.truth["video"]
    centre_ns = video["host_ns_at_pts0"] + 1e9 * (1 + video["rate_ppm"] * 1e-6) * times
    camera = Devices.drawn(41).camera
    plain = np.median(rows, axis=0)
    middle = slice(235, 245)
    for on_ns in simulated.truth["flashes_host_ns"]:
        # The middle row is lit by the share of its exposure that follows the onset.
        for k in np.flatnonzero(np.abs(centre_ns - on_ns) < 0.03e9):
            share = float(np.clip((centre_ns[k] - on_ns) * 1e-9 / camera.exposure_s + 0.5, 0, 1))
            full = rows[np.argmin(np.abs(centre_ns - on_ns - 0.045e9)), middle].mean() - plain[middle].mean()
            seen = (rows[k, middle].mean() - plain[middle].mean()) / full
            assert full > 15
            # Jitter of one PTS (up to some ms) shows against the straight line.
            assert seen == pytest.approx(share, abs=0.15 + 4 * camera.jitter_s / camera.exposure_s)


def test_contacts_are_in_the_sound_where_the_truth_puts_them(simulated: Any) -> None:
    sound, blocks = _sound(simulated.folder), simulated.capture.audio_blocks()
    assert len(sound) == int(blocks.n_samples.sum())
    devices = Devices.drawn(41)
    end = blocks.first_sample + blocks.n_samples
    late_ns = blocks.arrival_ns - end / devices.microphone.true_rate_hz * 1e9
    zero_ns = late_ns.min() - devices.microphone.latency_s * 1e9
    for true_ns in (*simulated.truth["claps_host_ns"], *simulated.truth["stomps_host_ns"]):
        at = int((true_ns - zero_ns) * 1e-9 * devices.microphone.true_rate_hz)
        near = np.abs(sound[at - 160 : at + 800])
        onset_s = (float(np.argmax(near > 0.12 * near.max())) - 160) / 16000
        assert onset_s == pytest.approx(devices.body_distance_m / 343.0, abs=0.003)


def test_the_sensors_truth_is_what_they_show(simulated: Any) -> None:
    capture, truth = simulated.capture, simulated.truth
    devices = Devices.drawn(41)
    for sensor, clock in zip(capture.sensors, devices.sensors, strict=True):
        stated = truth["emg"][sensor.channel]
        assert clock.delay_s <= stated["delay_s"] < clock.delay_s + 0.006
        samples = decode(M40, capture.notifications(sensor.slot))
        kind = CONTACT_OF_MUSCLE[sensor.muscle]
        # Without the radio's jitter, values lie a constant delay after their centres.
        index = np.rint((samples.arrival_ns - clock.zero_ns - clock.delay_s * 1e9) / (clock.period_s * 1e9) - 0.65)
        arrival_ns = clock.centres_ns(index.astype(np.int64)) + stated["delay_s"] * 1e9
        centres = []
        for contact_ns in truth[f"{kind}s_host_ns"]:
            since_s = (arrival_ns - contact_ns) * 1e-9
            near = np.abs(since_s - stated["response_s"]) < 0.45
            raised = samples.value[near] - np.median(samples.value)
            raised[raised < 0.04 * raised.max()] = 0.0
            centres.append(float(np.sum(since_s[near] * raised) / np.sum(raised)))
        assert np.mean(centres) == pytest.approx(stated["response_s"], abs=0.02)


def test_the_same_seed_writes_the_same_values(
    simulated: Any, short_protocol: Protocol, tmp_path: Path, blank: None
) -> None:
    again = simulate(tmp_path, SimulateOptions(subject="S07", minutes=None, seed=41, protocol=(short_protocol, "")))
    with Capture.open(again) as capture:
        for sensor in capture.sensors:
            one, other = simulated.capture.notifications(sensor.slot), capture.notifications(sensor.slot)
            assert one.payload == other.payload
            np.testing.assert_array_equal(one.arrival_ns, other.arrival_ns)
    assert json.loads((again / "truth.json").read_text()) == simulated.truth


def test_faults_show_as_they_were_asked_for(tmp_path: Path, tiny_protocol: Protocol, blank: None) -> None:
    faults = Faults(
        lost_share=0.2,
        malformed_share=0.2,
        over_range_share=0.2,
        outages=(Outage(channel="left_triceps", at_s=1.0, seconds=1.0),),
        dead_channels=("right_biceps",),
        unwritten_frame_share=0.2,
    )
    capture, truth = _fault_capture(tmp_path, tiny_protocol, faults)
    with capture:
        everything = [decode(M40, capture.notifications(s.slot)) for s in capture.sensors]
        assert sum(s.n_malformed for s in everything) > 10
        assert sum(s.n_out_of_range for s in everything) > 10
        assert {len(p) for s in capture.sensors for p in capture.notifications(s.slot).payload} == {1, 2, 3}
        received = sum(len(capture.notifications(s.slot).payload) for s in capture.sensors)
        assert received < 0.9 * 8 * 10 * 3.7
        broken = next(s for s in capture.sensors if s.channel == "left_triceps")
        assert set(capture.notifications(broken.slot).epoch) == {0, 1}
        assert np.diff(capture.notifications(broken.slot).arrival_ns).max() > 1_000_000_000
        assert np.sum(capture.frames().pts_ns == -1) > 5
        assert capture.manifest["health"]["camera"]["dropped"] == np.sum(capture.frames().pts_ns == -1)
    assert truth["emg"]["left_triceps"]["response_s"] is None  # nobody clapped


def test_minutes_are_filled_with_whole_passes(tmp_path: Path, tiny_protocol: Protocol, blank: None) -> None:
    seen: list[float] = []
    folder = simulate(
        tmp_path,
        SimulateOptions(subject="S01", minutes=0.12, seed=2, protocol=(tiny_protocol, "")),
        progress=seen.append,
    )
    with Capture.open(folder) as capture:
        assert len(capture.events("exercise_start")) == 2
        arrivals = capture.frames().arrival_ns
    assert (arrivals[-1] - arrivals[0]) * 1e-9 == pytest.approx(7.2, abs=0.3)
    assert seen[-1] == 1.0
    assert seen == sorted(seen)


def test_an_existing_recording_is_never_overwritten(simulated: Any, short_protocol: Protocol) -> None:
    with pytest.raises(OutputExistsError):
        simulate(
            simulated.folder.parent.parent,
            SimulateOptions(
                subject="S07", minutes=None, seed=1, protocol=(short_protocol, ""), stamp="20260102T030405"
            ),
        )


def test_what_cannot_be_simulated_leaves_nothing_behind(tmp_path: Path, short_protocol: Protocol) -> None:
    unknown = parse_protocol('name="x"\n[[exercises]]\nname="levitation"\nseconds=3', "x")
    with pytest.raises(InputError, match="levitation"):
        simulate(tmp_path, SimulateOptions(subject="S01", minutes=None, seed=1, protocol=(unknown, "")))
    with pytest.raises(InputError, match="too few"):
        simulate(tmp_path, SimulateOptions(subject="S01", minutes=0.05, seed=1, protocol=(short_protocol, "")))
    with pytest.raises(InputError, match="label"):
        simulate(tmp_path, SimulateOptions(subject="../x", minutes=None, seed=1, protocol=(short_protocol, "")))
    assert list(tmp_path.iterdir()) == []


def test_the_videos_line_is_found_among_jittered_frames() -> None:
    rng = np.random.default_rng(4)
    pts_s = np.sort(rng.uniform(0, 60, 1500))
    centre_ns = 5_000_000_000_000 + np.round(1e9 * (1 + 30e-6) * pts_s + rng.normal(0, 1e6, 1500)).astype(np.int64)
    truth = fit_video(np.round(pts_s * 1e9).astype(np.int64), centre_ns)
    assert truth is not None
    assert truth.rate_ppm == pytest.approx(30.0, abs=5)
    assert truth.host_ns_at_pts0 == pytest.approx(5_000_000_000_000, abs=300_000)
    assert fit_video(np.array([1]), np.array([1])) is None


def test_each_picture_has_its_own_grain_as_strong_as_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_strided(monkeypatch)
    grain, grey = _Grain(Film(width=90, height=70, grain=3.0)), np.full((70, 90, 3), 127, dtype=np.uint8)
    pictures = [grain.on(grey, k).astype(float) - 127.0 for k in range(4)]
    assert [p.std() for p in pictures] == pytest.approx([3.0] * 4, abs=0.15)
    assert all(np.abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.1 for a, b in pairwise(pictures))
