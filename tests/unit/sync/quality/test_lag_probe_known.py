"""The lag probe against sessions whose lag is known, and against sEMG that has nothing to do with the motion."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset.importers.mia import import_mia
from dataset.session.file import read_session
from dataset.session.types import Session
from dataset.windows import windows_from_sessions
from sync.quality.lag_probe import correction_of, fix_lag, lag_as_dict, lag_as_text, probe_lag
from sync.report.lag import lag_section
from tests.present import present

Make = Callable[..., Session]

#: The lags of the published subjects, from independent work on the windows.
PUBLISHED_LAG_S = {"0": 0.4, "1": 1.0, "2": 0.8, "3": 0.85}


def shifted(session: Session, rows: int) -> Session:
    """Return a copy whose sEMG is ``rows`` later, NaN where nothing came."""
    emg = np.full_like(session.aligned.emg, np.nan)
    emg[rows:] = session.aligned.emg[: len(emg) - rows]
    return replace(session, aligned=replace(session.aligned, emg=emg, emg_valid=np.isfinite(emg)))


@settings(deadline=None, max_examples=25)
@given(
    lag_s=st.floats(-1.1, 1.1),
    exercise=st.sampled_from(["squat", "curl"]),
    period_s=st.floats(2.3, 4.0),
    seed=st.integers(0, 999),
)
def test_a_known_lag_is_found_between_the_samples(
    lag_s: float, exercise: str, period_s: float, seed: int, moving_session: Make
) -> None:
    probe = probe_lag(moving_session(lag_s, exercise=exercise, period_s=period_s, seed=seed))
    assert probe.lag_s == pytest.approx(lag_s, abs=0.06)
    assert probe.muscle == ("biceps" if exercise == "curl" else "quadriceps")
    assert probe.r > probe.needed_r


@pytest.mark.parametrize("rate_hz", [5.0, 10.0, 25.0])
@pytest.mark.parametrize("lag_s", [-0.6, 0.0, 0.9])
def test_any_rate_will_do(rate_hz: float, lag_s: float, moving_session: Make) -> None:
    assert probe_lag(moving_session(lag_s, rate_hz=rate_hz)).lag_s == pytest.approx(lag_s, abs=0.06)


@pytest.mark.parametrize("options", [{"rows_a_window": 30}, {"gaps": 25}, {"flat": True}, {"duration_s": 40.0}])
@pytest.mark.parametrize("lag_s", [-0.35, 0.8])
def test_windows_gaps_pictures_and_short_recordings(
    options: dict[str, float], lag_s: float, moving_session: Make
) -> None:
    assert probe_lag(moving_session(lag_s, **options)).lag_s == pytest.approx(lag_s, abs=0.06)


def test_a_shifted_copy_lags_by_that_much_more(moving_session: Make) -> None:
    session = moving_session(0.1)
    first, second = probe_lag(session), probe_lag(shifted(session, 7))
    assert second.lag_s - first.lag_s == pytest.approx(0.7, abs=0.02)


@pytest.mark.parametrize("duration_s", [20.0, 30.0, 90.0])
@pytest.mark.parametrize("rows_a_window", [0, 30])
def test_sEMG_of_another_movement_is_given_no_lag(duration_s: float, rows_a_window: int, moving_session: Make) -> None:  # noqa: N802
    told = 0
    for seed in range(8):
        probe = probe_lag(
            moving_session(0.0, unrelated=True, duration_s=duration_s, rows_a_window=rows_a_window, seed=seed)
        )
        told += bool(np.isfinite(probe.lag_s))
        assert np.isfinite(probe.lag_s) or "no muscle correlates with the motion" in probe.reason
    # Chance is asked at one in a hundred; two of eight by luck would be one in four hundred.
    assert told <= 1


def test_movement_that_never_varies_is_ambiguous_and_says_so(moving_session: Make) -> None:
    probe = probe_lag(moving_session(0.5, strict=True, period_s=2.0))
    assert probe.ambiguous
    assert probe.lag_s == pytest.approx(0.5, abs=0.05)
    assert probe.aliases[0].lag_s == pytest.approx(-1.5, abs=0.05)
    assert "fits as well" in probe.reason
    assert "fits as well" in lag_as_text("x.h5", probe)


def test_movement_that_varies_has_weaker_aliases_a_period_away(moving_session: Make) -> None:
    probe = probe_lag(moving_session(0.4, period_s=2.0, duration_s=180.0))
    assert not probe.ambiguous
    assert probe.reason == ""
    assert min(abs(abs(p.lag_s - probe.lag_s) - 2.0) for p in probe.aliases) < 0.35
    assert all(p.r < 0.97 * probe.r for p in probe.aliases)


def test_the_interval_covers_the_truth(moving_session: Make) -> None:
    covered = []
    for seed in range(20):
        probe = probe_lag(moving_session(0.33, seed=seed))
        covered.append(abs(probe.lag_s - 0.33) <= probe.ci95_s + 0.01)
    assert np.mean(covered) >= 0.8


def test_windows_stored_twice_make_nothing_surer(moving_session: Make) -> None:
    session = moving_session(0.3, rows_a_window=30, duration_s=60.0)
    aligned, n = session.aligned, len(session.aligned.time_s)
    twice = np.concatenate([np.arange(k, k + 30) for k in range(0, n, 30) for _ in range(4)])
    copy = replace(
        session,
        aligned=replace(
            aligned, time_s=aligned.time_s[twice], emg=aligned.emg[twice], emg_valid=aligned.emg_valid[twice],
            segment=np.repeat(np.arange(len(twice) // 30), 30), exercise=("",) * len(twice),
            keypoints_3d=present(aligned.keypoints_3d)[twice],
        ),
    )  # fmt: skip
    one, four = probe_lag(session), probe_lag(copy)
    assert four.lag_s == pytest.approx(one.lag_s)
    assert four.ci95_s == pytest.approx(one.ci95_s)
    assert four.needed_r == pytest.approx(one.needed_r)


def _no_keypoints(session: Session) -> Session:
    return replace(session, aligned=replace(session.aligned, keypoints_3d=None))


def _no_emg(session: Session) -> Session:
    return replace(session, aligned=replace(session.aligned, emg=np.full_like(session.aligned.emg, np.nan)))


def _no_segment(session: Session) -> Session:
    return replace(session, aligned=replace(session.aligned, segment=np.full_like(session.aligned.segment, -1)))


def _constant(session: Session) -> Session:
    return replace(session, aligned=replace(session.aligned, emg=np.ones_like(session.aligned.emg)))


def _nothing(session: Session) -> Session:
    a = session.aligned
    return replace(
        session,
        aligned=replace(
            a, time_s=a.time_s[:0], emg=a.emg[:0], emg_valid=a.emg_valid[:0], segment=a.segment[:0], exercise=(),
            keypoints_3d=a.keypoints_3d[:0] if a.keypoints_3d is not None else None,
        ),
    )  # fmt: skip


@pytest.mark.parametrize("damage", [_no_keypoints, _no_emg, _no_segment, _constant, _nothing])
def test_what_is_missing_is_a_reason_and_no_crash(damage: object, moving_session: Make) -> None:
    session = damage(moving_session(0.2, duration_s=30.0))  # type: ignore[operator]
    probe = probe_lag(session)
    assert np.isnan(probe.lag_s)
    assert probe.reason
    told = lag_as_dict("x.h5", "S01", probe)
    assert told["lag_s"] is None
    assert "lag cannot be estimated" in lag_as_text("x.h5", probe)


def test_the_lag_is_removed_less_the_muscles_lead(moving_session: Make) -> None:
    session = moving_session(0.75)
    fixed, probe = fix_lag(session)
    assert probe.lag_s == pytest.approx(0.75, abs=0.05)
    assert probe_lag(fixed).lag_s == pytest.approx(-0.05, abs=0.06)
    removed_s = fixed.provenance[-1]["removed_s"]
    assert removed_s == pytest.approx(0.8)
    assert fixed.provenance[-1]["alignment"] == "relative"
    assert fixed.provenance[-1]["prior_s"] == -0.05
    assert "relative: sEMG was shifted 0.8 s earlier" in fixed.verdict_reason
    np.testing.assert_allclose(fixed.aligned.emg[:-8], session.aligned.emg[8:])
    assert np.isnan(fixed.aligned.emg[-8:]).all()
    assert not fixed.aligned.emg_valid[-8:].any()
    name = session.channels.name[0]
    np.testing.assert_array_equal(fixed.emg[name].value, session.emg[name].value)
    np.testing.assert_allclose(fixed.emg[name].time_s, session.emg[name].time_s - 0.8)
    assert "shifted 0.8 s earlier" in str(correction_of(fixed)["told"])


def test_sEMG_that_comes_early_is_moved_later(moving_session: Make) -> None:  # noqa: N802
    fixed, _ = fix_lag(moving_session(-0.65))
    assert "relative: sEMG was shifted 0.6 s later" in fixed.verdict_reason
    assert np.isnan(fixed.aligned.emg[:6]).all()
    assert probe_lag(fixed).lag_s == pytest.approx(-0.05, abs=0.06)


def test_windows_that_stand_alone_keep_their_rows_and_nothing_crosses_between_them(moving_session: Make) -> None:
    session = moving_session(0.45, rows_a_window=30)
    fixed, _ = fix_lag(session)
    emg = fixed.aligned.emg.reshape(-1, 30, 4)
    np.testing.assert_array_equal(emg[:, :25], session.aligned.emg.reshape(-1, 30, 4)[:, 5:])
    assert np.isnan(emg[:, 25:]).all()
    assert len(windows_from_sessions([fixed], stride=5)) == len(windows_from_sessions([session], stride=5))


@pytest.mark.parametrize("options", [{"unrelated": True}, {"strict": True, "period_s": 2.0}])
def test_a_lag_that_cannot_be_told_is_left_in_and_the_session_says_so(
    options: dict[str, float], moving_session: Make
) -> None:
    session = moving_session(0.5, **options)
    fixed, probe = fix_lag(session)
    np.testing.assert_array_equal(fixed.aligned.emg, session.aligned.emg)
    assert probe.reason in fixed.verdict_reason
    assert "sEMG was not shifted" in fixed.verdict_reason
    assert fixed.provenance[-1]["removed_s"] == 0.0
    assert "alignment" not in fixed.provenance[-1]
    assert str(correction_of(fixed)["told"]).startswith("left as published")


@pytest.mark.realdata
def test_the_published_lags_are_found_and_removed(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "mia_squat" / "MIADatasetOfficial"
    as_published = [read_session(made.path) for made in import_mia(folder, tmp_path / "S")]
    for session in as_published:
        fixed, probe = fix_lag(session)
        assert probe.lag_s == pytest.approx(PUBLISHED_LAG_S[session.subject], abs=0.1), session.subject
        assert probe.muscle == "quadriceps"
        assert not probe.ambiguous
        assert probe.aliases
        assert probe_lag(fixed).lag_s == pytest.approx(-0.05, abs=0.06)
        assert len(windows_from_sessions([fixed])) == len(windows_from_sessions([session]))
    assert np.isfinite(fix_lag(as_published[0])[0].aligned.emg).mean() > 0.99  # long chains: only their ends are lost


def test_the_report_tells_the_lag_its_doubt_and_what_was_moved(moving_session: Make) -> None:
    def told(session: Session) -> str:
        section = lag_section(session)
        assert section is not None
        assert section.image.startswith("data:image/svg+xml")
        return " ".join(section.texts)

    assert re.search(r"sEMG lags by 0\.[67]\d s", told(moving_session(0.7)))
    assert "check the alignment" in told(moving_session(0.7))
    assert "check the alignment" not in told(moving_session(0.0))
    assert "ambiguous" in told(moving_session(0.5, strict=True, period_s=2.0))
    assert "The lag cannot be estimated" in told(moving_session(0.0, unrelated=True))
    assert "alignment is relative" in told(fix_lag(moving_session(0.7))[0])
    assert "alignment is relative" not in told(fix_lag(moving_session(0.0, unrelated=True))[0])
