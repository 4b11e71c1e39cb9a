"""Synchronising the virtual rig's recordings against their truth."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acquire.protocol.protocol import parse_protocol
from acquire.virtual.simulate import simulate
from acquire.virtual.simulate_options import SimulateOptions
from dataset.capture.reader import Capture
from dataset.capture.types import Event
from dataset.session.file import read_session
from dataset.support.errors import CaptureCutOffError, InputError, OutputExistsError
from sync import read_capture
from sync.events.contacts import detect_contacts
from sync.options import SyncOptions
from sync.pipeline import run_capture
from sync.result import SyncResult
from tests.present import present
from tests.short_protocol import PROTOCOL


@pytest.fixture(scope="module", params=[11, 12])
def capture(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short simulated recording; delays and leads are drawn anew with each seed."""
    return simulate(
        tmp_path_factory.mktemp("captures"),
        SimulateOptions(
            subject=f"T{request.param}",
            minutes=None,
            seed=request.param,
            protocol=(parse_protocol(PROTOCOL, "short"), PROTOCOL),
        ),
    )


@pytest.fixture(scope="module")
def result(capture: Path, tmp_path_factory: pytest.TempPathFactory) -> SyncResult:
    """The same, synchronised without keypoints."""
    return run_capture(capture, tmp_path_factory.mktemp("sessions"), SyncOptions(pose=False))


@pytest.fixture(scope="module")
def truth(capture: Path) -> dict[str, Any]:
    """What was simulated."""
    drawn: dict[str, Any] = json.loads((capture / "truth.json").read_text())
    return drawn


def test_the_video_is_right_within_ten_milliseconds_at_every_frame(result: SyncResult, truth: dict[str, Any]) -> None:
    video = result.streams["video"]
    frames = present(result.session.video).frame_time_s
    pts_s = (frames - video.offset_s) / (1 + video.rate_ppm * 1e-6)
    zero_s = (truth["video"]["host_ns_at_pts0"] - result.session.zero_host_ns) * 1e-9
    error = frames - (zero_s + (1 + truth["video"]["rate_ppm"] * 1e-6) * pts_s)
    assert np.max(np.abs(error)) < 0.010
    assert video.error_ci95_s < 0.010


def test_each_sensor_answers_when_it_truly_does(result: SyncResult, truth: dict[str, Any]) -> None:
    for channel, said in truth["emg"].items():
        constants = result.streams[channel].constants
        assert constants["delay_source"] == "measured"
        assert constants["response_s"] == pytest.approx(said["response_s"], abs=0.050)
        assert result.streams[channel].offset_s == pytest.approx(
            -(float(constants["response_s"]) - float(constants["burst_prior_s"])), abs=1e-9
        )


def test_an_offset_has_the_interval_of_what_is_assumed_and_a_response_that_of_what_is_measured(
    result: SyncResult, truth: dict[str, Any]
) -> None:
    """How often the intervals hold is for ``benchmarks.alignment``; eight sensors of one person share one burst."""
    inside = []
    for channel, said in truth["emg"].items():
        stream = result.streams[channel]
        inside.append(abs(stream.offset_s + said["delay_s"]) <= stream.offset_ci95_s)
        # What is assumed of the burst is in it, and the response's own interval is not widened by that.
        assert stream.offset_ci95_s >= 1.96 * 0.9 * float(stream.constants["burst_prior_sd_s"]) > stream.error_ci95_s
        assert stream.offset_s == pytest.approx(
            float(stream.constants["burst_prior_s"]) - float(stream.constants["response_s"]), abs=1e-9
        )
    assert sum(inside) >= len(inside) - 2


def test_a_silent_buzzer_costs_precision_but_not_truth(
    capture: Path, truth: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        read_capture, "detect_contacts", lambda sound: tuple(c for c in detect_contacts(sound) if c.kind != "beep")
    )
    result = run_capture(capture, tmp_path, SyncOptions(pose=False))
    assert result.verdict == "PASS", result.reasons
    assert result.streams["sound"].method == "arrival"
    for channel, said in truth["emg"].items():
        stream = result.streams[channel]
        # Against the film it stays as good; against the host's clock the sound's delay is assumed.
        assert float(stream.constants["film_ci95_s"]) < 0.04 < stream.error_ci95_s
        assert abs(float(stream.constants["response_s"]) - said["response_s"]) < stream.error_ci95_s


def test_a_good_recording_passes_and_its_session_reads_back(result: SyncResult) -> None:
    assert result.verdict in ("PASS", "WARNING"), result.reasons
    session = read_session(present(result.session_path))
    assert session.verdict == result.verdict
    assert set(session.sync) == {"video", "sound", *session.channels.name}
    assert np.allclose(session.aligned.emg, result.session.aligned.emg, equal_nan=True)
    assert session.aligned.emg_valid.mean() > 0.9
    assert "squat" in session.aligned.exercise
    assert result.report_path.is_file()


def test_nothing_is_overwritten(capture: Path, result: SyncResult) -> None:
    with pytest.raises(OutputExistsError):
        run_capture(capture, result.report_path.parent, SyncOptions(pose=False))


def test_without_flashes_contacts_tie_the_video_and_pass_against_the_film(
    capture: Path, result: SyncResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = Capture.events
    monkeypatch.setattr(
        Capture, "events", lambda self, *kinds: tuple(e for e in events(self, *kinds) if e.kind != "flash")
    )
    blind = run_capture(capture, tmp_path, SyncOptions(pose=False))
    assert blind.verdict == "PASS", blind.reasons
    assert "no flash" in blind.streams["video"].reason and blind.streams["video"].error_ci95_s > 0.1
    error = blind.streams["video"].offset_s - result.streams["video"].offset_s
    assert abs(error) < blind.streams["video"].error_ci95_s
    # Up to one constant, all sensors stay where they are against each other.
    shifts = [
        float(blind.streams[c].constants["response_s"]) - float(result.streams[c].constants["response_s"])
        for c in result.session.channels.name
    ]
    assert np.ptp(shifts) < 0.04


def test_flashes_of_another_seed_are_refused_and_no_session_is_written(
    capture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = Capture.events
    rng = np.random.default_rng(0)

    def shuffled(self: Capture, *kinds: str) -> tuple[Event, ...]:
        return tuple(
            sorted(
                (
                    replace(e, t_ns=e.t_ns + int(rng.uniform(-1e9, 1e9))) if e.kind == "flash" else e
                    for e in events(self, *kinds)
                    if e.kind not in ("clap_cue", "stomp_cue")
                ),
                key=lambda e: e.t_ns,
            )
        )

    monkeypatch.setattr(Capture, "events", shuffled)
    monkeypatch.setattr("sync.read_capture.detect_contacts", lambda sound: ())
    refused = run_capture(capture, tmp_path, SyncOptions(pose=False))
    assert refused.verdict == "FAIL"
    assert refused.exit_code == 3
    assert refused.session_path is None
    assert [p.suffix for p in tmp_path.iterdir()] == [".html"]
    written = run_capture(capture, tmp_path / "marked", SyncOptions(pose=False, allow_unverified=True))
    assert read_session(present(written.session_path)).verdict == "FAIL"


@pytest.mark.parametrize(("shift_s", "why"), [(-1.5, "two methods disagree"), (0.2, "")])
def test_flashes_that_pair_but_have_wrong_times_are_refused(
    shift_s: float, why: str, capture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = Capture.events
    moved = round(shift_s * 1e9)
    monkeypatch.setattr(
        Capture,
        "events",
        lambda self, *kinds: tuple(
            replace(e, t_ns=e.t_ns + moved) if e.kind == "flash" else e for e in events(self, *kinds)
        ),
    )
    refused = run_capture(capture, tmp_path, SyncOptions(pose=False))
    assert refused.verdict == "FAIL"
    assert refused.session_path is None
    assert why in refused.streams["video"].reason


def test_a_capture_cut_off_is_named_so(capture: Path, tmp_path: Path) -> None:
    copy = tmp_path / "sub-X" / "ses-20260101T000000"
    shutil.copytree(capture, copy)
    (copy / "manifest.json").unlink()
    with pytest.raises(CaptureCutOffError, match="cut off"):
        run_capture(copy, tmp_path / "out", SyncOptions(pose=False))


def test_a_pose_network_that_is_not_there_is_told_before_anything_is_read(
    capture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.pipeline.read_recording", lambda *_, **__: pytest.fail("the film was read first"))
    with pytest.raises(InputError, match=r"no pose model at .*none\.task"):
        run_capture(capture, tmp_path, SyncOptions(pose_model=tmp_path / "none.task"))
    assert not list(tmp_path.iterdir())


def test_losses_bangs_hidden_flashes_and_a_dead_sensor_are_borne(tmp_path: Path) -> None:
    from acquire.virtual.faults import Faults, Outage

    faults = Faults(
        lost_share=0.02, malformed_share=0.01, over_range_share=0.005, pauses_per_minute=3.0, longest_pause_s=1.0,
        outages=(Outage(channel="left_biceps", at_s=11.0, seconds=2.0),), dead_channels=("right_triceps",),
        dropped_frame_share=0.03, hidden_flash_share=0.15, bangs_per_minute=8.0,
    )  # fmt: skip
    capture = simulate(
        tmp_path / "C",
        SimulateOptions(
            subject="F1", minutes=None, seed=31, protocol=(parse_protocol(PROTOCOL, "short"), PROTOCOL), faults=faults
        ),
    )
    truth = json.loads((capture / "truth.json").read_text())
    result = run_capture(capture, tmp_path / "S", SyncOptions(pose=False))
    assert result.verdict == "WARNING"
    assert result.streams["right_triceps"].constants["delay_source"] == "assumed"
    assert result.streams["right_triceps"].verdict == "WARNING"
    measured = [c for c, s in result.streams.items() if s.constants.get("delay_source") == "measured"]
    assert len(measured) >= 5
    for channel in measured:
        said = truth["emg"][channel]["response_s"]
        assert result.streams[channel].constants["response_s"] == pytest.approx(said, abs=0.050)
    video = result.streams["video"]
    pts_s = np.array([0.0, 20.0])
    zero_s = (truth["video"]["host_ns_at_pts0"] - result.session.zero_host_ns) * 1e-9
    true_s = zero_s + (1 + truth["video"]["rate_ppm"] * 1e-6) * pts_s
    assert (1 + video.rate_ppm * 1e-6) * pts_s + video.offset_s == pytest.approx(true_s, abs=0.010)
    assert len(result.streams["left_biceps"].epochs) == 2
