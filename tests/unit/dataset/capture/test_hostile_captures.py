"""A capture of somebody else's: nothing that it names is read or written outside of its own folder."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from dataset.capture import schema
from dataset.capture.attachments import add_attachments
from dataset.capture.reader import Capture
from dataset.capture.types import Sensor
from dataset.capture.writer import CaptureWriter, new_capture_folder
from dataset.media.sequence import as_one_video
from dataset.media.sound import read_sound
from dataset.media.video import frame_pts_ns
from dataset.support.errors import CaptureError, InputError, VideoError
from tests.sealed import seal_again
from tests.unit.phone import film

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="links and pipes")


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    folder = new_capture_folder(tmp_path / "captures", "S01", "20260101T000000")
    CaptureWriter(folder, subject="S01", sensors=[Sensor(slot=1, channel="c", muscle="c", side="")]).close()
    return folder


def change(folder: Path, sql: str, *values: object) -> None:
    database = sqlite3.connect(folder / schema.DATABASE)
    with database:
        database.execute(sql, values)
    database.close()


def attach(folder: Path, path: str) -> None:
    change(folder, "INSERT INTO attachment VALUES (0, 'video', ?, '', 0)", path)


@pytest.mark.parametrize("name", [n for n in schema.OWN_FILES if n != ".room"])
@pytest.mark.parametrize("make", [lambda p: p.symlink_to("/dev/zero"), os.mkfifo], ids=["link", "pipe"])
def test_links_and_pipes_in_place_of_its_files_are_refused(
    capture: Path, name: str, make: Callable[[Path], object]
) -> None:
    (capture / name).unlink(missing_ok=True)
    make(capture / name)
    if name == schema.DATABASE:
        with pytest.raises(CaptureError, match=r"no capture|not a regular file"):
            Capture.open(capture)
        return
    with pytest.raises(CaptureError, match=r"is not a regular file of the folder"):
        Capture.open(capture, allow_unclosed=True)


@pytest.mark.parametrize("subject", ["../../victim", "", "a/b", "..", "/etc", "a b", "é"])
def test_a_subject_that_is_no_label_is_refused(capture: Path, subject: str) -> None:
    change(capture, "UPDATE meta SET value = ? WHERE key = 'subject'", subject)
    with pytest.raises(CaptureError, match="is damaged: its subject"):
        Capture.open(capture)


@pytest.mark.parametrize("said", ["/../../victim/index", "", "today", 7, [], "20260101T000000/../x"])
def test_a_time_of_closing_that_is_none_is_refused(capture: Path, said: object) -> None:
    seal_again(capture, closed_utc=said)
    with Capture.open(capture) as opened, pytest.raises(CaptureError, match=r"closed_utc"):
        _ = opened.closed_utc


@pytest.mark.parametrize("path", ["../secret.mkv", "sub/../../secret.mkv", "link.mkv", "link/secret.mkv", "a\0b/../.."])
def test_an_attachment_by_a_relative_path_stays_in_the_folder(capture: Path, path: str) -> None:
    (capture.parent / "secret.mkv").write_bytes(b"secret")
    (capture / "link.mkv").symlink_to("../secret.mkv")
    (capture / "link").symlink_to("..")
    attach(capture, path)
    with Capture.open(capture) as opened, pytest.raises(CaptureError, match="leads out of the capture's folder"):
        _ = opened.videos


@pytest.mark.parametrize("path", ["pipe", "/dev/zero", "."])
def test_an_attachment_that_is_no_file_is_refused(capture: Path, path: str) -> None:
    os.mkfifo(capture / "pipe")
    attach(capture, path)
    with Capture.open(capture) as opened, pytest.raises(CaptureError, match="it is not a file"):
        _ = opened.videos


def test_the_users_own_attachments_are_found_in_the_folder_and_by_whole_paths(capture: Path, tmp_path: Path) -> None:
    for path in (capture / "near.mkv", tmp_path / "far.mkv"):
        path.write_bytes(path.name.encode())
        add_attachments(capture, "video", [(path, path.name)])
    with Capture.open(capture) as opened:
        assert [a.path for a in opened.attachments()] == ["near.mkv", str(tmp_path / "far.mkv")]
        assert opened.videos == (capture / "near.mkv", tmp_path / "far.mkv")


def test_attaching_does_not_follow_a_link_in_place_of_what_it_writes(capture: Path, tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "film.mkv").write_bytes(b"film")
    for name in (schema.DATABASE, schema.MANIFEST):
        (capture / f"{name}.part").symlink_to(tmp_path / "victim")
    add_attachments(capture, "video", [(tmp_path / "film.mkv", "0")])
    assert (tmp_path / "victim").read_text() == "mine"


HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{film}\n#EXT-X-ENDLIST\n"
CONCAT = "ffconcat version 1.0\nfile '{film}'\n"


@pytest.mark.parametrize(("name", "text"), [("film.m3u8", HLS), ("video.mkv", CONCAT), ("film.mp4", CONCAT)])
def test_a_playlist_in_place_of_a_video_opens_no_other_file(tmp_path: Path, name: str, text: str) -> None:
    film(tmp_path / "other.mp4", range(0, 200, 40), codec="libx264")
    (tmp_path / name).write_text(text.format(film="other.mp4"))
    with av.open(str(tmp_path / name)) as opened:  # as it would be
        assert opened.streams.video
    with pytest.raises(VideoError):
        frame_pts_ns(tmp_path / name)
    with pytest.raises(VideoError):
        read_sound(tmp_path / name)


def test_a_list_of_files_is_no_video(tmp_path: Path) -> None:
    (tmp_path / "list.ffconcat").write_text("ffconcat version 1.0\nfile '/etc/passwd'\n")
    with (
        pytest.raises(InputError, match="is not a video: it is a list of files"),
        as_one_video([tmp_path / "list.ffconcat"]),
    ):
        pass


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "avi", "ts", "webm"])
def test_what_cameras_write_is_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"film.{suffix}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx" if suffix == "webm" else "libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(5):
            picture = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    assert len(frame_pts_ns(path)) == 5
