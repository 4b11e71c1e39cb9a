"""Disk space: checked before a recording, monitored during it."""

from __future__ import annotations

import shutil
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from acquire.event_log import EventLog
from dataset.capture.closing import ROOM
from dataset.support.errors import DiskFullError

#: A recording ends when less is free: closing it, and other programs, need some space.
LEAST_FREE_BYTES = 64 * 2**20
#: A recording does not start with less time left on the disk than this.
LEAST_S = 60.0
#: Times left at which a warning is given while recording, in minutes.
WARN_AT_MINUTES = (10.0, 2.0)

#: Bit rate of a camera's picture in H.264 at this project's settings: a noisy webcam, so above most.
_BITS_PER_PIXEL = 0.15
#: A sensor at 1 kHz in packets of 20 samples takes 7 kB/s in the database; a slower one less.
_BYTES_PER_SENSOR_S = 8_000.0
_BYTES_PER_SOUND_SAMPLE = 2
#: The measured rate is used once it covers this long, and is averaged over this long.
_MEASURED_AFTER_S, _MEASURED_OVER_S = 20.0, 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskStatus:
    """Space left on the disk of a recording.

    Attributes
    ----------
    free_bytes : int
    bytes_per_s : float
        Write rate of the recording: at first the expected one, then measured over the last minute.
    minutes_left : float
        Time until the recording must end; 0 if it must end now.
    """

    free_bytes: int
    bytes_per_s: float
    minutes_left: float

    @property
    def is_full(self) -> bool:
        """Whether a recording must end now."""
        return self.free_bytes < LEAST_FREE_BYTES

    @property
    def time_left(self) -> str:
        """Time left on the disk, in short form."""
        if self.minutes_left >= 6000:
            return "over 100 h"
        return f"{self.minutes_left / 60:.0f} h" if self.minutes_left >= 120 else f"{self.minutes_left:.0f} min"

    @property
    def words(self) -> str:
        """Space and time left, as text."""
        return f"{self.free_bytes / 1e6:.0f} MB are free, enough for about {self.minutes_left:.1f} minutes"


def expected_bytes_per_s(
    *, n_sensors: int, picture: tuple[int, int, float] | None = None, sound_rate_hz: int | None = None
) -> float:
    """Estimate the write rate of a recording from its streams, erring on the high side.

    Parameters
    ----------
    n_sensors : int
    picture : (int, int, float), optional
        Width and height in pixels, and frames a second.
    sound_rate_hz : int, optional
    """
    width, height, rate_hz = picture or (0, 0, 0.0)
    return (
        n_sensors * _BYTES_PER_SENSOR_S
        + width * height * rate_hz * _BITS_PER_PIXEL / 8
        + (sound_rate_hz or 0) * _BYTES_PER_SOUND_SAMPLE
    )


def look_at_disk(folder: Path, bytes_per_s: float) -> DiskStatus:
    """Return the space left on the disk of ``folder``, which need not exist yet."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free_bytes = shutil.disk_usage(there).free
    usable = max(0, free_bytes - LEAST_FREE_BYTES)
    minutes_left = usable / bytes_per_s / 60 if bytes_per_s > 0 else float("inf")
    return DiskStatus(free_bytes=free_bytes, bytes_per_s=bytes_per_s, minutes_left=minutes_left)


def check_disk(folder: Path, bytes_per_s: float) -> DiskStatus:
    """Return the space left on the disk of ``folder`` before a recording.

    Raises
    ------
    DiskFullError
        Less than one minute fits.
    """
    disk = look_at_disk(folder, bytes_per_s)
    if disk.minutes_left * 60 < LEAST_S:
        raise DiskFullError(
            f"too little room to record into {folder}", disk.words, "free some space or choose another --out"
        )
    return disk


def _size(file: Path) -> int:
    """Return the size in bytes, 0 if the file is gone: the database's journal comes and goes meanwhile."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


class DiskWatch:
    """Monitors the disk of one running recording.

    Parameters
    ----------
    folder : Path
        The capture's.
    expected_bytes_per_s : float
        Used until enough was written.
    event_log : EventLog
        Receives a warning when little time is left.
    """

    def __init__(self, folder: Path, expected_bytes_per_s: float, event_log: EventLog) -> None:
        self._folder = folder
        self._expected = expected_bytes_per_s
        self._event_log = event_log
        self._sizes: deque[tuple[float, int]] = deque()
        self._warnings = list(WARN_AT_MINUTES)

    def look(self) -> DiskStatus:
        """Update; called about twice a second."""
        now_s = time.monotonic()
        self._sizes.append((now_s, sum(_size(p) for p in self._folder.iterdir() if p.name != ROOM)))
        while now_s - self._sizes[0][0] > _MEASURED_OVER_S:
            self._sizes.popleft()
        since_s, since = self._sizes[0]
        span_s = now_s - since_s
        measured = span_s >= _MEASURED_AFTER_S
        rate = max(1.0, (self._sizes[-1][1] - since) / span_s) if measured else self._expected
        status = look_at_disk(self._folder, rate)
        self._warn(status)
        return status

    def _warn(self, status: DiskStatus) -> None:
        left = status.minutes_left
        if self._warnings and left < self._warnings[0]:
            self._warnings = [minutes for minutes in self._warnings if left >= minutes]
            detail = {"minutes_left": round(left, 1), "free_mb": round(status.free_bytes / 1e6)}
            self._event_log.log("warning", "the disk is almost full", detail)
