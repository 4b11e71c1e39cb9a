"""What the pipeline hands from stage to stage: the video file's side, its map, and how progress is shown."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from dataset.arrays import IntArray
from dataset.session import StreamSync
from dataset.sound import Sound
from sync.detect.contact import Contact
from sync.detect.flash import Brightness
from sync.fit import Line, SoundFit, VideoFit

#: Given a stage's name and its size (None: unknown), a context that yields a function advancing it.
Progress = Callable[[str, float | None], AbstractContextManager[Callable[[float], None]]]


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
    """

    path: Path
    brightness: Brightness
    contacts: tuple[Contact, ...]
    sound: Sound | None
    width: int
    height: int
    file_pts_ns: IntArray | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoMapped:
    """The video's and the sound's maps and what they rest on."""

    line: Line
    route: str
    fit: VideoFit | None
    sound: SoundFit | None
    sync: StreamSync
