"""A session is written whole or not at all, and opening one names what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from dataset.session import schema
from dataset.session.file import check_session, find_sessions, read_session, write_session
from dataset.session.types import (
    Aligned,
    Calibration,
    ChannelTable,
    EmgStream,
    EventTable,
    ExerciseTable,
    Pose,
    Session,
    StreamSync,
    VideoInfo,
)
from dataset.support.errors import OutputExistsError, SessionError
from tests.sealed import edited_session

T, F, V = 40, 15, 20


@pytest.fixture
def session() -> Session:
    rng = np.random.default_rng(0)
    names = ("left_biceps", "right_quadriceps")
    emg = rng.uniform(0, 100, (T, 2))
    emg[5, 1] = np.nan
    return Session(
        subject="S01",
        session_uuid="u-1",
        created_utc="2026-01-01T00:00:00+00:00",
        zero_host_ns=12_345_678_901_234,
        verdict="WARNING",
        verdict_reason="video: precision 12 ms",
        rate_hz=10.0,
        subject_info={"age_years": 30.0, "sex": "f"},
        channels=ChannelTable(
            name=names,
            muscle=("biceps", "quadriceps"),
            side=("left", "right"),
            unit=("counts", "counts"),
            profile=("anr-m40",) * 2,
            serial=("1", "2"),
            placement=("", "Mitte, ö"),
            electrode=("", ""),
        ),
        calibration=Calibration(rest_counts=np.array([70.0, np.nan]), mvc_counts=np.array([500.0, 600.0])),
        emg={
            n: EmgStream(
                time_s=np.arange(7.0), value=rng.uniform(0, 9, 7), arrival_s=np.arange(7.0), index_inferred=True
            )
            for n in names
        },
        video=VideoInfo(
            frame_time_s=np.arange(V) / 30,
            frame_index=np.arange(V),
            file="video.mkv",
            sha256="0",
            width=640,
            height=480,
        ),
        pose=Pose(
            keypoints_2d=rng.normal(size=(F, 25, 2)),
            keypoints_3d=rng.normal(size=(F, 25, 3)),
            confidence=np.ones((F, 25)),
            frame_index=np.arange(F),
            backend="test",
            model_sha256="1",
        ),
        events=EventTable(
            time_s=np.array([1.0]), uncertainty_s=np.zeros(1), kind=("flash",), label=("",), source=("led-box",)
        ),
        exercises=ExerciseTable(name=("squat",), start_s=np.array([0.5]), stop_s=np.array([3.0])),
        sync={
            "video": StreamSync(
                method="flash",
                verdict="PASS",
                reason="good",
                offset_s=0.1,
                n_matched=3,
                constants={"av_skew_s": 0.01, "av_skew_sd_s": 0.02},
                matches=np.array([[0, 0], [1, 2]]),
                residual_s=np.array([0.001, -0.002]),
            )
        },
        aligned=Aligned(
            time_s=np.arange(T) / 10,
            emg=emg,
            emg_valid=~np.isnan(emg),
            keypoints_3d=rng.normal(size=(T, 25, 3)),
            segment=np.zeros(T, dtype=np.int64),
            exercise=("squat",) * T,
        ),
        provenance=({"step": "arrivals", "version": "1"}, {"step": "grid", "rate_hz": 10}),
    )


def assert_equal(a: object, b: object) -> None:
    """Compare records field by field, arrays by value with NaN equal."""
    for f in fields(a):  # type: ignore[arg-type]
        x, y = getattr(a, f.name), getattr(b, f.name)
        if isinstance(x, np.ndarray):
            np.testing.assert_array_equal(x, y)
        elif hasattr(x, "__dataclass_fields__"):
            assert_equal(x, y)
        elif isinstance(x, dict) and x and hasattr(next(iter(x.values())), "__dataclass_fields__"):
            assert list(x) == list(y)
            for key in x:
                assert_equal(x[key], y[key])
        elif f.name != "path" and not (isinstance(x, float) and np.isnan(x)):
            assert x == y, f.name


def test_what_is_written_is_read_back(tmp_path: Path, session: Session) -> None:
    path = tmp_path / "sub-S01_ses-1.h5"
    write_session(path, session)
    again = read_session(path)
    assert_equal(session, again)
    assert again.name == "sub-S01_ses-1"
    assert list(tmp_path.iterdir()) == [path]


def test_absent_things_are_absent_groups(tmp_path: Path, session: Session) -> None:
    path = tmp_path / "a.h5"
    write_session(path, replace(session, video=None, pose=None, calibration=None))
    with h5py.File(path) as file:
        assert not {"video", "pose", "calibration"} & set(file)
        assert "keypoints_2d" not in file["aligned"]
    again = read_session(path)
    assert again.video is None
    assert again.pose is None
    assert again.aligned.keypoints_2d is None


def test_every_dataset_says_its_unit_and_what_it_is(tmp_path: Path, session: Session) -> None:
    path = tmp_path / "a.h5"
    write_session(path, session)
    with h5py.File(path) as file:
        silent: list[str] = []
        file.visititems(
            lambda name, node: (
                silent.append(name)
                if isinstance(node, h5py.Dataset) and not (node.attrs["description"] and "unit" in node.attrs)
                else None
            )
        )
        assert silent == []
        assert file["pose"].attrs["skeleton"] == "BODY_25"
        assert set(schema.SYNC_FLOATS) <= set(file["sync/video"].attrs)


def test_a_session_is_never_overwritten(tmp_path: Path, session: Session) -> None:
    path = tmp_path / "a.h5"
    write_session(path, session)
    with pytest.raises(OutputExistsError):
        write_session(path, session)


def test_nothing_is_left_when_writing_fails(tmp_path: Path, session: Session) -> None:
    broken = replace(session, sync={"video": replace(session.sync["video"], constants={"x": object()})})  # type: ignore[dict-item]
    with pytest.raises(TypeError):
        write_session(tmp_path / "a.h5", broken)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: f.attrs.__setitem__("format_version", "2"), "format_version '2'"),
        (lambda f: f.attrs.__setitem__("format", [1, 2]), "not 'mia-session'"),
        (lambda f: f["sync/video"].attrs.__setitem__("offset_s", "early"), "offset_s of /sync/video is 'early'"),
        (lambda f: f["sync/video"].attrs.__delitem__("n_matched"), "n_matched of /sync/video is missing"),
        (lambda f: f.attrs.__setitem__("rate_hz", [10.0, 10.0]), "rate_hz is not a single value"),
        (lambda f: f.attrs.__setitem__("verdict", [1.0, 2.0]), "verdict is not a single value"),
        (lambda f: f.attrs.__setitem__("format", "x"), "root attribute format"),
        (lambda f: f.attrs.__delitem__("zero_host_ns"), "zero_host_ns is missing"),
        (lambda f: f.attrs.__setitem__("verdict", "FINE"), "verdict is 'FINE'"),
        (lambda f: f.__delitem__("aligned"), "group /aligned is missing"),
        (lambda f: f.__delitem__("aligned/emg"), "dataset /aligned/emg is missing"),
        (lambda f: replace_dataset(f, "aligned/emg", np.zeros((T, 3))), r"/aligned/emg has shape \(40, 3\)"),
        (lambda f: replace_dataset(f, "aligned/segment", np.zeros(T)), "/aligned/segment has type float64"),
        (lambda f: replace_dataset(f, "pose/confidence", np.zeros((F, 33))), "/pose/confidence has shape"),
    ],
)
def test_opening_names_what_is_wrong(
    tmp_path: Path, session: Session, damage: Callable[[h5py.File], None], message: str
) -> None:
    path = tmp_path / "a.h5"
    write_session(path, session)
    with edited_session(path) as file:
        damage(file)
    with pytest.raises(SessionError, match=message):
        read_session(path)
    assert check_session(path)


def replace_dataset(file: h5py.File, path: str, data: np.ndarray) -> None:
    del file[path]
    file[path] = data


def test_a_file_that_is_no_hdf5_is_no_session(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    path.write_text("time_s,left_biceps\n")
    with pytest.raises(SessionError, match="not a readable HDF5"):
        read_session(path)


def test_a_truncated_session_is_an_error_not_a_crash(tmp_path: Path, session: Session) -> None:
    path = tmp_path / "a.h5"
    write_session(path, session)
    content = path.read_bytes()
    for keep in range(0, len(content), len(content) // 7):
        path.write_bytes(content[:keep])
        with pytest.raises(SessionError):
            read_session(path)


def test_folders_are_searched_and_other_files_passed_over(tmp_path: Path, session: Session) -> None:
    write_session(tmp_path / "b" / "x.h5", session)
    (tmp_path / "b" / "x.html").write_text("")
    assert find_sessions([tmp_path]) == [tmp_path / "b" / "x.h5"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(SessionError, match="no session in"):
        find_sessions([tmp_path / "empty"])
    with pytest.raises(SessionError, match="no session at"):
        find_sessions([tmp_path / "nowhere"])
