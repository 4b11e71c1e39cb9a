"""The report is one file that opens offline, says the verdict in words, and never breaks on what is missing."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dataset.session.types import (
    VIRTUAL_NOTE,
    Aligned,
    ChannelTable,
    EmgStream,
    EventTable,
    ExerciseTable,
    Session,
    StreamSync,
)
from dataset.support.arrays import FloatArray
from sync.events.contacts import ContactKind
from sync.quality.gates import Verdict
from sync.report import write_report
from sync.report.figures import frame_uri
from sync.report.page import render
from sync.result import ContactEvidence, Evidence, SensorEvidence, SyncResult
from sync.session_summary import session_as_text
from tests.unit.native import refuse_strided

CHANNELS = ("left_biceps", "right_quadriceps")


def sensor_evidence(kind: ContactKind) -> SensorEvidence:
    time_s = np.linspace(-0.5, 1, 16)
    return SensorEvidence(
        arrival_s=0.1 * np.arange(50.0),
        lateness_s=np.linspace(0, 0.03, 50),
        gaps_s=np.array([[1.0, 1.7]]),
        rate_hz=10.01,
        rate_ci95_ppm=20.0,
        nominal_hz=10.0,
        n_lost=4,
        n_malformed=1,
        n_out_of_range=0,
        contact=kind,
        response_time_s=(time_s, time_s),
        response=(np.exp(-((time_s - 0.1) ** 2) / 0.01), np.zeros(16)),
        answered=np.array([0]),
        latency_s=np.array([0.11]),
    )


@pytest.fixture
def result(tmp_path: Path) -> SyncResult:
    t = 30
    emg = np.random.default_rng(0).uniform(0, 100, (t, 2))
    emg[:, 1] = np.nan
    stream = StreamSync(
        method="arrival envelope + clap", verdict="PASS", reason="known to 12 ms", offset_s=-0.1, offset_ci95_s=0.012,
        rate_ppm=0.0, rate_ci95_ppm=15.0, error_ci95_s=0.012, n_reference=2, n_target=2, n_matched=2, match_rate=1.0,
        ambiguity_margin=0.8, max_residual_s=0.02, rms_residual_s=0.01, constants={"response_s": 0.1},
    )  # fmt: skip
    session = Session(
        subject="S01",
        session_uuid="u",
        created_utc="2026-01-01",
        zero_host_ns=5,
        verdict="WARNING",
        verdict_reason="one sensor failed",
        rate_hz=10.0,
        channels=ChannelTable(
            name=CHANNELS, muscle=("biceps", "quadriceps"), side=("left", "right"), unit=("counts",) * 2,
            profile=("anr-m40",) * 2, serial=("",) * 2, placement=("",) * 2, electrode=("",) * 2,
        ),
        emg={
            c: EmgStream(time_s=np.zeros(0), value=np.zeros(0), arrival_s=np.zeros(0), index_inferred=True)
            for c in CHANNELS
        },
        events=EventTable(time_s=np.zeros(0), uncertainty_s=np.zeros(0), kind=(), label=(), source=()),
        exercises=ExerciseTable(name=("squat",), start_s=np.array([0.5]), stop_s=np.array([2.0])),
        sync={},
        aligned=Aligned(
            time_s=np.arange(t) / 10, emg=emg, emg_valid=np.isfinite(emg), segment=np.zeros(t, dtype=np.int64),
            exercise=("",) * t,
        ),
        provenance=({"step": "grid"},),
        subject_info={"notes": VIRTUAL_NOTE},
    )  # fmt: skip
    evidence = Evidence(
        frame_time_s=np.arange(90) / 30,
        brightness=np.full(90, 100.0),
        flash_detected_s=np.array([1.0, 2.0]),
        flash_detected_frame=np.array([30, 60]),
        flash_host_s=np.array([1.0, 2.0]),
        flash_pairs=np.array([[0, 0], [1, 1]]),
        contacts=(
            ContactEvidence(kind=ContactKind.CLAP, time_s=1.2, pts_s=1.2, sound_time_s=np.zeros(3), sound=np.zeros(3)),
            ContactEvidence(kind=ContactKind.STOMP, time_s=2.2, pts_s=2.2, sound_time_s=np.zeros(3), sound=np.zeros(3)),
        ),
        sensors={
            "left_biceps": sensor_evidence(ContactKind.CLAP),
            "right_quadriceps": sensor_evidence(ContactKind.STOMP),
        },
        readout_s=0.02,
        exposure_s=0.01,
        closure_s=0.01,
        closure_allowed_s=0.05,
    )
    failed = replace(stream, verdict="FAIL", reason="no <b>response</b> was found", constants={"delay_source": "none"})
    return SyncResult(
        capture=tmp_path,
        session=session,
        session_path=tmp_path / "sub-S01_ses-1.h5",
        report_path=tmp_path / "sub-S01_ses-1.html",
        video_path=None,
        verdict=Verdict.WARNING,
        reasons=("right_quadriceps failed", "& another"),
        streams={"left_biceps": stream, "right_quadriceps": failed},
        evidence=evidence,
    )


def test_the_page_says_verdict_reasons_and_every_stream(result: SyncResult) -> None:
    page = render(result)
    assert "! WARNING" in page
    assert "<li>right_quadriceps failed</li>" in page
    assert "L biceps" in page
    assert "-100.0 ± 12.0" in page
    assert "2 of 2" in page
    assert "Virtual data" in page


def test_text_from_outside_is_escaped(result: SyncResult) -> None:
    page = render(result)
    assert "<b>response</b>" not in page
    assert "&amp; another" in page


def test_the_page_needs_nothing_from_outside(result: SyncResult) -> None:
    page = render(result)
    sources = re.findall(r'(?:src|href)="([^"]{0,40})', page)
    assert sources
    assert all(source.startswith("data:") for source in sources)


def test_a_refused_capture_without_video_still_has_a_report(result: SyncResult) -> None:
    nothing = np.zeros(0)
    empty = Evidence(
        frame_time_s=nothing, brightness=nothing, flash_detected_s=nothing,
        flash_detected_frame=np.zeros(0, dtype=np.int64), flash_host_s=nothing,
        flash_pairs=np.zeros((0, 2), dtype=np.int64), contacts=(), sensors={},
    )  # fmt: skip
    session = replace(
        result.session,
        aligned=Aligned(
            time_s=nothing, emg=np.zeros((0, 2)), emg_valid=np.zeros((0, 2), dtype=bool),
            segment=np.zeros(0, dtype=np.int64), exercise=(),
        ),
        subject_info={},
    )  # fmt: skip
    refused = replace(
        result, evidence=empty, session=session, verdict=Verdict.FAIL, reasons=("there is no video",),
        session_path=None, streams={},
    )  # fmt: skip
    write_report(refused.report_path, refused)
    page = refused.report_path.read_text(encoding="utf-8")
    assert "✖ FAIL" in page
    assert "no session was written" in page
    assert "Virtual data" not in page


def test_an_unverified_session_says_that_it_was_written_all_the_same(result: SyncResult) -> None:
    assert "--allow-unverified" in render(replace(result, verdict=Verdict.FAIL))


def test_each_event_is_shown_matched_or_not(result: SyncResult) -> None:
    video = replace(
        result.streams["left_biceps"], method="flashes", matches=np.array([[0, 0]]), residual_s=np.array([0.0021])
    )
    evidence = replace(
        result.evidence, flash_pairs=np.array([[0, 0]]), flash_lit_s=(np.arange(3) / 30,) * 2,
        flash_lit=(np.linspace(0, 1, 12).reshape(3, 4), np.full((3, 4), np.nan)),
    )  # fmt: skip
    page = render(replace(result, streams={"video": video, **result.streams}, evidence=evidence))
    assert "2 flashes were sent and 2 were detected in the video: 1 matched" in page
    assert "1 sent but not detected, 1 detected but not sent" in page
    assert "sent 1.000 s, detected 0.998 s, residual +2.1 ms" in page
    assert "sent 2.000 s, not detected" in page
    assert "matches no flash that was sent" in page
    assert "rows lit" in page
    assert '<td class="n">+10.0</td>' in page  # the biceps' answer to the clap, less its response
    assert "no sensor responded at 2.2 s" in page  # its stream has no response


def test_a_refused_pairing_shows_no_residual(result: SyncResult) -> None:
    refused = replace(result.streams["left_biceps"], method="assumed", verdict="FAIL", n_matched=0)
    page = render(replace(result, streams={"video": refused}, verdict=Verdict.FAIL, session_path=None))
    assert "could not be matched with certainty" in page
    assert "Residuals of all events" not in page


def test_the_one_thing_to_do_stands_with_the_verdict(result: SyncResult) -> None:
    page = render(replace(result, streams={}, verdict=Verdict.FAIL, session_path=None))
    assert "What to do" in page
    assert "Give the video of this recording with --video." in page


def test_the_offset_stands_beside_its_own_interval_and_the_page_says_what_that_means_for_muscles(
    result: SyncResult,
) -> None:
    known: dict[str, float | str] = {
        "delay_source": "measured", "response_s": 0.062, "burst_prior_s": -0.038, "burst_prior_sd_s": 0.03,
        "left_right_ci95_s": 0.024, "between_sensors_ci95_s": 0.083,
    }  # fmt: skip
    measured = replace(result.streams["left_biceps"], offset_ci95_s=0.0603, constants=known)
    assumed = replace(measured, constants={"delay_source": "assumed", "burst_prior_s": -0.03, "burst_prior_sd_s": 0.04})
    page = render(replace(result, streams={"left_biceps": measured, "right_quadriceps": assumed}))
    section = page[page.index("how precisely muscles can be compared") :]
    row = section[section.index("L biceps") :]
    row = row[: row.index("</tr>")]
    for cell in ("+62.0 ± 12.0", "-38.0 ± 58.8", "-100.0 ± 60.3", "± 24.0", "± 83.0", "measured"):
        assert cell in row
    # The other sensor has no response of its own: its offset is said, and from where.
    row = section[section.index("R quadriceps") :]
    row = row[: row.index("</tr>")]
    assert "-100.0 ± 60.3" in row and "assumed: sensors of its model" in row and "-30.0" not in row
    assert "a difference of more than 24 ms" in page and "a difference of more than 83 ms" in page
    assert "burst_prior_s" not in page


def test_a_session_shows_offset_and_response_each_with_its_own_interval(result: SyncResult) -> None:
    known = {"response_s": 0.062, "left_right_ci95_s": 0.024, "between_sensors_ci95_s": 0.083}
    stream = replace(result.streams["left_biceps"], offset_ci95_s=0.0603, constants=known)
    video = replace(stream, offset_ci95_s=0.003, error_ci95_s=0.004, constants={})
    shown = session_as_text(replace(result.session, sync={"left_biceps": stream, "video": video})).splitlines()
    of_sensor = next(line for line in shown if "left_biceps" in line)
    assert "offset -0.1000 s  +-60.3 ms" in of_sensor and "response +0.0620 s  +-12.0 ms" in of_sensor
    of_video = next(line for line in shown if "video" in line and "offset" in line)
    assert "+-3.0 ms" in of_video and "response" not in of_video
    assert "left minus right of a muscle +-24.0 ms, any two +-83.0 ms" in shown[-1]


def test_a_long_session_stays_small(result: SyncResult) -> None:
    rng = np.random.default_rng(3)
    t = np.arange(0, 1800, 0.1)
    frames = np.arange(0, 1800, 1 / 30)
    sensors = {
        f"left_{muscle}": replace(
            sensor_evidence(ContactKind.CLAP), arrival_s=t, lateness_s=rng.exponential(0.02, len(t)),
            gaps_s=np.column_stack([t[:900:9], t[5:905:9]]),
        )
        for muscle in ("biceps", "triceps", "quadriceps", "hamstrings")
    }  # fmt: skip
    emg = rng.uniform(0, 100, (len(t), 2))
    aligned = Aligned(
        time_s=t, emg=emg, emg_valid=np.isfinite(emg), segment=np.zeros(len(t), dtype=np.int64), exercise=("",) * len(t)
    )
    sent = np.sort(rng.uniform(0, 1800, 500))
    evidence = replace(
        result.evidence, sensors=sensors, frame_time_s=frames, brightness=rng.normal(100, 3, len(frames)),
        flash_host_s=sent, flash_detected_s=sent, flash_detected_frame=np.searchsorted(frames, sent),
        flash_pairs=np.column_stack([np.arange(500)] * 2),
    )  # fmt: skip
    video = replace(
        result.streams["left_biceps"],
        method="flashes",
        matches=evidence.flash_pairs,
        residual_s=rng.normal(0, 1e-3, 500),
    )
    session = replace(result.session, aligned=aligned)
    page = render(replace(result, evidence=evidence, session=session, streams={"video": video, **result.streams}))
    assert len(page) < 3e6
    assert "Of 500 paired flashes" in page
    assert "the first and last 30 of 500" in page


@pytest.mark.parametrize("keypoints", [None, np.linspace((20, 20), (90, 90), 25)])
def test_any_view_of_a_frame_is_shown_like_its_copy(
    monkeypatch: pytest.MonkeyPatch, keypoints: FloatArray | None
) -> None:
    refuse_strided(monkeypatch)
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    for view in (noise[:, 3:367], noise[::-1], noise[:, ::-1], noise.transpose(1, 0, 2), noise[..., ::-1]):
        assert frame_uri(view, keypoints=keypoints) == frame_uri(view.copy(), keypoints=keypoints)
