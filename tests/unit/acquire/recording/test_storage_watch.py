"""What ends a recording that can no longer be stored, and what is noted of rows that it lacks."""

from __future__ import annotations

import errno
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from acquire.event_log import EventLog
from acquire.recording.storage_watch import StorageWatch


@dataclass
class Writer:
    """What is looked at of a capture's writer."""

    folder: Path
    failure: Exception | None = None
    disk_full: bool = False
    left_out: Counter[str] = field(default_factory=Counter)


@pytest.fixture
def event_log() -> EventLog:
    return EventLog()


@pytest.fixture
def finished() -> threading.Event:
    return threading.Event()


@pytest.fixture
def watch(tmp_path: Path, event_log: EventLog, finished: threading.Event) -> StorageWatch:
    made = StorageWatch(tmp_path, event_log, finished)
    assert made.check(1000.0).minutes_left > 1
    made.begin(tmp_path, 1000.0)
    return made


def words(event_log: EventLog) -> list[str]:
    return [row.what for row in event_log.recent(9)]


def test_a_healthy_recording_goes_on(
    watch: StorageWatch, event_log: EventLog, finished: threading.Event, tmp_path: Path
) -> None:
    writer = Writer(tmp_path)
    watch.look(writer, None)  # type: ignore[arg-type]
    assert watch.disk is not None and not finished.is_set() and not watch.disk_full
    assert watch.end(writer) == () and words(event_log) == []  # type: ignore[arg-type]


@pytest.mark.parametrize("what", ["writer", "video"])
def test_a_full_disk_ends_it_and_says_so(
    watch: StorageWatch, event_log: EventLog, finished: threading.Event, tmp_path: Path, what: str
) -> None:
    failure = OSError(errno.ENOSPC, "No space left on device") if what == "video" else None
    watch.look(Writer(tmp_path, disk_full=what == "writer"), failure)  # type: ignore[arg-type]
    assert finished.is_set() and f"MB are free on the disk of {tmp_path}" in watch.disk_full
    assert words(event_log) == ["the disk is full: the recording ends"]


def test_a_failed_capture_ends_it_and_a_failed_video_does_not(
    watch: StorageWatch, event_log: EventLog, finished: threading.Event, tmp_path: Path
) -> None:
    watch.look(Writer(tmp_path), ValueError("no such codec"))  # type: ignore[arg-type]
    assert not finished.is_set()
    watch.look(Writer(tmp_path, failure=OSError("gone")), None)  # type: ignore[arg-type]
    assert finished.is_set() and words(event_log) == ["the capture cannot be written"] and not watch.disk_full


def test_rows_left_out_are_logged_once_and_noted_at_the_end(
    watch: StorageWatch, event_log: EventLog, finished: threading.Event, tmp_path: Path
) -> None:
    writer = Writer(tmp_path, left_out=Counter({"log": 1, "event": 2}))
    for _ in range(3):
        watch.look(writer, None)  # type: ignore[arg-type]
    assert words(event_log) == ["rows cannot be stored and are left out"]
    writer.disk_full = True
    assert watch.end(writer) == (  # type: ignore[arg-type]
        "rows could not be stored and are left out: 2 of event, 1 of log; see the log",
    )
    assert watch.disk_full == f"no room was left on the disk of {tmp_path}"
