"""What the pipeline hands from stage to stage: the video file's side, its map, and how progress is shown."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dataset.media.sound import Sound
from dataset.session.types import Pose, StreamSync
from dataset.support.arrays import FloatArray, IntArray
from sync.events.contacts import Contact
from sync.events.flashes import Brightness
from sync.fit.clock_map import ClockMap
from sync.fit.flash_fit import VideoFit
from sync.fit.sound_fit import SoundFit

#: Given a stage's name and its size (None: unknown), a context that yields a function advancing it.
Progress = Callable[[str, float | None], AbstractContextManager[Callable[[float], None]]]
#: So alike are delays from presentation time to arrival where the one is the other.
_DATED_BY_ARRIVAL_S = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The video file's side: times, brightness and sound.

    Attributes
    ----------
    path : Path
    brightness : Brightness
    contacts : tuple of Contact
    sound : Sound or None
    width, height : int
        Pixels, upright.
    file_pts_ns : ndarray of int64, shape (F,), or None
        Presentation times as the file has them, rounded as it rounds; ``brightness.pts_s`` are the exact ones.
    pose : Pose or None
        Of the frames that were looked at while the film was read.
    """

    path: Path
    brightness: Brightness
    contacts: tuple[Contact, ...]
    sound: Sound | None
    width: int
    height: int
    file_pts_ns: IntArray | None = None
    pose: Pose | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameStamps:
    """When the frames of the capture's own video arrived, dropped ones included.

    Attributes
    ----------
    arrival_s : ndarray, shape (N,)
        Host time in session seconds.
    pts_s : ndarray, shape (N,)
        Presentation time in the file; NaN where the frame was dropped.
    epoch : ndarray of int64, shape (N,)
        Goes up where the camera was opened again.
    """

    arrival_s: FloatArray
    pts_s: FloatArray
    epoch: IntArray

    @property
    def written(self) -> FrameStamps:
        """The frames that are in the file."""
        rows = np.isfinite(self.pts_s)
        return FrameStamps(arrival_s=self.arrival_s[rows], pts_s=self.pts_s[rows], epoch=self.epoch[rows])

    @property
    def dated_by_arrival(self) -> bool:
        """Whether presentation times are arrivals, so that a late arrival is a frame dated too late."""
        written = self.written
        if len(written.pts_s) == 0:
            return False
        behind_s = written.arrival_s - written.pts_s
        return float(np.ptp(np.percentile(behind_s, (5, 95)))) < _DATED_BY_ARRIVAL_S


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoMapped:
    """The video's and the sound's maps and what they rest on."""

    line: ClockMap
    route: str
    fit: VideoFit | None
    sound: SoundFit | None
    sync: StreamSync
