"""Sessions of somebody else's: what check accepts every command can work with, and a changed bit is never accepted."""

from __future__ import annotations

import lzma
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataset.session.checksum import USER_BLOCK_BYTES
from dataset.session.file import check_session, check_sessions, read_session, write_session
from dataset.session.types import Session
from dataset.support.errors import MiaError, SessionError
from dataset.windows import windows_from_sessions
from sync import cli
from sync.quality.lag_probe import probe_lag
from sync.session_summary import session_as_dict, session_as_text
from tests.sealed import edited_session

GOLDEN = Path(__file__).resolve().parents[3] / "golden"


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    path = tmp_path_factory.mktemp("golden") / "s.h5"
    path.write_bytes(lzma.decompress((GOLDEN / "session-1-virtual.h5.xz").read_bytes()))
    made = read_session(path)
    n = len(made.aligned.time_s)
    points = np.random.default_rng(0).normal(0, 0.3, (n, 25, 3))
    return replace(made, aligned=replace(made.aligned, keypoints_3d=points, confidence=np.ones((n, 25))))


@pytest.fixture(scope="module")
def whole(session: Session, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "s.h5"
    write_session(path, session)
    return path


@pytest.fixture
def path(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(whole, tmp_path / "s.h5"))


def changed(name: str, change: Callable[[np.ndarray], object]) -> Callable[[h5py.File], object]:
    """Return a change of a dataset's values."""

    def apply(file: h5py.File) -> None:
        values = file[name][()]
        change(values)
        file[name][...] = values

    return apply


def replaced(name: str, **made: Any) -> Callable[[h5py.File], object]:
    """Return a change of a dataset into another."""

    def apply(file: h5py.File) -> None:
        del file[name]
        file.create_dataset(name, **made)

    return apply


def regrouped(file: h5py.File) -> None:
    del file["aligned/emg"]
    file.create_group("aligned/emg")


def flat(values: np.ndarray) -> np.ndarray:
    return values.reshape(-1)


CHANGES: list[tuple[Callable[[h5py.File], object], str]] = [
    (lambda f: f.attrs.__setitem__("verdict", np.arange(3)), "verdict is not a single value"),
    (lambda f: f.attrs.__setitem__("subject", "../x"), "not letters and digits"),
    (lambda f: f.attrs.__setitem__("rate_hz", np.nan), "rate_hz is nan"),
    (lambda f: f.attrs.__setitem__("zero_host_ns", np.uint64(2**64 - 1)), "more than 64 bits"),
    (lambda f: f["video"].attrs.__setitem__("height", "tall"), "height of /video is 'tall', not an integer"),
    (lambda f: f["video"].attrs.__setitem__("width", 0), "0 x"),
    (lambda f: f["sync/video"].attrs.__setitem__("verdict", "FINE"), "is none of PASS"),
    (lambda f: f["sync/video"].attrs.__setitem__("extra", np.arange(9)), "not a single number or text"),
    (lambda f: f["sync"].__setitem__("odd", np.arange(3)), "/sync/odd is not a group"),
    (regrouped, "/aligned/emg is not a dataset"),
    (replaced("aligned/time_s", shape=(10**8,), dtype="f8", chunks=(1000,)), "claims 800000000 bytes and holds 0"),
    (replaced("emg/left_biceps/value", data=h5py.Empty("f8")), "has shape None"),
    (replaced("provenance/log", data=np.array([b'{"n": ' + b"9" * 5000 + b"}"])), "more than 64 bits"),
    (replaced("provenance/log", data=np.array([b"[" * 5000])), "nested|Expecting"),
    (replaced("provenance/log", data=np.array([b"[1]"])), "is not a JSON object"),
    (changed("aligned/time_s", lambda v: v.__setitem__(5, v[3])), "fall or repeat within a segment"),
    (changed("aligned/time_s", lambda v: v.__setitem__(slice(40, None), v[40:] + 1e6)), "the steps of /aligned/time_s"),
    (changed("aligned/keypoints_3d", lambda v: flat(v).__setitem__(7, np.inf)), "keypoints_3d has infinite values"),
    (changed("aligned/emg", lambda v: flat(v).__setitem__(7, 1e300)), "emg has values beyond"),
    (changed("emg/left_biceps/time_s", lambda v: v.__setitem__(4, -50.0)), "time_s fall"),
    (changed("aligned/segment", lambda v: v.__setitem__(0, -9)), "below -1"),
    (changed("channels/name", lambda v: v.__setitem__(1, v[0])), "two channels are called"),
]


@pytest.mark.parametrize(("change", "why"), CHANGES, ids=[why[:40] for _, why in CHANGES])
def test_what_a_session_may_not_be_is_named(path: Path, change: Callable[[h5py.File], object], why: str) -> None:
    with edited_session(path) as file:
        change(file)
    with pytest.raises(SessionError, match=why):
        read_session(path)
    assert check_session(path)


def test_one_bad_file_does_not_end_the_others(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (path.parent / "a.h5").write_bytes(b"none")
    found = check_sessions([path.parent])
    assert [bool(found[str(path.parent / name)]) for name in ("a.h5", "s.h5")] == [True, False]
    monkeypatch.setattr(sys, "argv", ["mia-sync", "lag", str(path.parent)])
    with pytest.raises(SystemExit) as left:
        cli.main()
    said = capsys.readouterr()
    assert left.value.code == 2
    assert "a.h5 is not a session" in said.err and "s.h5" in said.out


def test_a_flipped_bit_is_never_accepted(path: Path) -> None:
    content = path.read_bytes()
    rng = np.random.default_rng(1)
    places = [*rng.integers(0, 8 * len(content), 120), *rng.integers(0, 8 * USER_BLOCK_BYTES, 30)]
    for at in places:
        damaged = bytearray(content)
        damaged[at // 8] ^= 1 << (at % 8)
        path.write_bytes(damaged)
        with pytest.raises(SessionError):
            read_session(path)


def test_a_session_is_plain_hdf5_behind_its_checksum(path: Path) -> None:
    assert path.read_bytes().startswith(b"mia-session sha256 ")
    with h5py.File(path) as file:
        assert file.userblock_size == USER_BLOCK_BYTES


ODD = st.sampled_from(
    [0, -1, 1, 7, 2**40, 2**63 - 1, 0.5, -3.5, 1e6, 1e30, 1e300, np.nan, np.inf, -np.inf, "", "a", "$x^{", "\x1b[2J",
     "\udcff", True, np.arange(3), np.zeros((2, 2))]
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_what_check_accepts_every_command_can_work_with(whole: Path, tmp_path: Path, data: st.DataObject) -> None:
    path = Path(shutil.copy(whole, tmp_path / "s.h5"))
    with edited_session(path) as file:
        nodes: list[str] = []
        file.visit(nodes.append)
        node = file[data.draw(st.sampled_from(nodes))]
        value = data.draw(ODD)
        with suppress(TypeError, ValueError, OverflowError, UnicodeError):  # HDF5 itself refuses to hold it
            if isinstance(node, h5py.Dataset) and node.size and not isinstance(value, np.ndarray):
                rows = node[()]
                rows[tuple(data.draw(st.integers(0, n - 1)) for n in node.shape)] = value
                node[...] = rows
            elif len(node.attrs):
                node.attrs[data.draw(st.sampled_from(sorted(node.attrs)))] = value
    if check_session(path):
        return
    opened = read_session(path)
    session_as_dict(opened)
    session_as_text(opened)
    probe_lag(opened)
    with suppress(MiaError):  # too short, without keypoints: refused in words
        windows = windows_from_sessions([opened])
        assert np.isfinite(windows.emg[windows.valid]).all()
