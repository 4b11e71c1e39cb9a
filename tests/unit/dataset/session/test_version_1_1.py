"""Session 1.1: booleans are uint8, units are the channels' own, axes have scales, and no folder is stored."""

from __future__ import annotations

import lzma
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from dataset.session.file import read_session, write_session
from dataset.session.types import Session, VideoInfo

GOLDEN = Path(__file__).resolve().parents[3] / "golden" / "session-1-virtual.h5.xz"


@pytest.fixture
def session(tmp_path: Path) -> Session:
    old = tmp_path / "old.h5"
    old.write_bytes(lzma.decompress(GOLDEN.read_bytes()))
    return read_session(old)


def nodes(path: Path) -> dict[str, np.ndarray]:
    """Return every dataset, and every attribute that is no reference of a dimension scale, as h5py reads them."""
    found: dict[str, np.ndarray] = {}
    with h5py.File(path) as file:

        def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Dataset):
                found[name] = item[()]
            for key, value in item.attrs.items():
                if key not in ("DIMENSION_LIST", "REFERENCE_LIST"):
                    found[f"{name}@{key}"] = np.asarray(value)

        visit("", file)
        file.visititems(visit)
    return found


def test_no_dataset_and_no_attribute_is_an_enum(session: Session, tmp_path: Path) -> None:
    write_session(tmp_path / "new.h5", session)
    found = nodes(tmp_path / "new.h5")
    assert [name for name, value in found.items() if value.dtype.kind == "b"] == []
    assert found["aligned/emg_valid"].dtype == np.uint8
    again = read_session(tmp_path / "new.h5")
    assert again.aligned.emg_valid.dtype == np.bool_
    np.testing.assert_array_equal(again.aligned.emg_valid, session.aligned.emg_valid)
    assert {type(stream.index_inferred) for stream in again.emg.values()} == {bool}


@pytest.mark.parametrize("units", [("mV",), ("mV", "uV", "%", "counts")])
def test_the_unit_of_values_is_the_channels_own(session: Session, tmp_path: Path, units: tuple[str, ...]) -> None:
    names = session.channels.name
    each = tuple(units[i % len(units)] for i in range(len(names)))
    write_session(tmp_path / "new.h5", replace(session, channels=replace(session.channels, unit=each)))
    with h5py.File(tmp_path / "new.h5") as file:
        for name, unit in zip(names, each, strict=True):
            assert file[f"emg/{name}/value"].attrs["unit"] == unit
        assert file["aligned/emg"].attrs["unit"] == (each[0] if len(units) == 1 else ", ".join(each))


def test_axes_have_scales(session: Session, tmp_path: Path) -> None:
    write_session(tmp_path / "new.h5", session)
    with h5py.File(tmp_path / "new.h5") as file:
        emg = file["aligned/emg"]
        assert [dim.label for dim in emg.dims] == ["T", "C"]
        np.testing.assert_array_equal(emg.dims[0][0][()], session.aligned.time_s)
        assert [name.decode() for name in emg.dims[1][0][()]] == list(session.channels.name)
        first = session.channels.name[0]
        np.testing.assert_array_equal(
            file[f"emg/{first}/value"].dims[0][0][()], session.emg[first].time_s
        )  # fmt: skip


@pytest.mark.parametrize(
    ("folder", "kept"),
    [
        ("/home/anna/captures/sub-S01/ses-20260101T100000", "sub-S01/ses-20260101T100000/"),
        ("C:\\Users\\anna\\films", ""),
        ("/home/anna", ""),
    ],
)
def test_no_absolute_path_is_stored(session: Session, tmp_path: Path, folder: str, kept: str) -> None:
    mark = "\\" if "\\" in folder else "/"
    films = f"{folder}{mark}a.mov + {folder}{mark}b.mov"
    assert session.video is not None
    video: VideoInfo = replace(session.video, file=films)
    steps = ({"step": "x", "video": films, "inputs": [folder + mark + "emg.csv"], "nested": {"path": folder}},)
    write_session(tmp_path / "new.h5", replace(session, video=video, provenance=steps))
    whole = repr(nodes(tmp_path / "new.h5"))
    assert "anna" not in whole
    again = read_session(tmp_path / "new.h5")
    assert again.video is not None and again.video.file == f"{kept}a.mov + {kept}b.mov"
    assert again.provenance[0]["inputs"] == [f"{kept}emg.csv"]


def test_a_second_writing_changes_nothing(session: Session, tmp_path: Path) -> None:
    write_session(tmp_path / "a.h5", session)
    write_session(tmp_path / "b.h5", read_session(tmp_path / "a.h5"))
    a, b = nodes(tmp_path / "a.h5"), nodes(tmp_path / "b.h5")
    assert set(a) == set(b)
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)
