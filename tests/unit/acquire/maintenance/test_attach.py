"""Attaching a phone's files: rows with their checksums, the manifest anew, the rest of the capture as it was."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from acquire.cli import app, attached_text
from acquire.maintenance.attach import attach_videos
from acquire.maintenance.recover import verify
from dataset.capture.attachments import add_attachments
from dataset.capture.manifest import OWN
from dataset.capture.reader import Capture
from dataset.capture.writer import CaptureWriter
from dataset.media.video import frame_pts_ns
from dataset.support.errors import CaptureCutOffError, CaptureError, InputError, VideoError
from dataset.support.files import sha256_of
from tests.unit.phone import codec_available, film, phone_times_ms, pyav_times_ns


@pytest.fixture
def closed(fakes: Any, tmp_path: Path) -> Path:
    """A closed capture without a video."""
    folder = tmp_path / "sub-S1" / "ses-20260101T000000"
    folder.mkdir(parents=True)
    writer = CaptureWriter(folder, subject="S1", sensors=fakes.slots(1))
    writer.notification(1, 0, "x", 5, b"\x01\x00")
    writer.close({"sensors": {"left_biceps": {"received": 1}}})
    return folder


@pytest.fixture
def phone(tmp_path: Path) -> Callable[..., Path]:
    """Make files of a phone."""
    codec = "libx265" if codec_available("libx265") else "libx264"

    def make(name: str, seed: int = 1, **options: Any) -> Path:
        return film(tmp_path / name, phone_times_ms(20, seed), codec=codec, turned=True, **options)

    return make


def test_parts_become_rows_in_order_and_nothing_else_changes(closed: Path, phone: Callable[..., Path]) -> None:
    before = json.loads((closed / "manifest.json").read_text())
    paths = [phone("a.mp4", 1), phone("b.mp4", 2)]
    contents = [path.read_bytes() for path in paths]
    made = attach_videos(closed, paths)
    assert [p.read_bytes() for p in paths] == contents
    with Capture.open(closed) as capture:
        rows = capture.attachments()
        assert rows == made.rows and capture.videos == tuple(paths)
        assert len(capture.notifications(1).payload) == 1
    assert [(r.ord, r.kind, r.path, r.sha256, r.size) for r in rows] == [
        (k, "video", str(p), sha256_of(p), p.stat().st_size) for k, p in enumerate(paths)
    ]
    after = json.loads((closed / "manifest.json").read_text())
    assert after["counts"]["attachment"] == 2
    assert {k: v for k, v in after.items() if k not in ("files", "counts", OWN)} == {
        k: v for k, v in before.items() if k not in ("files", "counts", OWN)
    }
    assert verify(closed) == ()
    assert sorted(p.name for p in closed.iterdir()) == ["capture.db", "manifest.json"]
    assert made.facts[0].rotation_deg == 90
    third = attach_videos(closed, [phone("c.mp4", 3)])
    assert third.rows[0].ord == 2


def test_a_file_in_the_captures_own_folder_moves_with_it(closed: Path, phone: Callable[..., Path]) -> None:
    path = phone("a.mp4").rename(closed / "phone.mp4")
    (row,) = attach_videos(closed, [path]).rows
    assert row.path == "phone.mp4"
    moved = closed.rename(closed.with_name("ses-20260101T000001"))
    assert verify(moved) == ()
    with Capture.open(moved) as capture:
        assert capture.video_path == moved / "phone.mp4"


def test_what_changed_or_went_afterwards_is_found(closed: Path, phone: Callable[..., Path]) -> None:
    a, b = phone("a.mp4", 1), phone("b.mp4", 2)
    attach_videos(closed, [a, b])
    a.write_bytes(a.read_bytes()[:-1] + b"\xff")
    b.unlink()
    assert [(m.file, m.problem) for m in verify(closed)] == [(str(a), "changed"), (str(b), "missing")]


def test_bad_input_changes_nothing(closed: Path, phone: Callable[..., Path], tmp_path: Path) -> None:
    content = {p.name: p.read_bytes() for p in closed.iterdir()}
    a = phone("a.mp4")
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    with pytest.raises(VideoError):
        attach_videos(closed, [a, text])
    with pytest.raises(VideoError, match="no such file"):
        attach_videos(closed, [tmp_path / "nowhere.mp4"])
    with pytest.raises(InputError, match="named twice"):
        attach_videos(closed, [a, a])
    with pytest.raises(VideoError, match="not parts of one recording"):
        attach_videos(closed, [a, film(tmp_path / "upright.mp4", [0, 33], codec="libx264")])
    assert {p.name: p.read_bytes() for p in closed.iterdir()} == content
    attach_videos(closed, [a])
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(a.read_bytes())
    with pytest.raises(InputError, match="attached already"):
        attach_videos(closed, [copy])


def test_only_a_closed_and_unchanged_capture_takes_files(closed: Path, phone: Callable[..., Path]) -> None:
    a = phone("a.mp4")
    with sqlite3.connect(closed / "capture.db") as db:
        db.execute("UPDATE meta SET value='S2' WHERE key='subject'")
    db.close()
    with pytest.raises(CaptureError, match="has changed since it was closed"):
        attach_videos(closed, [a])
    (closed / "manifest.json").unlink()
    with pytest.raises(CaptureCutOffError):
        attach_videos(closed, [a])


def test_a_write_that_fails_leaves_the_capture_as_it_was(
    closed: Path, phone: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = {p.name: p.read_bytes() for p in closed.iterdir()}

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dataset.capture.attachments.shutil.copyfile", full)
    with pytest.raises(InputError, match="No space left"):
        add_attachments(closed, "video", [(phone("a.mp4"), "0" * 64)])
    assert {p.name: p.read_bytes() for p in closed.iterdir()} == content


def test_what_the_person_should_know_is_said(closed: Path, phone: Callable[..., Path], fakes: Any) -> None:
    made = attach_videos(closed, [phone("a.mp4", sound=False)])
    assert any("no sound track" in note for note in made.notes)
    (closed / "video.mkv").write_bytes(b"own")
    made = attach_videos(closed, [phone("b.mp4", 2, sound=False)])
    assert any("its own video" in note for note in made.notes)


def test_parts_far_apart_by_their_own_clocks_are_doubted(
    closed: Path, phone: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from dataset.media.facts import examine_video

    began = {"a.mp4": "2026-01-01T10:00:00.000000Z", "b.mp4": "2026-01-01T10:00:31.000000Z"}
    monkeypatch.setattr(
        "acquire.maintenance.attach.examine_video",
        lambda path: replace(examine_video(path), created_utc=began[path.name]),
    )
    made = attach_videos(closed, [phone("a.mp4"), phone("b.mp4", 2)])
    assert any("b.mp4 begins 29 s after a.mp4 ends" in note for note in made.notes)


def test_the_command_prints_one_object_or_lines(closed: Path, phone: Callable[..., Path]) -> None:
    a = phone("a.mp4")
    done = CliRunner().invoke(app, ["attach", str(closed), str(a), "--json"])
    assert done.exit_code == 0, done.output
    (video,) = json.loads(done.stdout)["videos"]
    assert (video["sha256"], video["rotation_deg"], video["variable_rate"]) == (sha256_of(a), 90, True)
    made = attach_videos(closed, [phone("b.mp4", 2)])
    assert "turned 90 degrees" in attached_text(made) and "20-159 ms between frames" in attached_text(made)


@pytest.mark.realdata
@pytest.mark.parametrize("clip", ["mrpose/squat.mp4", "pose2sim/cam01.mp4", "sports2d/demo.mp4"])
def test_real_clips_attach_with_pyavs_times(closed: Path, shared_data: Path, clip: str) -> None:
    path = shared_data / "video" / clip
    made = attach_videos(closed, [path])
    expected = pyav_times_ns(path)
    with Capture.open(closed) as capture:
        assert capture.video_path == path.resolve()
        assert frame_pts_ns(path).tolist() == expected
    assert made.facts[0].n_frames == len(expected) and not made.facts[0].variable_rate


def test_a_video_whose_name_is_no_utf8_is_attached_found_and_verified(closed: Path, phone: Callable[..., Path]) -> None:
    odd = phone("plain.mp4").rename(closed.parent / os.fsdecode(b"Kn\xefie \x1b[2J.mp4"))
    result = CliRunner().invoke(app, ["attach", str(closed), str(odd)])
    assert result.exit_code == 0, result.output
    assert "\x1b" not in result.output and "Kn\N{REPLACEMENT CHARACTER}ie" in result.output
    with Capture.open(closed) as capture:
        assert capture.videos == (odd,)
        capture.attachments()[0].path.encode()
    assert verify(closed) == ()
    with pytest.raises(InputError, match="attached already"):
        attach_videos(closed, [odd])
    odd.unlink()
    assert [m.problem for m in verify(closed)] == ["missing"]
