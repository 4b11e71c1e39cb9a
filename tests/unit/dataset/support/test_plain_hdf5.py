"""HDF5 files that refer to what lies outside of them are refused; all others are read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset.importers.channels import read_channels
from dataset.session.file import check_session, read_session
from dataset.support.errors import InputError, SessionError
from dataset.support.plain_hdf5 import open_hdf5


def soft(group: h5py.Group, folder: Path) -> None:
    group["odd"] = h5py.SoftLink("/plain")


def dangling(group: h5py.Group, folder: Path) -> None:
    group["odd"] = h5py.SoftLink("/nowhere")


def external(group: h5py.Group, folder: Path) -> None:
    group["odd"] = h5py.ExternalLink(str(folder / "secret.h5"), "/secret")


def outside(group: h5py.Group, folder: Path) -> None:
    group.create_dataset("odd", (6,), np.uint8, external=[(str(folder / "secret.txt"), 0, 6)])


def virtual(group: h5py.Group, folder: Path) -> None:
    layout = h5py.VirtualLayout((3,), np.float64)
    layout[:] = h5py.VirtualSource(str(folder / "secret.h5"), "secret", (3,))
    group.create_virtual_dataset("odd", layout)


FOREIGN: list[Callable[[h5py.Group, Path], None]] = [soft, dangling, external, outside, virtual]


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    (tmp_path / "secret.txt").write_text("secret")
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["secret"] = np.arange(3.0)
    return tmp_path


@pytest.mark.parametrize("where", ["/", "a/b/c"])
@pytest.mark.parametrize("foreign", FOREIGN)
def test_what_lies_outside_is_refused_wherever_it_is_named(
    secrets: Path, foreign: Callable[[h5py.Group, Path], None], where: str
) -> None:
    path = secrets / "odd.h5"
    with h5py.File(path, "w") as file:
        file["plain"] = np.zeros(4)
        foreign(file.require_group(where), secrets)
    with pytest.raises(InputError, match=r"refers to data outside the file: .*/odd"), open_hdf5(path):
        pass
    with pytest.raises(SessionError, match="outside the file"):
        read_session(path)
    assert "odd" in check_session(path)[0]
    with pytest.raises(InputError, match="outside the file"):
        read_channels(path)


def test_plain_layouts_and_hard_links_in_a_circle_are_read(tmp_path: Path) -> None:
    path = tmp_path / "plain.h5"
    with h5py.File(path, "w") as file:
        file["contiguous"] = np.arange(4.0)
        file.create_dataset("chunked", data=np.arange(9.0), chunks=(3,), compression="gzip", fletcher32=True)
        compact = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        compact.set_layout(h5py.h5d.COMPACT)
        h5py.h5d.create(file.id, b"compact", h5py.h5t.NATIVE_INT32, h5py.h5s.create_simple((2,)), compact)
        file["a/up"] = file["/"]
        file["a/twice"] = file["contiguous"]
        file["type"] = np.dtype("f8")
    with open_hdf5(path) as file:
        assert file["a/up/a/twice"][3] == 3.0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["plain", *FOREIGN]), st.sampled_from(["/", "x", "x/y", "z"])), max_size=5))
def test_a_file_is_opened_exactly_if_all_in_it_is_plain(
    tmp_path_factory: pytest.TempPathFactory, made: list[tuple[str | Callable[[h5py.Group, Path], None], str]]
) -> None:
    folder = tmp_path_factory.mktemp("h5")
    with h5py.File(folder / "f.h5", "w") as file:
        for number, (kind, where) in enumerate(made):
            group = file.require_group(f"{where}/{number}")
            if callable(kind):
                kind(group, folder)
            else:
                group["values"] = np.arange(number)
    try:
        with open_hdf5(folder / "f.h5"):
            opened = True
    except InputError:
        opened = False
    assert opened == all(kind == "plain" for kind, _ in made)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
@pytest.mark.parametrize("read", [read_session, read_channels])
def test_a_pipe_is_no_file_and_is_not_waited_for(tmp_path: Path, read: Callable[[Path], object]) -> None:
    os.mkfifo(tmp_path / "pipe.h5")
    with pytest.raises(InputError, match=r"no such file|no file"):
        read(tmp_path / "pipe.h5")
