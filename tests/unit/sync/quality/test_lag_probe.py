"""The lag probe against drawn lags, against itself after a shift, and on the published windows."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from dataset.importers.mia import import_mia
from dataset.muscles import MIA_CHANNELS
from dataset.pose.skeleton import JOINT
from dataset.session.file import read_session, write_session
from dataset.session.types import Aligned, ChannelTable, EventTable, ExerciseTable, Session
from sync.cli import app
from sync.fit.priors import MOTION_LAG
from sync.quality.lag_probe import fix_lag, lag_as_text, probe_lag

RATE_HZ = 10.0


def squatter(
    lag_s: float, *, seed: int = 0, noise: float = 0.3, seconds: float = 90.0, period_s: float = 2.7
) -> Session:
    """A session of somebody who squats unevenly, whose quadriceps follow the knees by ``lag_s``."""
    rng = np.random.default_rng(seed)
    t = np.arange(0.0, seconds, 1 / RATE_HZ)
    fine = np.arange(-5.0, seconds + 5.0, 0.01)
    tempo = np.interp(fine, fine[::150], rng.uniform(0.8, 1.25, len(fine[::150])))
    depth = np.interp(fine, fine[::200], rng.uniform(0.5, 1.1, len(fine[::200])))
    bend = depth * (0.5 - 0.5 * np.cos(2 * np.pi * np.cumsum(tempo) * 0.01 / period_s))
    knee = np.interp(t, fine, bend)
    keypoints = np.zeros((len(t), 25, 3))
    for side, x in (("left", 0.1), ("right", -0.1)):
        hip = np.stack([np.full(len(t), x), 0.5 * knee, -0.3 * knee], axis=1)
        keypoints[:, JOINT[f"{side}_hip"]] = hip
        keypoints[:, JOINT[f"{side}_knee"]] = hip + np.stack([0 * t, 0.4 * np.cos(knee), 0.4 * np.sin(knee)], axis=1)
        keypoints[:, JOINT[f"{side}_ankle"]] = np.array([x, 0.9, 0.0])
        keypoints[:, JOINT[f"{side}_shoulder"]] = hip + np.array([0.0, -0.5, 0.1])
        keypoints[:, JOINT[f"{side}_elbow"]] = hip + np.array([0.05, -0.2, 0.1])
        keypoints[:, JOINT[f"{side}_wrist"]] = hip + np.array([0.05, 0.05, 0.2])
    keypoints += rng.normal(0, 0.004, keypoints.shape)
    names = tuple(c.name for c in MIA_CHANNELS)
    emg = 100 + 5 * rng.normal(0, 1, (len(t), 8))
    for c, channel in enumerate(MIA_CHANNELS):
        if channel.muscle in ("quadriceps", "hamstrings"):
            emg[:, c] += 80 * np.interp(t - lag_s, fine, bend) + 80 * noise * rng.normal(0, 1, len(t))
    emg[200:215, 0] = np.nan
    blank = ("",) * 8
    return Session(
        subject="T", session_uuid="u", created_utc="2026-01-01T00:00:00Z", zero_host_ns=-1, verdict="WARNING",
        verdict_reason="imported; alignment not verified", rate_hz=RATE_HZ,
        channels=ChannelTable(
            name=names, muscle=tuple(c.muscle for c in MIA_CHANNELS), side=tuple(c.side for c in MIA_CHANNELS),
            unit=("counts",) * 8, profile=("anr-m40",) * 8, serial=blank, placement=blank, electrode=blank,
        ),
        emg={}, sync={}, provenance=(),
        events=EventTable(time_s=np.zeros(0), uncertainty_s=np.zeros(0), kind=(), label=(), source=()),
        exercises=ExerciseTable(name=(), start_s=np.zeros(0), stop_s=np.zeros(0)),
        aligned=Aligned(
            time_s=t, emg=emg, emg_valid=np.isfinite(emg), segment=(np.arange(len(t)) // 300).astype(np.int64),
            exercise=("squat",) * len(t), keypoints_3d=keypoints,
        ),
    )  # fmt: skip


@pytest.mark.parametrize("lag_s", [-0.7, -0.2, 0.0, 0.15, 0.43, 0.9, 1.2])
def test_a_drawn_lag_is_found_within_a_tenth_of_a_second(lag_s: float) -> None:
    probe = probe_lag(squatter(lag_s, seed=round(100 * lag_s + 200)))
    assert probe.lag_s == pytest.approx(lag_s, abs=0.1)
    assert probe.muscle in ("quadriceps", "hamstrings")
    assert probe.ci95_s < 0.1
    assert probe.channels["left_quadriceps"].lag_s == pytest.approx(lag_s, abs=0.12)
    windows = probe.channels["right_quadriceps"].windows_lag_s
    assert np.nanmedian(windows) == pytest.approx(lag_s, abs=0.15)


def test_movement_that_repeats_has_aliases_a_period_away_and_they_are_weaker() -> None:
    probe = probe_lag(squatter(0.3, seed=5, period_s=1.6))
    away = [p for p in probe.aliases if 1.0 < abs(p.lag_s - probe.lag_s) < 2.2]
    assert away
    assert all(p.r < probe.r for p in probe.aliases)


@pytest.mark.parametrize("seed", range(6))
def test_noise_tells_no_lag_and_says_so(seed: int) -> None:
    session = squatter(0.3, seed=seed)
    rng = np.random.default_rng(seed)
    noise = 100 + 20 * rng.normal(0, 1, session.aligned.emg.shape)
    probe = probe_lag(replace(session, aligned=replace(session.aligned, emg=noise)))
    assert math.isnan(probe.lag_s)
    assert "is needed" in probe.reason
    assert "lag cannot be estimated" in lag_as_text("x.h5", probe)


def test_a_session_without_keypoints_says_so() -> None:
    session = squatter(0.0)
    probe = probe_lag(replace(session, aligned=replace(session.aligned, keypoints_3d=None)))
    assert probe.reason == "the session has no keypoints"


def test_fixing_leaves_the_prior_marks_it_relative_and_masks_what_has_no_value() -> None:
    session = squatter(0.83, seed=9)
    fixed, probe = fix_lag(session)
    step = fixed.provenance[-1]
    assert step["alignment"] == "relative"
    assert step["removed_s"] == pytest.approx(probe.lag_s - MOTION_LAG.value_s, abs=0.05)
    assert "relative" in fixed.verdict_reason
    frames = round(step["removed_s"] * RATE_HZ)
    assert np.array_equal(fixed.aligned.emg[:-frames], session.aligned.emg[frames:], equal_nan=True)
    assert np.isnan(fixed.aligned.emg[-frames:]).all()
    assert np.array_equal(fixed.aligned.emg_valid, np.isfinite(fixed.aligned.emg))
    assert probe_lag(fixed).lag_s == pytest.approx(MOTION_LAG.value_s, abs=0.1)


def test_the_command_prints_what_the_contract_says(tmp_path: Path) -> None:
    path = tmp_path / "sub-T_ses-20260101T000000.h5"
    write_session(path, squatter(0.4, seed=3))
    (tmp_path / "notes.txt").write_text("not a session")
    result = CliRunner().invoke(app, ["lag", str(tmp_path), "--json"])
    assert result.exit_code == 0, result.output
    row = json.loads(result.stdout)["sessions"][0]
    assert {"session", "subject", "lag_s", "r", "r_at_zero", "aliases", "channels"} <= set(row)
    assert row["lag_s"] == pytest.approx(0.4, abs=0.1)
    assert {"lag_s", "r"} <= set(row["channels"]["left_quadriceps"])


@pytest.mark.realdata
def test_the_published_windows_have_the_lags_that_were_measured(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "mia_squat" / "MIADatasetOfficial"
    known = {"0": (0.4, 0.4), "1": (1.0, 1.0), "2": (0.8, 0.8), "3": (0.8, 0.9)}
    for made in import_mia(folder, tmp_path / "as published"):
        low, high = known[made.subject]
        assert low - 0.1 <= probe_lag(read_session(made.path)).lag_s <= high + 0.1
    for made in import_mia(folder, tmp_path / "fixed", correct=lambda session: fix_lag(session)[0]):
        fixed = read_session(made.path)
        assert fixed.provenance[-1]["alignment"] == "relative"
        assert abs(probe_lag(fixed).lag_s - MOTION_LAG.value_s) <= 0.1
        assert fixed.aligned.emg_valid.any(axis=1).mean() > 0.5
