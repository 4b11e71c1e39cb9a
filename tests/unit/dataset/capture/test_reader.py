"""A capture keeps every row exactly as it came, and a damaged one is refused with what is wrong."""

from __future__ import annotations

import json
import sqlite3
import threading
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset.capture import schema
from dataset.capture import writer as capture_writer
from dataset.capture.closing import seal
from dataset.capture.reader import Capture, find_captures
from dataset.capture.types import Sensor
from dataset.capture.writer import CaptureHeader, CaptureWriter, check_subject, new_capture_folder
from dataset.support.errors import CaptureCutOffError, CaptureError, InputError, OutputExistsError
from dataset.support.files import sha256_of
from dataset.support.text import clean_text

BICEPS = Sensor(slot=1, channel="left_biceps", muscle="biceps", side="left")
TRICEPS = Sensor(slot=2, channel="left_triceps", muscle="triceps", side="left", serial="X-2")
UUID = "00002a58-0000-1000-8000-00805f9b34fb"


def write_capture(tmp_path: Path, stamp: str = "20260101T000000") -> Path:
    folder = new_capture_folder(tmp_path, "S01", stamp)
    writer = CaptureWriter(folder, subject="S01", sensors=[BICEPS, TRICEPS], sync_seed=7)
    writer.notification(1, 0, UUID, 100, b"\x01\x00")
    writer.notification(2, 0, UUID, 110, b"")
    writer.notification(1, 1, UUID, 200, b"\xff")
    writer.frame(0, 0, 90, 0)
    writer.frame(0, 1, 123, None)
    writer.audio_block(0, 0, 320, 95)
    writer.serial_line("led-box", 77, b"PONG 1 2\n")
    writer.event(50, "flash", uncertainty_ns=3, source="led-box", detail={"micros": 5})
    writer.event(40, "marker", label="hello")
    writer.log("info", "a thing", {"n": 1}, t_ns=5)
    writer.clock_anchor(1, 2)
    writer.close({"1": {"received": 2}})
    return folder


def test_every_row_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    folder = write_capture(tmp_path)
    with Capture.open(folder) as capture:
        assert capture.subject == "S01"
        assert capture.name == "sub-S01_ses-20260101T000000"
        assert set(schema.META_KEYS) <= set(capture.meta)
        assert capture.meta["sync_seed"] == "7"
        assert [s.channel for s in capture.sensors] == ["left_biceps", "left_triceps"]
        assert capture.sensors[1].serial == "X-2"
        first = capture.notifications(1)
        assert first.payload == (b"\x01\x00", b"\xff")
        assert first.host_seq.tolist() == [0, 1]
        assert first.epoch.tolist() == [0, 1]
        assert capture.notifications(2).payload == (b"",)
        assert capture.frames().pts_ns.tolist() == [0, -1]
        assert capture.audio_blocks().n_samples.tolist() == [320]
        assert capture.serial_lines() == [("led-box", 77, b"PONG 1 2\n")]
        assert [e.kind for e in capture.events()] == ["marker", "flash"]
        assert capture.events("flash")[0].detail == {"micros": 5}
        assert capture.log() == [(5, "info", "a thing", {"n": 1})]
        assert capture.clock_anchors() == [(1, 2)]
        assert capture.manifest["health"] == {"1": {"received": 2}}


def test_an_hours_frames_are_read_without_an_hour_of_tuples(tmp_path: Path) -> None:
    folder = write_capture(tmp_path)
    db = sqlite3.connect(folder / schema.DATABASE)
    db.executemany("INSERT INTO frame VALUES (0, ?, ?, ?)", ((k, 10**15 + k, 10**12 + k) for k in range(2, 100_000)))
    db.commit()
    db.close()
    with Capture.open(folder) as capture:
        tracemalloc.start()
        frames = capture.frames()
        peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert frames.arrival_ns[-1] == 10**15 + 99_999
    assert peak_bytes < 4 * sum(c.nbytes for c in (frames.epoch, frames.frame_index, frames.arrival_ns, frames.pts_ns))


def test_the_manifest_holds_checksums_and_counts(tmp_path: Path) -> None:
    folder = write_capture(tmp_path)
    manifest = json.loads((folder / schema.MANIFEST).read_text())
    database = manifest["files"][schema.DATABASE]
    assert database["sha256"] == sha256_of(folder / schema.DATABASE)
    assert manifest["counts"]["notification"] == 3


def test_a_closed_database_has_left_wal_mode(tmp_path: Path) -> None:
    folder = write_capture(tmp_path)
    assert not list(folder.glob("*-wal"))
    db = sqlite3.connect(folder / schema.DATABASE)
    assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    db.close()


def test_rows_from_many_threads_keep_their_slot_order(tmp_path: Path) -> None:
    folder = new_capture_folder(tmp_path, "S01")
    writer = CaptureWriter(folder, subject="S01", sensors=[BICEPS, TRICEPS])

    def send(slot: int) -> None:
        for i in range(500):
            writer.notification(slot, 0, UUID, i, i.to_bytes(2, "little"))

    threads = [threading.Thread(target=send, args=(slot,)) for slot in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()
    with Capture.open(folder) as capture:
        for slot in (1, 2):
            rows = capture.notifications(slot)
            assert rows.host_seq.tolist() == list(range(500))
            assert rows.arrival_ns.tolist() == list(range(500))
            pieces = list(capture.notification_blocks(slot, block=120))
            assert [len(piece.payload) for piece in pieces] == [120, 120, 120, 120, 20]
            assert [p for piece in pieces for p in piece.payload] == list(rows.payload)
            assert np.concatenate([piece.host_seq for piece in pieces]).tolist() == list(range(500))


def test_an_existing_capture_is_never_overwritten(tmp_path: Path) -> None:
    folder = write_capture(tmp_path)
    with pytest.raises(OutputExistsError):
        new_capture_folder(tmp_path, "S01", "20260101T000000")
    with pytest.raises(OutputExistsError):
        CaptureWriter(folder, subject="S01", sensors=[])


@pytest.mark.parametrize("label", ["", "S 1", "a/b", "../x", "é", "S_1"])
def test_a_subject_label_is_letters_and_digits(label: str) -> None:
    with pytest.raises(InputError, match="subject"):
        check_subject(label)


def test_no_capture_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="no capture at"):
        Capture.open(tmp_path / "nowhere")


def test_a_recording_that_never_ended_is_refused_and_can_be_sealed(tmp_path: Path) -> None:
    folder = write_capture(tmp_path)
    (folder / schema.MANIFEST).unlink()
    with pytest.raises(CaptureCutOffError) as caught:
        Capture.open(folder)
    assert "recover" in caught.value.hint
    seal(folder)
    Capture.open(folder).close()


@pytest.mark.parametrize("keep", [0, 10, 100, 3000, 9000])
def test_a_cut_off_database_is_an_error_not_a_crash(tmp_path: Path, keep: int) -> None:
    folder = write_capture(tmp_path)
    database = folder / schema.DATABASE
    database.write_bytes(database.read_bytes()[:keep])
    with pytest.raises(CaptureError), Capture.open(folder) as capture:
        capture.notifications(1)
        capture.events()


def test_a_newer_format_names_both_versions(tmp_path: Path) -> None:
    folder = write_capture(tmp_path)
    db = sqlite3.connect(folder / schema.DATABASE)
    db.execute("UPDATE meta SET value='99' WHERE key='format_version'")
    db.commit()
    db.close()
    with pytest.raises(CaptureError, match="version 99"):
        Capture.open(folder)


def test_a_database_of_something_else_is_no_capture(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / schema.DATABASE)
    db.execute("CREATE TABLE t(x)")
    db.commit()
    db.close()
    (tmp_path / schema.MANIFEST).write_text("{}")
    with pytest.raises(CaptureError, match="lacks the table"):
        Capture.open(tmp_path)


def test_an_unknown_event_kind_is_a_programming_error(tmp_path: Path) -> None:
    writer = CaptureWriter(new_capture_folder(tmp_path, "S01"), subject="S01", sensors=[])
    with pytest.raises(ValueError, match="dance"):
        writer.event(0, "dance")
    writer.close()


def test_a_folder_of_captures_stands_for_all_of_them(tmp_path: Path) -> None:
    a, b = write_capture(tmp_path, "20260101T000000"), write_capture(tmp_path, "20260102T000000")
    assert find_captures([tmp_path]) == [a, b]
    assert find_captures([a, tmp_path / "none"]) == [a, tmp_path / "none"]


@settings(max_examples=20, deadline=None)
@given(payloads=st.lists(st.binary(max_size=40), max_size=30))
def test_any_payload_survives(tmp_path_factory: pytest.TempPathFactory, payloads: list[bytes]) -> None:
    folder = new_capture_folder(tmp_path_factory.mktemp("capture"), "S01")
    writer = CaptureWriter(folder, subject="S01", sensors=[BICEPS])
    for i, payload in enumerate(payloads):
        writer.notification(1, 0, UUID, i, payload)
    writer.close()
    with Capture.open(folder) as capture:
        assert capture.notifications(1).payload == tuple(payloads)


def test_a_row_that_cannot_be_stored_is_left_out_and_logged_and_the_others_are_stored(tmp_path: Path) -> None:
    folder = new_capture_folder(tmp_path, "S01", "20260101T000000")
    writer = CaptureWriter(folder, subject="S01", sensors=[BICEPS])
    wrong: Any = "no number"
    writer.notification(1, 0, UUID, 5, b"\x01")
    for arrival_ns in (2**63, -(2**63) - 1, 10**5000, float("nan"), wrong, None):
        writer.notification(1, 0, UUID, arrival_ns, b"\x02")  # type: ignore[arg-type]
    writer.frame(0, 0, 2**64, None)
    writer.serial_line("led-box\udcef", 3, b"")
    writer.notification(1, 0, UUID, 9, b"\x03")
    writer.close()
    assert writer.left_out == {"notification": 6, "frame": 1, "serial_line": 1}
    with Capture.open(folder) as capture:
        assert capture.closed
        assert capture.notifications(1).payload == (b"\x01", b"\x03")
        assert capture.notifications(1).host_seq.tolist() == [0, 7], "a number is missing for each that is left out"
        told = {detail["table"]: detail for _, level, _, detail in capture.log() if level == "error"}
        counts = capture.manifest["counts"]
    assert {table: detail["rows"] for table, detail in told.items()} == dict(writer.left_out)
    assert "OverflowError" in told["notification"]["error"] and "0x8000000000000000" in told["notification"]["row"]
    assert counts["notification"] == writer.counts["notification"] == 2
    assert counts["log"] == writer.counts["log"] == 3


def test_a_failing_disk_is_no_row_that_cannot_be_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = new_capture_folder(tmp_path, "S01", "20260101T000000")
    monkeypatch.setitem(capture_writer._INSERT, "clock_anchor", "INSERT INTO no_such_table VALUES (?,?)")
    writer = CaptureWriter(folder, subject="S01", sensors=[BICEPS])
    writer.clock_anchor(1, 2)  # SQLite's OperationalError, as for a disk that fails
    with pytest.raises(CaptureError, match="writing"):
        writer.close()
    assert not (folder / schema.MANIFEST).exists() and not writer.left_out


ANY_TEXT = st.text(alphabet=st.characters(), max_size=30) | st.text(
    alphabet=st.characters(categories=["Cs", "Cc", "Cf", "Zl", "Zp"]), max_size=8
)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=25, deadline=None)
@given(
    text=ANY_TEXT,
    number=st.integers() | st.sampled_from([2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 10**5000]),
    detail=st.dictionaries(ANY_TEXT, ANY_JSON, max_size=3),
)
def test_any_text_and_any_integer_leave_the_writer_alive(
    tmp_path_factory: pytest.TempPathFactory, text: str, number: int, detail: dict[str, Any]
) -> None:
    sensor = replace(BICEPS, name=text, serial=text, address=text, placement=text)
    folder = new_capture_folder(tmp_path_factory.mktemp("capture"), "S01")
    writer = CaptureWriter(
        folder,
        subject="S01",
        sensors=[sensor],
        header=CaptureHeader(take=text, setup_id=text, rig_toml=text, protocol_toml=text),
    )
    writer.event(number, "marker", uncertainty_ns=number, label=text, source=text, detail=detail)
    writer.log("info", text, detail, t_ns=number)
    writer.notification(1, number, text, number, b"\x01")
    writer.serial_line(text, number, b"")
    writer.frame(number, number, number, number)
    writer.audio_block(number, number, number, number)
    writer.clock_anchor(number, number)
    writer.event(1, "marker", label="the last", detail=detail)
    writer.close({"sensors": detail})
    with Capture.open(folder) as capture:
        assert capture.closed
        last = next(e for e in capture.events("marker") if e.label == "the last")
        json.dumps(last.detail, ensure_ascii=False, allow_nan=False).encode()
        assert capture.sensors[0].serial == clean_text(text)
        if -(2**63) <= number < 2**63:
            assert clean_text(text) in {e.label for e in capture.events("marker")}
            assert writer.left_out.keys() <= {"notification", "serial_line"}
        assert capture.log() or -(2**63) <= number < 2**63


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ("DELETE FROM meta WHERE key='subject'", "subject"),
        ("UPDATE event SET detail='{'", "not JSON"),
        ("UPDATE log SET detail='{'", "not JSON"),
    ],
)
def test_rows_that_make_no_sense_are_named(tmp_path: Path, damage: str, named: str) -> None:
    folder = write_capture(tmp_path)
    with sqlite3.connect(folder / schema.DATABASE) as db:
        db.execute(damage)
    db.close()
    with pytest.raises(CaptureError, match=named), Capture.open(folder) as capture:
        capture.events()
        capture.log()


@pytest.mark.parametrize("text", ['{"files"', "[1]", "null"])
def test_a_manifest_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    folder = write_capture(tmp_path)
    (folder / schema.MANIFEST).write_text(text)
    with Capture.open(folder) as capture, pytest.raises(CaptureError, match="damaged"):
        _ = capture.manifest
