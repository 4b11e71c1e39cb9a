from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dataset.importers.mia import count_windows, import_mia
from dataset.muscles import MIA_CHANNELS
from dataset.session.file import read_session
from dataset.session.types import Session
from dataset.splits import split_windows
from dataset.support.errors import InputError, OutputExistsError
from dataset.windows import windows_from_sessions


def write_window(folder: Path, emg: NDArray[np.float64], joints: NDArray[np.float64]) -> None:
    folder.mkdir(parents=True)
    np.save(folder / "emgvalues.npy", emg)
    np.save(folder / "joints3d.npy", joints.astype(np.float32))


def write_windows(exercise: Path, starts: list[int], *, seed: int = 0, first_id: int = 1) -> NDArray[np.float64]:
    """Write windows that start at the given frames of one long recording; return its sEMG."""
    rng = np.random.default_rng(seed)
    n = max(starts) + 30
    emg = rng.integers(0, 470, (n, 8)).astype(np.float64)
    joints = rng.normal(size=(n, 49, 3))
    for i, start in enumerate(starts):
        write_window(exercise / str(first_id + i), emg[start : start + 30], joints[start : start + 30])
    return emg


@pytest.fixture
def published(tmp_path: Path) -> Path:
    folder = tmp_path / "MIADatasetOfficial"
    write_windows(folder / "train" / "Subject0" / "Squat", [0, 5, 10, 50, 55], first_id=7)
    write_windows(folder / "train" / "Subject2" / "SlowSkater", [0, 30], seed=1)
    return folder


def test_each_subject_becomes_a_session_of_windows(published: Path, tmp_path: Path) -> None:
    told: list[float] = []
    first, second = import_mia(published, tmp_path / "S", progress=told.append)
    assert (first.subject, first.n_windows, first.n_chains, first.stride_frames) == ("0", 5, 2, 5)
    assert (second.subject, second.n_windows, second.n_chains, second.stride_frames) == ("2", 2, 2, None)
    assert second.exercises == ("skater",)
    assert sum(told) == count_windows(published) == 7
    session = read_session(first.path)
    assert first.path.name.startswith("sub-0_ses-")
    assert session.verdict == "WARNING"
    assert session.verdict_reason == "imported; alignment not verified"
    assert session.zero_host_ns == -1
    assert session.channels.name == tuple(c.name for c in MIA_CHANNELS)
    assert set(session.channels.unit) == {"counts"}
    assert set(session.channels.profile) == {"anr-m40"}
    assert session.aligned.segment.tolist() == [i for i in range(5) for _ in range(30)]
    assert set(session.aligned.exercise) == {"squat"}
    assert session.provenance[0]["stride_frames"] == 5
    assert session.provenance[0]["window_ids"] == [7, 8, 9, 10, 11]


def test_windows_are_in_numeric_order_of_their_ids(tmp_path: Path) -> None:
    squat = tmp_path / "M" / "Subject1" / "Squat"
    emg = write_windows(squat, [0, 30, 60, 90], first_id=8)  # 8, 9, 10, 11
    (result,) = import_mia(tmp_path / "M", tmp_path / "S")
    np.testing.assert_array_equal(read_session(result.path).aligned.emg, emg)


@settings(deadline=None, max_examples=15)
@given(steps=st.lists(st.integers(1, 50), min_size=1, max_size=8), seed=st.integers(0, 99))
def test_times_overlap_exactly_where_rows_are_shared(
    steps: list[int], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tmp = tmp_path_factory.mktemp("mia")
    starts = np.concatenate([[0], np.cumsum(steps)]).tolist()
    emg = write_windows(tmp / "M" / "Subject3" / "Squat", starts, seed=seed)
    (result,) = import_mia(tmp / "M", tmp / "S")
    session = read_session(result.path)
    time_s = session.aligned.time_s.reshape(-1, 30)
    for i, step in enumerate(steps):
        if step <= 27:  # three rows shared at least
            assert time_s[i + 1, 0] - time_s[i, 0] == pytest.approx(step / 10)
        else:
            assert time_s[i + 1, 0] > time_s[i, -1] + 0.15
    stream = session.emg["left_quadriceps"]
    assert (np.diff(stream.time_s) > 0.05).all()
    np.testing.assert_array_equal(session.aligned.emg.reshape(-1, 30, 8), [emg[s : s + 30] for s in starts])


def test_values_no_sensor_can_give_are_masked_and_counted(tmp_path: Path) -> None:
    emg = np.full((30, 8), 40.0)
    emg[4, 2], emg[5, 3], emg[6, 4], emg[7, 5] = 23914, np.nan, -1, 1023
    write_window(tmp_path / "M" / "Subject1" / "Squat" / "1", emg, np.zeros((30, 49, 3)))
    (result,) = import_mia(tmp_path / "M", tmp_path / "S")
    session = read_session(result.path)
    assert result.n_masked == 3
    assert np.isnan(session.aligned.emg).sum() == 3 == (~session.aligned.emg_valid).sum()
    assert session.emg[MIA_CHANNELS[2].name].value[4] == 23914
    assert session.aligned.emg[7, 5] == 1023


def _no_joints(window: Path) -> None:
    (window / "joints3d.npy").unlink()


def _cut_off(window: Path) -> None:
    file = window / "emgvalues.npy"
    file.write_bytes(file.read_bytes()[:200])


def _text(window: Path) -> None:
    (window / "emgvalues.npy").write_text("no array")


def _pickle(window: Path) -> None:
    np.save(window / "emgvalues.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)


def _short(window: Path) -> None:
    np.save(window / "emgvalues.npy", np.zeros((29, 8)))


def _words(window: Path) -> None:
    np.save(window / "joints3d.npy", np.full((30, 49, 3), "x"))


@pytest.mark.parametrize("damage", [_no_joints, _cut_off, _text, _pickle, _short, _words])
def test_a_bad_file_is_named_and_nothing_is_written(published: Path, tmp_path: Path, damage: object) -> None:
    damage(published / "train" / "Subject2" / "SlowSkater" / "2")  # type: ignore[operator]
    with pytest.raises(InputError, match=r"Subject2.SlowSkater.2.(emgvalues|joints3d)\.npy"):
        import_mia(published, tmp_path / "S")
    assert not (tmp_path / "S").exists()


def test_folders_without_windows_are_refused(tmp_path: Path) -> None:
    (tmp_path / "M" / "train" / "Subject1" / "Squat").mkdir(parents=True)
    for folder in (tmp_path / "M", tmp_path / "none"):
        with pytest.raises(InputError):
            import_mia(folder, tmp_path / "S")
    (tmp_path / "M" / "train" / "Subject1" / "Squat" / "one").mkdir()
    with pytest.raises(InputError, match="named by a number"):
        import_mia(tmp_path / "M", tmp_path / "S")


def test_a_taken_name_is_refused_before_anything_is_written(published: Path, tmp_path: Path) -> None:
    out = tmp_path / "S"
    out.mkdir()
    (out / "sub-2_ses-20260101T000000.h5").touch()
    with pytest.raises(OutputExistsError):
        import_mia(published, out, stamp="20260101T000000")
    assert [f.name for f in out.iterdir()] == ["sub-2_ses-20260101T000000.h5"]


@pytest.mark.realdata
def test_the_published_squats_become_four_sessions(shared_data: Path, tmp_path: Path) -> None:
    results = import_mia(shared_data / "mia_squat" / "MIADatasetOfficial", tmp_path / "S")
    assert [(r.subject, r.n_windows) for r in results] == [("0", 456), ("1", 30), ("2", 80), ("3", 80)]
    assert (results[0].n_chains, results[0].stride_frames) == (4, 5)
    assert [r.n_masked for r in results] == [0, 0, 0, 0]
    windows = windows_from_sessions([read_session(r.path) for r in results])
    split = split_windows(windows, "time")
    assert (len(windows), len(split.train), len(split.test), split.embargo_frames) == (646, 516, 124, 30)


def test_what_is_written_is_what_the_correction_returns(published: Path, tmp_path: Path) -> None:
    def corrected(session: Session) -> Session:
        return replace(session, verdict_reason=f"corrected {session.subject}")

    results = import_mia(published, tmp_path / "S", correct=corrected)
    assert [read_session(r.path).verdict_reason for r in results] == ["corrected 0", "corrected 2"]


def test_a_correction_that_fails_leaves_nothing_behind(published: Path, tmp_path: Path) -> None:
    def failing(session: Session) -> Session:
        if session.subject == "2":
            raise InputError("no")
        return session

    with pytest.raises(InputError):
        import_mia(published, tmp_path / "S", correct=failing)
    assert list((tmp_path / "S").glob("*")) == []
