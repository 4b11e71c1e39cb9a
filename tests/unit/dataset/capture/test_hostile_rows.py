"""A capture's database of somebody else's: other types, views, triggers and changed bits are refused in words."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from dataset.capture import schema
from dataset.capture.reader import Capture
from dataset.capture.rows import COLUMNS
from dataset.capture.types import Sensor
from dataset.capture.writer import CaptureWriter, new_capture_folder
from dataset.support.errors import CaptureError
from sync.options import SyncOptions
from sync.pipeline import run_capture
from tests.sealed import seal_again


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    folder = new_capture_folder(tmp_path, "S01", "20260101T000000")
    writer = CaptureWriter(
        folder, subject="S01", sensors=[Sensor(slot=1, channel="left_biceps", muscle="biceps", side="left")]
    )
    for i in range(60):
        writer.notification(1, 0, "0000", i * 100_000_000, b"\x01\x02")
        writer.frame(0, i, i, i)
        writer.audio_block(0, i, 1, i)
    writer.event(5, "marker", label="a")
    writer.log("info", "b", {})
    writer.serial_line("s", 1, b"")
    writer.clock_anchor(1, 2)
    writer.close()
    return folder


def read_everything(folder: Path) -> None:
    with Capture.open(folder) as opened:
        for sensor in opened.sensors:
            opened.notifications(sensor.slot)
        for read in (opened.frames, opened.audio_blocks, opened.events, opened.log, opened.serial_lines,
                     opened.clock_anchors, opened.attachments):  # fmt: skip
            read()
        _ = opened.manifest


def without_strict(folder: Path, table: str, change: str) -> None:
    """Change rows in ways that STRICT forbids, as a damaged or edited file holds them."""
    with closing(sqlite3.connect(folder / schema.DATABASE, isolation_level=None)) as db:
        for sql in ("replace(sql, ') STRICT', ')')", None, "sql || ' STRICT'"):
            if sql is None:
                db.execute(change)
            else:
                db.execute("PRAGMA writable_schema=ON")
                db.execute(f"UPDATE sqlite_master SET sql = {sql} WHERE name = ?", (table,))
                db.execute("PRAGMA writable_schema=RESET")
    seal_again(folder)


TYPED = [(t, c.name, c.type) for t in ("notification", "frame", "audio_block", "event", "log", "serial_line",
                                      "clock_anchor") for c in COLUMNS[t] if c.name != "slot"]  # fmt: skip


@pytest.mark.parametrize(("table", "column", "kind"), TYPED)
def test_a_value_of_another_type_is_named(capture: Path, table: str, column: str, kind: type) -> None:
    value = {int: "'text'", str: "x'ff00'", bytes: "'text'"}[kind]
    without_strict(capture, table, f"UPDATE {table} SET {column} = {value}")
    with pytest.raises(CaptureError, match=rf"{column} in row 0 of the table {table} is of type"):
        read_everything(capture)


@pytest.mark.parametrize("table", schema.TABLES)
def test_a_view_in_place_of_a_table_is_refused(capture: Path, table: str) -> None:
    columns = ", ".join(f"n AS {c.name}" for c in COLUMNS[table])
    endless = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r)"
    with closing(sqlite3.connect(capture / schema.DATABASE)) as db:
        db.execute(f"ALTER TABLE {table} RENAME TO other")
        db.execute(f"CREATE VIEW {table} AS {endless} SELECT {columns} FROM r")
        db.commit()
    seal_again(capture)
    with pytest.raises(CaptureError, match=f"holds the view '{table}'"):
        read_everything(capture)


def test_a_trigger_and_a_changed_column_are_refused(capture: Path, tmp_path: Path) -> None:
    for sql, why in (
        ("CREATE TRIGGER t AFTER INSERT ON event BEGIN DELETE FROM event; END", "holds the trigger 't'"),
        ("ALTER TABLE frame DROP COLUMN pts_ns", "lacks the column pts_ns"),
        ("ALTER TABLE frame RENAME COLUMN pts_ns TO x", "lacks the column pts_ns"),
    ):
        copy = Path(shutil.copytree(capture, tmp_path / why.split()[-1].strip("'")))
        with closing(sqlite3.connect(copy / schema.DATABASE, isolation_level=None)) as db:
            db.execute(sql)
        with pytest.raises(CaptureError, match=why):
            read_everything(copy)
        shutil.rmtree(copy)


def test_two_sensors_of_one_channel_are_refused(capture: Path) -> None:
    with closing(sqlite3.connect(capture / schema.DATABASE, isolation_level=None)) as db:
        db.execute("INSERT INTO sensor SELECT 2, channel, muscle, side, name, address, serial, profile, adapter, "
                   "placement, electrode FROM sensor")  # fmt: skip
    with pytest.raises(CaptureError, match="two sensors have the channel 'left_biceps'"):
        read_everything(capture)


@pytest.mark.parametrize("name", [schema.DATABASE, schema.MANIFEST])
def test_a_flipped_bit_is_never_synchronised(capture: Path, tmp_path: Path, name: str) -> None:
    content = (capture / name).read_bytes()
    for at in np.random.default_rng(2).integers(0, 8 * len(content), 60):
        damaged = bytearray(content)
        damaged[at // 8] ^= 1 << (at % 8)
        (capture / name).write_bytes(damaged)
        with pytest.raises(CaptureError):
            run_capture(capture, tmp_path / "out", SyncOptions(pose=False, allow_unverified=True))
    assert not (tmp_path / "out").exists()


def test_a_changed_capture_is_not_synchronised_and_says_what_to_do(capture: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(capture / schema.DATABASE, isolation_level=None)) as db:
        db.execute("UPDATE notification SET payload = zeroblob(2) WHERE host_seq % 3 = 0")
    with pytest.raises(CaptureError, match="has changed since it was closed") as caught:
        run_capture(capture, tmp_path / "out", SyncOptions(pose=False, allow_unverified=True))
    assert "mia-record recover" in caught.value.hint
