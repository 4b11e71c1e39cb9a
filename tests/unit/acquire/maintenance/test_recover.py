"""Recovering captures that were cut off, verifying closed ones."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acquire.cli import recovered_text
from acquire.maintenance.recover import recover, verify
from acquire.media.video_writer import VideoFormat, VideoWriter
from dataset.capture.closing import ROOM
from dataset.capture.reader import Capture
from dataset.capture.writer import CaptureWriter, new_capture_folder
from dataset.support.errors import CaptureCutOffError, CaptureError

STEP_NS = 100_000_000
Fill = Callable[[CaptureWriter], None]


def values(slot: int, n: int) -> Fill:
    """Return what writes ``n`` values of ``slot``."""

    def fill(writer: CaptureWriter) -> None:
        for k in range(n):
            writer.notification(slot, 0, "u", 1_000_000_000 + k * STEP_NS, b"\x01\x00")

    return fill


def recorded(fakes: Any, out: Path, *fills: Fill, close: bool) -> Path:
    """Write a small capture; without closing it is what a kill leaves."""
    folder = new_capture_folder(out, "S1", "20260101T000000")
    writer = CaptureWriter(folder, subject="S1", sensors=fakes.slots(2))
    for fill in fills or (values(1, 30),):
        fill(writer)
    if close:
        writer.close()
    else:
        writer._queue.put(None)  # the thread ends, the capture stays open as after a kill
        writer._thread.join()
    return folder


def test_a_cut_off_capture_is_closed_and_counted(fakes: Any, tmp_path: Path) -> None:
    folder = recorded(fakes, tmp_path, close=False)
    assert (folder / ROOM).is_file()
    (folder / "manifest.json.part").write_text("{")  # killed while it closed
    found = recover(folder)
    assert not found.was_closed and not found.has_video
    assert found.counts["notification"] == 30 and found.ends.span_s == 2.9
    assert [p.name for p in sorted(folder.iterdir())] == ["capture.db", "manifest.json"]
    assert verify(folder) == ()
    again = recover(folder)
    assert again.was_closed and again.counts == found.counts and again.ends == found.ends


def test_a_capture_whose_closing_was_killed_in_a_transaction_is_recovered(fakes: Any, tmp_path: Path) -> None:
    """SQLite then left a hot journal: the database is whole when a connection that may write has rolled it back."""
    folder = recorded(fakes, tmp_path, close=True)
    (folder / "manifest.json").unlink()
    killed = tmp_path / "killed"
    with contextlib.closing(sqlite3.connect(folder / "capture.db", isolation_level=None)) as database:
        database.execute("PRAGMA cache_size=2")  # so that pages of an unfinished transaction are written
        database.execute("BEGIN")
        database.executemany("INSERT INTO log VALUES (?, 'info', 'half', '{}')", [(k,) for k in range(5000)])
        database.execute("DELETE FROM notification")
        shutil.copytree(folder, killed)
        database.execute("ROLLBACK")
    assert (killed / "capture.db-journal").stat().st_size
    with pytest.raises(CaptureError):
        Capture.open(killed, allow_unclosed=True)
    found = recover(killed)
    assert (found.was_closed, found.counts["notification"], found.counts["log"]) == (False, 30, 0)
    assert verify(killed) == ()
    assert [p.name for p in sorted(killed.iterdir())] == ["capture.db", "manifest.json"]


def test_what_was_lost_is_told_for_each_stream(fakes: Any, tmp_path: Path) -> None:
    def film(writer: CaptureWriter) -> None:
        picture = np.zeros((48, 64, 3), dtype=np.uint8)
        path = writer.folder / "video.mkv"
        with VideoWriter(path, VideoFormat(width=64, height=48, nominal_hz=10.0, sound_rate_hz=None)) as video:
            for k in range(32):
                pts_ns = k * STEP_NS if k % 10 else None
                if pts_ns is not None and k < 30:  # the last two are in the database alone
                    video.write_frame(picture, pts_ns)
                writer.frame(0, k, 1_000_000_000 + k * STEP_NS, pts_ns)

    def squat(writer: CaptureWriter) -> None:
        writer.event(1_000_000_000, "exercise_start", label="lunge")
        writer.event(1_500_000_000, "exercise_stop", label="lunge")
        writer.event(2_000_000_000, "exercise_start", label="squat")

    folder = recorded(fakes, tmp_path, values(1, 31), values(2, 12), film, squat, close=False)
    ends = recover(folder).ends
    assert ends.cut_in == "squat" and ends.pictures_lost == 1 and not ends.video_error
    told = {end.stream: (end.n, end.last_s, end.behind_s, end.early) for end in ends.streams}
    assert told == {
        "left_biceps": (31, 3.0, 0.0, False),
        "right_biceps": (12, 1.1, 1.9, True),
        "picture": (27, 2.9, 0.1, False),
        "sound": (0, None, None, False),
    }
    text = recovered_text(recover(folder))
    assert "right_biceps           12  last at 1.10 s, 1.90 s before the end  ENDED EARLY" in text
    assert "1 frames were not written to the file" in text and "cut off in: squat" in text
    with Capture.open(folder) as capture:
        assert capture.manifest["health"]["recovered"]["cut_in"] == "squat"


def test_a_video_without_a_whole_header_is_said_and_the_rest_is_kept(fakes: Any, tmp_path: Path) -> None:
    def film(writer: CaptureWriter) -> None:
        (writer.folder / "video.mkv").write_bytes(b"\x1a\x45")
        writer.frame(0, 0, 1_000_000_000, 0)

    folder = recorded(fakes, tmp_path, values(1, 30), film, close=False)
    found = recover(folder)
    assert "cannot be" in found.ends.video_error and found.counts["notification"] == 30
    assert verify(folder) == ()


def test_every_kind_of_mismatch_is_found(fakes: Any, tmp_path: Path) -> None:
    def film(writer: CaptureWriter) -> None:
        (writer.folder / "video.mkv").write_bytes(b"v")

    folder = recorded(fakes, tmp_path, film, close=True)
    assert verify(folder) == ()
    (folder / "truth.json").write_text("{}")
    assert verify(folder) == (), "the truth of a virtual rig is no part of the capture"
    (folder / "stray.txt").write_text("x")
    (folder / "video.mkv").unlink()
    with (folder / "capture.db").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\xff")
    assert [(m.file, m.problem) for m in verify(folder)] == [
        ("capture.db", "changed"),
        ("video.mkv", "missing"),
        ("stray.txt", "not in the manifest"),
    ]


@pytest.mark.parametrize("files", [{}, [], {"capture.db": "abc"}])
def test_a_manifest_that_names_no_checksums_is_refused(fakes: Any, tmp_path: Path, files: Any) -> None:
    folder = recorded(fakes, tmp_path, close=True)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"files": files}))
    with pytest.raises(CaptureError, match=r"manifest\.json"):
        verify(folder)


def test_a_folder_without_a_capture_is_refused(tmp_path: Path) -> None:
    for check in (recover, verify):
        with pytest.raises(CaptureError, match="no capture"):
            check(tmp_path)


WRITING = """
import sys, time
from pathlib import Path
from dataset.capture.types import Sensor
from dataset.capture.writer import CaptureWriter
writer = CaptureWriter(Path(sys.argv[1]), subject="S1", sensors=[Sensor(slot=1, channel="a", muscle="a", side="left")])
while True:
    writer.notification(1, 0, "u", time.perf_counter_ns(), bytes(2))
    time.sleep(0.001)
"""


def test_a_running_recording_is_not_recovered_and_a_killed_one_is(tmp_path: Path) -> None:
    writing = subprocess.Popen([sys.executable, "-c", WRITING, str(tmp_path)], env=os.environ)
    try:
        deadline = time.monotonic() + 30
        while not (tmp_path / "capture.db-wal").is_file():
            assert time.monotonic() < deadline and writing.poll() is None
            time.sleep(0.01)
        time.sleep(0.6)
        with pytest.raises(CaptureCutOffError):
            verify(tmp_path)
        with pytest.raises(CaptureError, match="cannot be closed") as caught:
            recover(tmp_path)
        assert "another program has it open" in caught.value.why
        assert writing.poll() is None and (tmp_path / ROOM).is_file()
        killed_ns = time.perf_counter_ns()
    finally:
        writing.send_signal(signal.SIGKILL)
        writing.wait()
    copy = tmp_path.with_name("copy")
    shutil.copytree(tmp_path, copy)
    for folder in (tmp_path, copy):
        assert recover(folder).counts["notification"] > 100
        with Capture.open(folder) as capture:
            arrival = capture.notifications(1).arrival_ns
        assert (killed_ns - arrival[-1]) * 1e-9 < 0.5
        assert verify(folder) == ()
