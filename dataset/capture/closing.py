"""Closes a capture: one self-contained database, and a manifest of all files in the folder."""

from __future__ import annotations

import contextlib
import errno
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dataset.capture import schema
from dataset.capture.manifest import manifest_bytes
from dataset.support import clock
from dataset.support.errors import CaptureError, DiskFullError
from dataset.support.files import PARTS, sha256_of, write_atomically
from dataset.support.own_files import check_own_file
from dataset.support.text import clean_json

#: A file that reserves disk space during a recording; deleted if the disk is full, and at the end.
ROOM = ".room"


def seal(folder: Path, health: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Checkpoint the database of ``folder``, leave WAL mode and write ``manifest.json``.

    Returns
    -------
    dict
        The manifest.

    Raises
    ------
    CaptureError
        The database is damaged, or a recording is still writing it.
    DiskFullError
        There is no space to close it; no data is lost.
    """
    try:
        counts, meta = _close_database(folder)
        parts = [path for path in folder.iterdir() if path.name.endswith(PARTS)]
        for left_over in (folder / ROOM, *parts):  # of a program that was killed
            left_over.unlink(missing_ok=True)
        inside = (p for p in folder.iterdir() if p.is_file() and not p.is_symlink())
        files = sorted(p for p in inside if p.name not in (schema.MANIFEST, "truth.json"))
        manifest = {
            "format": schema.FORMAT,
            "format_version": meta.get("format_version", ""),
            "capture_uuid": meta.get("capture_uuid", ""),
            "closed_utc": clock.utc_iso(),
            "files": {p.name: {"sha256": sha256_of(p), "size": p.stat().st_size} for p in files},
            "counts": counts,
            "health": clean_json(dict(health or {})),
        }
        write_atomically(folder / schema.MANIFEST, manifest_bytes(manifest))
    except (OSError, sqlite3.DatabaseError) as error:
        raise _cannot_close(folder, error) from error
    return manifest


def roll_back(folder: Path) -> None:
    """Undo an interrupted write of a killed program, by SQLite's rollback of a hot journal.

    SQLite does so at the first read of a writable connection; a read-only one finds the database unreadable.

    Raises
    ------
    CaptureError
        The database is damaged, or the folder cannot be written to.
    """
    if not check_own_file(folder, f"{schema.DATABASE}-journal") or not check_own_file(folder, schema.DATABASE):
        return
    try:
        with contextlib.closing(sqlite3.connect(folder / schema.DATABASE, isolation_level=None)) as db:
            db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError as error:
        raise _cannot_close(folder, error) from error


def _close_database(folder: Path) -> tuple[dict[str, int], dict[str, str]]:
    """Merge everything into one self-contained file; return the row count of each table, and its ``meta``."""
    with contextlib.closing(sqlite3.connect(folder / schema.DATABASE, isolation_level=None)) as db:
        try:
            _leave_wal_mode(db)
        except sqlite3.OperationalError as error:
            if not is_disk_full(error):
                raise
            (folder / ROOM).unlink(missing_ok=True)
            _leave_wal_mode(db)
        counts = {t: db.execute(f"SELECT COUNT(*) FROM {t}").fetchone()[0] for t in schema.TABLES}
        return counts, dict(db.execute("SELECT key, value FROM meta"))


def _leave_wal_mode(db: sqlite3.Connection) -> None:
    """Merge the write-ahead log into the database and remove it; SQLite reports a failure as the mode it has."""
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    (mode,) = db.execute("PRAGMA journal_mode=DELETE").fetchone()
    if mode != "delete":
        raise sqlite3.OperationalError(f"the database stays in the mode {mode!r}: its log could not be removed")


def _cannot_close(folder: Path, error: OSError | sqlite3.DatabaseError) -> CaptureError | DiskFullError:
    what = f"the capture {folder} cannot be closed"
    if is_disk_full(error):
        return DiskFullError(what, str(error), f"free some space, then: mia-record recover {folder}")
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
        return CaptureError(what, "another program has it open", "end its recording first")
    return CaptureError(what, str(error))


def is_disk_full(error: Exception) -> bool:
    """Whether ``error`` means that the disk, or this user's quota, is full."""
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):  # PyAV's errors have one too
        return True
    # The index of the WAL in shared memory cannot grow either; SQLite reports that as an I/O error.
    code = getattr(error, "sqlite_errorcode", None)
    return code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_WRITE)
