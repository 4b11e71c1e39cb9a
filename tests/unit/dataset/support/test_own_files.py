"""Names and files of a folder that somebody else may have made: none leads out of it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset.support.errors import InputError
from dataset.support.files import write_atomically
from dataset.support.labels import is_session_name, is_stamp, is_subject
from dataset.support.own_files import check_own_file, is_plain_name

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="links and pipes")


def link_out(path: Path) -> None:
    path.symlink_to("../secret")


def link_absolute(path: Path) -> None:
    path.symlink_to((path.parent.parent / "secret").absolute())


def link_to_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def link_to_nothing(path: Path) -> None:
    path.symlink_to("nothing")


def link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def unix_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path may not be long
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


HOSTILE: list[Callable[[Path], object]] = [
    link_out,
    link_absolute,
    link_to_device,
    link_to_nothing,
    link_to_itself,
    unix_socket,
    os.mkfifo,
    os.mkdir,
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder"


@pytest.mark.parametrize("make", HOSTILE)
def test_what_is_no_file_of_the_folder_is_refused(folder: Path, make: Callable[[Path], object]) -> None:
    make(folder / "file")
    with pytest.raises(InputError, match=r"'file' in .* is not a regular file of the folder"):
        check_own_file(folder, "file")


def test_files_and_links_that_stay_are_there(folder: Path) -> None:
    assert not check_own_file(folder, "file")
    (folder / "file").write_text("x")
    (folder / "link").symlink_to("file")
    assert check_own_file(folder, "file")
    assert check_own_file(folder, "link")
    outer = folder.parent / "outer"
    outer.symlink_to(folder)  # how the folder itself is named is its user's choice
    assert check_own_file(outer, "file")
    assert check_own_file(outer, "link")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../secret", "a/b", "/etc/passwd", "a\\b", "C:secret", "C:\\secret", "a\0b", "a/", "./a"]
)
def test_a_path_is_no_name(folder: Path, name: str) -> None:
    assert not is_plain_name(name)
    with pytest.raises(InputError, match="a path, not a name"):
        check_own_file(folder, name)


@given(st.text())
def test_a_plain_name_stays_in_its_folder(name: str) -> None:
    if is_plain_name(name):
        assert os.path.normpath(f"/folder/{name}") == f"/folder/{name}"
        assert os.path.dirname(f"/folder/{name}") == "/folder"  # noqa: PTH120 - of the text


@given(st.text() | st.from_regex(r"sub-\w+_ses-\d{8}T\d{6}", fullmatch=True))
def test_labels_are_ascii_letters_and_digits(text: str) -> None:
    allowed = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
    if is_subject(text) or is_stamp(text):
        assert set(text) <= allowed
    if is_session_name(text):
        assert set(text) <= allowed | set("-_")
    assert not is_subject("") and not is_stamp(text + "\n") and not is_subject(text + "\n")


def test_a_link_in_place_of_a_part_is_not_followed(folder: Path) -> None:
    (folder / "file.part").symlink_to("../secret")
    write_atomically(folder / "file", b"new")
    assert (folder.parent / "secret").read_text() == "secret"
    assert ((folder / "file").read_bytes(), (folder / "file").is_symlink()) == (b"new", False)
