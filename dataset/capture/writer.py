"""Writes a capture: rows go to a queue, and one thread commits them every quarter of a second.

If the program is killed at any moment, the database opens with all but the last commit's rows. A disk that
fills up loses nothing: space reserved at the start is released then, enough for the queued rows and
for closing. A row that cannot be stored is skipped, counted and logged; later rows are stored.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sqlite3
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset.capture import schema
from dataset.capture.closing import ROOM, is_disk_full, seal
from dataset.capture.types import Sensor
from dataset.sensors.stored import profile_texts
from dataset.support import clock
from dataset.support.errors import CaptureError, DiskFullError, InputError, OutputExistsError
from dataset.support.files import sha256_of
from dataset.support.labels import is_stamp, is_subject
from dataset.support.outputs import cannot_write
from dataset.support.text import clean_text, json_text, path_text, valid_text
from dataset.support.version import software

COMMIT_EVERY_S = 0.25

#: Reserved at the start of a recording, for the queued rows when the disk is full and for closing.
ROOM_BYTES = 8 * 2**20

_WAITING_POLL_S = 0.01

#: What SQLite and its adapter raise for an invalid row, while disk and database are fine: text that
#: is not UTF-8, an integer beyond 64 bits, a type or a missing value that the table rejects. A full or failing disk is
#: an OperationalError, a damaged database a plain DatabaseError.
_ROW_ERRORS = (
    ValueError,
    TypeError,
    OverflowError,
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)
_SHOWN_OF_A_ROW = 200

_INSERT = {
    "notification": "INSERT INTO notification VALUES (?,?,?,?,?,?)",
    "frame": "INSERT INTO frame VALUES (?,?,?,?)",
    "audio_block": "INSERT INTO audio_block VALUES (?,?,?,?)",
    "serial_line": "INSERT INTO serial_line VALUES (?,?,?)",
    "event": "INSERT INTO event VALUES (?,?,?,?,?,?)",
    "log": "INSERT INTO log VALUES (?,?,?,?)",
    "clock_anchor": "INSERT INTO clock_anchor VALUES (?,?)",
    "attachment": "INSERT INTO attachment VALUES (?,?,?,?,?)",
}


def check_subject(subject: str) -> str:
    """Return ``subject`` if it is a valid label, else raise InputError."""
    if not is_subject(subject):
        raise InputError(f"subject {subject!r} is not a valid label", "only letters and digits are allowed", "try: S01")
    return subject


def check_stamp(stamp: str) -> str:
    """Return ``stamp`` if it is a valid name of a recording, else raise InputError."""
    if not is_stamp(stamp):
        raise InputError(
            f"{stamp!r} is not a valid recording name", "it is written YYYYMMDDTHHMMSS", "try: 20260131T120000"
        )
    return stamp


def new_capture_folder(out: Path, subject: str, stamp: str | None = None) -> Path:
    """Create and return ``out/sub-<subject>/ses-<stamp>``.

    Raises
    ------
    OutputExistsError
        The folder exists already; captures are never overwritten.
    """
    folder = out / f"sub-{check_subject(subject)}" / f"ses-{check_stamp(stamp or clock.stamp())}"
    try:
        folder.mkdir(parents=True)
    except FileExistsError as error:
        raise OutputExistsError(f"{folder} exists", "captures are never overwritten", "record again") from error
    except OSError as error:
        raise cannot_write(out, error) from error
    return folder


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureHeader:
    """Facts stored in a capture's ``meta`` besides its subject and seed.

    Attributes
    ----------
    take : str
        Name of the take.
    setup_id : str
        Identifies the sensor placement; recordings that share it need no new calibration.
    rig_toml, protocol_toml : str
        Text of the rig file and of the protocol file.
    host_clock : {"perf_counter", "file"}
        Source of the times.
    clock_resolution_ns : int or None
        Resolution of that clock; None: that of this computer.
    """

    take: str = ""
    setup_id: str = ""
    rig_toml: str = ""
    protocol_toml: str = ""
    host_clock: str = clock.HOST_CLOCK
    clock_resolution_ns: int | None = None


class CaptureWriter:
    """Writes one capture; every method may be called from any thread and returns at once.

    Parameters
    ----------
    folder : Path
        An existing folder without a capture in it.
    subject : str
        Label of the person.
    sensors : iterable of Sensor
        Slots, each with its channel.
    sync_seed : int
        Seed of the irregular sync sequences.
    header : CaptureHeader
        Further facts for ``meta``.
    """

    def __init__(
        self,
        folder: Path,
        *,
        subject: str,
        sensors: Iterable[Sensor],
        sync_seed: int = 0,
        header: CaptureHeader = CaptureHeader(),
    ) -> None:
        self.folder = folder
        self._path = folder / schema.DATABASE
        if self._path.exists():
            raise OutputExistsError(f"{self._path} exists", "captures are never overwritten")
        self._queue: queue.SimpleQueue[tuple[str, tuple[Any, ...]] | None] = queue.SimpleQueue()
        self._next_seq: Counter[int] = Counter()
        self.counts: Counter[str] = Counter()
        #: Rows of each table that could not be stored.
        self.left_out: Counter[str] = Counter()
        self.failure: Exception | None = None
        #: The disk was full; the reserved space is in use, and the recording must end.
        self.disk_full = False
        resolution = clock.resolution_ns() if header.clock_resolution_ns is None else header.clock_resolution_ns
        values = {
            "format": schema.FORMAT,
            "format_version": schema.FORMAT_VERSION,
            "capture_uuid": str(uuid.uuid4()),
            "subject": check_subject(subject),
            "take": header.take,
            "setup_id": header.setup_id,
            "software": software(),
            "sync_seed": str(sync_seed),
            "rig_toml": header.rig_toml,
            "protocol_toml": header.protocol_toml,
            "host_clock": header.host_clock,
            "clock_resolution_ns": str(resolution),
        }
        sensors = tuple(sensors)
        try:
            _hold_room(folder / ROOM)
            self._create(values | profile_texts(s.profile for s in sensors), sensors)
        except (OSError, sqlite3.Error) as error:
            (folder / ROOM).unlink(missing_ok=True)
            raise CaptureError(
                f"cannot create {self._path}", str(error), "choose another --out, or free some space"
            ) from error
        self._thread = threading.Thread(target=self._run, name="capture-writer", daemon=True)
        self._thread.start()

    def _create(self, values: Mapping[str, str], sensors: Iterable[Sensor]) -> None:
        # Renamed only when its tables exist: a kill leaves a complete capture or none.
        part = self._path.with_name(self._path.name + ".part")
        with contextlib.closing(sqlite3.connect(part, isolation_level=None)) as db:
            db.execute("BEGIN")
            for statement in schema.SQL.strip().split(";\n"):
                db.execute(statement)
            db.executemany("INSERT INTO meta VALUES (?,?)", [(key, valid_text(text)) for key, text in values.items()])
            db.executemany(
                "INSERT INTO sensor VALUES (?,?,?,?,?,?,?,?,?,?,?)",
                [(s.slot, *map(clean_text, (s.channel, s.muscle, s.side, s.name, s.address, s.serial, s.profile.name,
                                            s.adapter, s.placement, s.electrode))) for s in sensors],
            )  # fmt: skip
            db.execute("COMMIT")
        part.rename(self._path)

    # -- rows -----------------------------------------------------------------------------------------------------

    def notification(self, slot: int, epoch: int, characteristic: str, arrival_ns: int, payload: bytes) -> None:
        """Store one notification as received."""
        self._queue.put(("notification", (slot, epoch, characteristic, arrival_ns, payload)))

    def frame(self, epoch: int, frame_index: int, arrival_ns: int, pts_ns: int | None) -> None:
        """Store one camera frame's times; ``pts_ns`` None means dropped."""
        self._queue.put(("frame", (epoch, frame_index, arrival_ns, pts_ns)))

    def audio_block(self, epoch: int, first_sample: int, n_samples: int, arrival_ns: int) -> None:
        """Store the time stamp of one block of sound."""
        self._queue.put(("audio_block", (epoch, first_sample, n_samples, arrival_ns)))

    def serial_line(self, source: str, arrival_ns: int, payload: bytes) -> None:
        """Store one received serial line."""
        self._queue.put(("serial_line", (source, arrival_ns, payload)))

    def event(
        self,
        t_ns: int,
        kind: str,
        *,
        uncertainty_ns: int = 0,
        label: str = "",
        source: str = "",
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Store one event on the host clock."""
        if kind not in schema.EVENT_KINDS:
            raise ValueError(f"unknown event kind {kind!r}")
        words = (clean_text(label), clean_text(source), json_text(detail or {}))
        self._queue.put(("event", (t_ns, uncertainty_ns, kind, *words)))

    def log(self, level: str, what: str, detail: Mapping[str, Any] | None = None, *, t_ns: int | None = None) -> None:
        """Store one log row."""
        at_ns = clock.now_ns() if t_ns is None else t_ns
        self._queue.put(("log", (at_ns, level, clean_text(what), json_text(detail or {}))))

    def clock_anchor(self, host_ns: int, utc_ns: int) -> None:
        """Store one pair of host and wall time."""
        self._queue.put(("clock_anchor", (host_ns, utc_ns)))

    def attachment(self, kind: str, path: Path, *, ord: int = 0) -> None:
        """Store an attached file by path and checksum; the file itself stays where it is."""
        self._queue.put(("attachment", (ord, kind, path_text(path), sha256_of(path), path.stat().st_size)))

    # -- the thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            with contextlib.closing(sqlite3.connect(self._path, isolation_level=None)) as db:
                db.execute("PRAGMA journal_mode=WAL")
                db.execute("PRAGMA synchronous=NORMAL")
                open_for_rows = True
                while open_for_rows:
                    rows, open_for_rows = self._gather()
                    if rows:
                        self._store(db, rows)
        except Exception as error:  # noqa: BLE001 - whatever ended the thread, close() must not close an incomplete capture
            self.failure = error

    def _gather(self) -> tuple[list[tuple[str, tuple[Any, ...]]], bool]:
        rows: list[tuple[str, tuple[Any, ...]]] = []
        deadline = time.monotonic() + COMMIT_EVERY_S
        while (left := deadline - time.monotonic()) > 0:
            try:
                item = self._queue.get(timeout=left)
            except queue.Empty:
                break
            if item is None:
                return rows, False
            rows.append(self._numbered(*item))
        return rows, True

    def _numbered(self, table: str, row: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
        if table != "notification":
            return table, row
        slot, epoch, *rest = row
        host_seq = self._next_seq[slot]
        self._next_seq[slot] += 1
        return table, (slot, epoch, host_seq, *rest)

    def _store(self, db: sqlite3.Connection, rows: list[tuple[str, tuple[Any, ...]]]) -> None:
        """Commit ``rows``; on a full disk retry with the reserved space."""
        try:
            self._commit(db, rows)
        except sqlite3.OperationalError as error:
            if self.disk_full or not is_disk_full(error):
                raise
            if db.in_transaction:
                db.execute("ROLLBACK")
            (self.folder / ROOM).unlink(missing_ok=True)
            self.disk_full = True
            self._commit(db, rows)

    def _commit(self, db: sqlite3.Connection, rows: list[tuple[str, tuple[Any, ...]]]) -> None:
        stored: Counter[str] = Counter()
        left_out: dict[str, list[_LeftOut]] = {}
        db.execute("BEGIN")
        for table, row in rows:
            try:
                db.execute(_INSERT[table], row)
            except _ROW_ERRORS as error:  # only of this row: the transaction continues
                left_out.setdefault(table, []).append((row, error))
            else:
                stored[table] += 1
        for table, refused in left_out.items():
            db.execute(_INSERT["log"], _left_out_row(table, refused))
            stored["log"] += 1
        db.execute("COMMIT")
        self.counts.update(stored)
        self.left_out.update({table: len(refused) for table, refused in left_out.items()})

    def wait_until_few_wait(self, most: int) -> None:
        """Wait until at most ``most`` rows are queued; for writing faster than real time."""
        while self._queue.qsize() > most and self._thread.is_alive():
            time.sleep(_WAITING_POLL_S)

    def close(self, health: Mapping[str, Any] | None = None) -> None:
        """Write the queued rows, checkpoint, leave WAL mode and write the manifest.

        Raises
        ------
        CaptureError
            The writer had failed (a full disk, say); committed data is kept.
        """
        self._queue.put(None)
        self._thread.join()
        if self.failure is not None:
            kind = DiskFullError if self.disk_full else CaptureError
            raise kind(
                f"writing {self._path} failed",
                str(self.failure),
                f"free some space, then: mia-record recover {self.folder}",
            ) from self.failure
        seal(self.folder, health)


_LeftOut = tuple[tuple[Any, ...], Exception]


def _left_out_row(table: str, refused: list[_LeftOut]) -> tuple[int, str, str, str]:
    """Return the log row about rows that could not be stored: their number, and the error of the first."""
    row, error = refused[0]
    detail = {
        "table": table,
        "rows": len(refused),
        "error": f"{type(error).__name__}: {error}",
        "row": _shown(row),
    }
    return clock.now_ns(), "error", "rows could not be stored and are left out", json_text(detail)


def _shown(row: tuple[Any, ...]) -> str:
    # Integers in hexadecimal: Python refuses to write very long ones in decimal.
    return ", ".join(hex(v) if isinstance(v, int) else repr(v) for v in row)[:_SHOWN_OF_A_ROW]


def _hold_room(path: Path) -> None:
    with path.open("wb") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, ROOM_BYTES)
        else:
            file.write(bytes(ROOM_BYTES))
