"""Writing a capture: rows go to a queue, one thread commits them every quarter of a second."""

from __future__ import annotations

import contextlib
import json
import queue
import re
import sqlite3
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dataset import capture_schema as schema
from dataset import clock
from dataset.capture import Sensor
from dataset.errors import CaptureError, InputError, OutputExistsError
from dataset.files import sha256_of, write_atomically
from dataset.outputs import cannot_write
from dataset.software import software

COMMIT_EVERY_S = 0.25

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
    """Return ``subject`` if it is a legal label, else raise InputError."""
    if not subject.isascii() or not subject.isalnum():
        raise InputError(f"subject {subject!r} is no label", "only letters and digits are allowed", "try: S01")
    return subject


def check_stamp(stamp: str) -> str:
    """Return ``stamp`` if it is a legal name of a recording, else raise InputError."""
    if not re.fullmatch(r"\d{8}T\d{6}", stamp, re.ASCII):
        raise InputError(
            f"{stamp!r} is no name of a recording", "it is written YYYYMMDDTHHMMSS", "try: 20260131T120000"
        )
    return stamp


def new_capture_folder(out: Path, subject: str, stamp: str | None = None) -> Path:
    """Create and return ``out/sub-<subject>/ses-<stamp>``.

    Raises
    ------
    OutputExistsError
        The folder is there already; captures are never overwritten.
    """
    folder = out / f"sub-{check_subject(subject)}" / f"ses-{stamp or clock.stamp()}"
    try:
        folder.mkdir(parents=True)
    except FileExistsError as error:
        raise OutputExistsError(f"{folder} exists", "captures are never overwritten", "record again") from error
    except OSError as error:
        raise cannot_write(out, error) from error
    return folder


class CaptureWriter:
    """Writes one capture; every method may be called from any thread and returns at once.

    Parameters
    ----------
    folder : Path
        An existing folder without a capture in it.
    subject, sync_seed, ... : str
        Stored in ``meta``.
    sensors : iterable of Sensor
        Slots, each with its channel.
    host_clock : {"perf_counter", "file"}
        Where the times come from.
    """

    def __init__(
        self,
        folder: Path,
        *,
        subject: str,
        sensors: Iterable[Sensor],
        sync_seed: int = 0,
        take: str = "",
        setup_id: str = "",
        rig_toml: str = "",
        protocol_toml: str = "",
        host_clock: str = clock.HOST_CLOCK,
        clock_resolution_ns: int | None = None,
    ) -> None:
        self.folder = folder
        self._path = folder / schema.DATABASE
        if self._path.exists():
            raise OutputExistsError(f"{self._path} exists", "captures are never overwritten")
        self._queue: queue.SimpleQueue[tuple[str, tuple[Any, ...]] | None] = queue.SimpleQueue()
        self._next_seq: Counter[int] = Counter()
        self.counts: Counter[str] = Counter()
        self.failure: Exception | None = None
        resolution = clock.resolution_ns() if clock_resolution_ns is None else clock_resolution_ns
        values = {
            "format": schema.FORMAT,
            "format_version": schema.FORMAT_VERSION,
            "capture_uuid": str(uuid.uuid4()),
            "subject": check_subject(subject),
            "take": take,
            "setup_id": setup_id,
            "software": software(),
            "sync_seed": str(sync_seed),
            "rig_toml": rig_toml,
            "protocol_toml": protocol_toml,
            "host_clock": host_clock,
            "clock_resolution_ns": str(resolution),
        }
        try:
            self._create(values, sensors)
        except sqlite3.Error as error:
            raise CaptureError(
                f"cannot create {self._path}", str(error), "choose another --out, or free some space"
            ) from error
        self._thread = threading.Thread(target=self._run, name="capture-writer", daemon=True)
        self._thread.start()

    def _create(self, values: Mapping[str, str], sensors: Iterable[Sensor]) -> None:
        with contextlib.closing(sqlite3.connect(self._path, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("BEGIN")
            for statement in schema.SQL.strip().split(";\n"):
                db.execute(statement)
            db.executemany("INSERT INTO meta VALUES (?,?)", values.items())
            db.executemany(
                "INSERT INTO sensor VALUES (?,?,?,?,?,?,?,?,?,?,?)",
                [(s.slot, s.channel, s.muscle, s.side, s.name, s.address, s.serial, s.profile, s.adapter, s.placement,
                  s.electrode) for s in sensors],
            )  # fmt: skip
            db.execute("COMMIT")

    # -- rows -----------------------------------------------------------------------------------------------------

    def notification(self, slot: int, epoch: int, characteristic: str, arrival_ns: int, payload: bytes) -> None:
        """Store one notification as it came."""
        self._queue.put(("notification", (slot, epoch, characteristic, arrival_ns, payload)))

    def frame(self, epoch: int, frame_index: int, arrival_ns: int, pts_ns: int | None) -> None:
        """Store one camera frame's times; ``pts_ns`` None means dropped."""
        self._queue.put(("frame", (epoch, frame_index, arrival_ns, pts_ns)))

    def audio_block(self, epoch: int, first_sample: int, n_samples: int, arrival_ns: int) -> None:
        """Store the stamp of one block of sound."""
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
        self._queue.put(("event", (t_ns, uncertainty_ns, kind, label, source, json.dumps(detail or {}))))

    def log(self, level: str, what: str, detail: Mapping[str, Any] | None = None, *, t_ns: int | None = None) -> None:
        """Store one log row."""
        at_ns = clock.now_ns() if t_ns is None else t_ns
        self._queue.put(("log", (at_ns, level, what, json.dumps(detail or {}))))

    def clock_anchor(self, host_ns: int, utc_ns: int) -> None:
        """Store one pair of host and wall time."""
        self._queue.put(("clock_anchor", (host_ns, utc_ns)))

    def attachment(self, kind: str, path: Path, *, ord: int = 0) -> None:
        """Store an attached file by path and checksum; the file itself stays where it is."""
        self._queue.put(("attachment", (ord, kind, str(path), sha256_of(path), path.stat().st_size)))

    # -- the thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            with contextlib.closing(sqlite3.connect(self._path, isolation_level=None)) as db:
                db.execute("PRAGMA synchronous=NORMAL")
                open_for_rows = True
                while open_for_rows:
                    rows, open_for_rows = self._gather()
                    if rows:
                        self._commit(db, rows)
        except Exception as error:  # noqa: BLE001 - whatever ended the thread, close() must not seal what is missing
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
            rows.append(item)
        return rows, True

    def _commit(self, db: sqlite3.Connection, rows: list[tuple[str, tuple[Any, ...]]]) -> None:
        db.execute("BEGIN")
        for table, row in rows:
            values = row
            if table == "notification":
                slot, epoch, characteristic, arrival_ns, payload = row
                values = (slot, epoch, self._next_seq[slot], characteristic, arrival_ns, payload)
                self._next_seq[slot] += 1
            db.execute(_INSERT[table], values)
        db.execute("COMMIT")
        self.counts.update(table for table, _ in rows)

    def close(self, health: Mapping[str, Any] | None = None) -> None:
        """Write what is queued, checkpoint, leave WAL mode and write the manifest.

        Raises
        ------
        CaptureError
            The writer had failed (a full disk, say); what was committed before is kept.
        """
        self._queue.put(None)
        self._thread.join()
        if self.failure is not None:
            raise CaptureError(
                f"writing {self._path} failed",
                str(self.failure),
                f"free some space, then: mia-record recover {self.folder}",
            ) from self.failure
        seal(self.folder, health)


def seal(folder: Path, health: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Checkpoint the database of ``folder``, leave WAL mode and write ``manifest.json``.

    Returns
    -------
    dict
        The manifest.
    """
    path = folder / schema.DATABASE
    try:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            db.execute("PRAGMA journal_mode=DELETE")
            counts = {t: db.execute(f"SELECT COUNT(*) FROM {t}").fetchone()[0] for t in schema.TABLES}
            meta = dict(db.execute("SELECT key, value FROM meta"))
    except sqlite3.DatabaseError as error:
        raise CaptureError(f"the database of {folder} cannot be closed", str(error)) from error
    files = sorted(p for p in folder.iterdir() if p.is_file() and p.name not in (schema.MANIFEST, "truth.json"))
    manifest = {
        "format": schema.FORMAT,
        "format_version": meta.get("format_version", ""),
        "capture_uuid": meta.get("capture_uuid", ""),
        "closed_utc": clock.utc_iso(),
        "files": {p.name: {"sha256": sha256_of(p), "size": p.stat().st_size} for p in files},
        "counts": counts,
        "health": dict(health or {}),
    }
    write_atomically(folder / schema.MANIFEST, json.dumps(manifest, indent=1).encode())
    return manifest
