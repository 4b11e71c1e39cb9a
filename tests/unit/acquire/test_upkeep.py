"""Recovering captures that were cut off, verifying closed ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from acquire.upkeep import recover, verify
from dataset.capture_writer import CaptureWriter, new_capture_folder
from dataset.errors import CaptureError


def recorded(fakes: Any, out: Path, *, close: bool) -> Path:
    """Write a small capture; without closing it is what a kill leaves."""
    folder = new_capture_folder(out, "S1", "20260101T000000")
    writer = CaptureWriter(folder, subject="S1", sensors=fakes.slots(2))
    for k in range(30):
        writer.notification(1, 0, "u", 1_000_000_000 + k * 100_000_000, b"\x01\x00")
    if close:
        writer.close()
    else:
        writer._queue.put(None)  # the thread ends, the capture stays open as after a kill
        writer._thread.join()
    return folder


def test_a_cut_off_capture_is_closed_and_counted(fakes: Any, tmp_path: Path) -> None:
    folder = recorded(fakes, tmp_path, close=False)
    found = recover(folder)
    assert not found.was_closed and not found.has_video
    assert found.counts["notification"] == 30 and found.ends.span_s == 2.9
    assert verify(folder) == ()
    again = recover(folder)
    assert again.was_closed and again.counts == found.counts


def test_every_kind_of_mismatch_is_found(fakes: Any, tmp_path: Path) -> None:
    folder = recorded(fakes, tmp_path, close=True)
    assert verify(folder) == ()
    (folder / "truth.json").write_text("{}")
    assert verify(folder) == (), "the truth of a virtual rig is no part of the capture"
    (folder / "stray.txt").write_text("x")
    with (folder / "capture.db").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\xff")
    assert [(m.file, m.problem) for m in verify(folder)] == [
        ("capture.db", "changed"),
        ("stray.txt", "not in the manifest"),
    ]


def test_a_folder_without_a_capture_is_refused(tmp_path: Path) -> None:
    for check in (recover, verify):
        with pytest.raises(CaptureError, match="no capture"):
            check(tmp_path)
