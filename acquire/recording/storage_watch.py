"""Monitors the storage of a recording: ends it on a full disk or a failed capture, and warns of lost rows."""

from __future__ import annotations

import threading
from pathlib import Path

from acquire.event_log import EventLog
from acquire.quality.disk import DiskStatus, DiskWatch, check_disk
from dataset.capture.closing import is_disk_full
from dataset.capture.writer import CaptureWriter


class StorageWatch:
    """Monitors the disk and the capture of one recording.

    Parameters
    ----------
    out : Path
        Folder of the captures.
    event_log : EventLog
    finished : threading.Event
        Set if the recording must end.
    """

    def __init__(self, out: Path, event_log: EventLog, finished: threading.Event) -> None:
        #: Disk status at the last check; None before the first.
        self.disk: DiskStatus | None = None
        #: Why the disk ended the recording early; empty if it did not.
        self.disk_full = ""
        self._out = out
        self._event_log = event_log
        self._finished = finished
        self._disk_watch: DiskWatch | None = None
        self._rows_left_out = False

    def check(self, bytes_per_s: float) -> DiskStatus:
        """Return the space left before a recording; DiskFullError if less than one minute fits."""
        self.disk = check_disk(self._out, bytes_per_s)
        return self.disk

    def begin(self, folder: Path, bytes_per_s: float) -> None:
        """Monitor a capture's folder, which is expected to grow by ``bytes_per_s``."""
        self._disk_watch = DiskWatch(folder, bytes_per_s, self._event_log)

    def look(self, writer: CaptureWriter, video_failure: Exception | None) -> None:
        """Check disk, capture and video; called about twice a second while recording."""
        if self._disk_watch is None:
            return
        if writer.left_out and not self._rows_left_out:
            self._rows_left_out = True
            self._event_log.log("error", "rows cannot be stored and are left out", dict(writer.left_out))
        self.disk = self._disk_watch.look()
        video_full = video_failure is not None and is_disk_full(video_failure)
        if writer.failure is not None:
            self._event_log.log("error", "the capture cannot be written", {"error": str(writer.failure)})
            self._finished.set()
        elif self.disk.is_full or writer.disk_full or video_full:
            self.disk_full = f"{self.disk.free_bytes / 1e6:.0f} MB are free on the disk of {writer.folder}"
            self._event_log.log("error", "the disk is full: the recording ends", {"why": self.disk_full})
            self._finished.set()

    def end(self, writer: CaptureWriter) -> tuple[str, ...]:
        """Check the closed capture; return notes about missing rows."""
        if writer.disk_full and not self.disk_full:  # it filled up while the recording ended
            self.disk_full = f"no room was left on the disk of {writer.folder}"
        if not writer.left_out:
            return ()
        rows = ", ".join(f"{n} of {table}" for table, n in sorted(writer.left_out.items()))
        return (f"rows could not be stored and are left out: {rows}; see the log",)
