"""What the pipeline hands from stage to stage: the video file's side, its map, and how progress is shown."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from dataset.session import StreamSync
from dataset.sound import Sound
from sync.detect.contact import Contact
from sync.detect.flash import Brightness
from sync.fit import Line, SoundFit, VideoFit

#: Given a stage's name and its size (None: unknown), a context that yields a function advancing it.
Progress = Callable[[str, float | None], AbstractContextManager[Callable[[float], None]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The video file's side: times, brightness and sound."""

    path: Path
    brightness: Brightness
    contacts: tuple[Contact, ...]
    sound: Sound | None
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoMapped:
    """The video's and the sound's maps and what they rest on."""

    line: Line
    route: str
    fit: VideoFit | None
    sound: SoundFit | None
    sync: StreamSync
