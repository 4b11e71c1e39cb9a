"""What a recording is, in seconds of its session: sensors, video, flash log and cues, apart from the capture's form."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset.capture.types import Sensor
from dataset.media.sound import Sound
from dataset.muscles import CONTACT_OF_MUSCLE
from dataset.sensors.decode import Samples
from dataset.sensors.profile import Profile
from dataset.session.types import Pose
from dataset.support.arrays import FloatArray, IntArray
from dataset.support.disk_arrays import blocks, concatenate
from sync.clock.sensor_clock import SensorClock
from sync.events.contacts import Contact, ContactKind
from sync.events.flashes import Brightness

#: The contacts that a protocol asks for.
CONTACT_KINDS = (ContactKind.CLAP, ContactKind.STOMP)
#: Given a stage's name and its size (None: unknown), a context that yields a function advancing it.
Progress = Callable[[str, float | None], AbstractContextManager[Callable[[float], None]]]
#: So alike are delays from presentation time to arrival where the one is the other.
_DATED_BY_ARRIVAL_S = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorRecord:
    """One sensor of the capture: who it is, its values and its clock (seconds after the session's zero)."""

    sensor: Sensor
    profile: Profile
    samples: Samples
    arrival_s: FloatArray
    clock: SensorClock

    def credible(self, rows: slice) -> NDArray[np.bool_]:
        """Which of some values lie in the range that the profile allows; the others are kept, but not used."""
        stream, value = self.profile.stream, self.samples.value[rows]
        low = -math.inf if stream.minimum is None else stream.minimum
        high = math.inf if stream.maximum is None else stream.maximum
        return np.asarray((value >= low) & (value <= high))

    def responds_to(self, kind: ContactKind) -> bool:
        """Whether contacts of a kind may show in it: arms respond to claps, legs to stomps, other places to either."""
        return CONTACT_OF_MUSCLE.get(self.sensor.muscle, kind) == kind

    @property
    def all_credible(self) -> bool:
        """Whether every value is."""
        return all(self.credible(rows).all() for rows in blocks(self.samples.value))

    def only_credible(self, *columns: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Return columns of the sensor without the rows whose values are not credible."""
        if self.all_credible:
            return columns

        def kept() -> Iterator[list[NDArray[Any]]]:
            for rows in blocks(self.samples.value):
                credible = self.credible(rows)
                yield [column[rows][credible] for column in columns]

        return tuple(concatenate(kept(), [column.dtype.type for column in columns]))

    @property
    def level(self) -> tuple[FloatArray, FloatArray]:
        """De-jittered arrivals and values, as far as they are credible."""
        time_s, value = self.only_credible(self.clock.time_s, self.samples.value)
        return time_s, value

    @property
    def rate_hz(self) -> float:
        """Measured rate; NaN where there are no values."""
        return 1.0 / self.clock.period_s if self.clock.period_s > 0 else math.nan

    def delivered(self, start_s: float, stop_s: float) -> float:
        """Return the share of the values expected between two times that came."""
        if not self.clock.period_s > 0 or stop_s <= start_s:
            return 0.0
        time_s = self.clock.time_s
        if self.clock.exact:
            # Its rate may change, so that values cannot be counted: what lies in a gap did not come.
            lacking = np.concatenate([[(-math.inf, time_s[0]), (time_s[-1], math.inf)], self.clock.gaps_s])
            lacking_s = float(np.sum(np.maximum(0.0, np.diff(np.clip(lacking, start_s, stop_s), axis=1))))
            return max(0.0, 1.0 - lacking_s / (stop_s - start_s))
        n_inside = sum(
            int(np.count_nonzero((time_s[rows] >= start_s) & (time_s[rows] <= stop_s))) for rows in blocks(time_s)
        )
        return min(1.0, n_inside * self.clock.period_s / (stop_s - start_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoRecord:
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


class FlashSource(StrEnum):
    """What flashed, as far as its light's latency depends on it."""

    BOX = "box"
    SCREEN = "screen"
    TERMINAL = "terminal"
    TERMINAL_SSH = "terminal-ssh"
    FILE = "file"
    #: No flash was logged.
    NONE = ""

    @property
    def is_terminal(self) -> bool:
        """Whether a terminal flashed, here or over SSH: it draws when it likes."""
        return self in (FlashSource.TERMINAL, FlashSource.TERMINAL_SSH)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashLog:
    """Flashes as the host knows them.

    Attributes
    ----------
    light_s : ndarray, shape (N,)
        Expected onset of the light: the stored time plus its source's latency.
    sd_s : ndarray, shape (N,)
        Standard deviation of each, apart from what all share.
    latency_s, latency_sd_s : float
        Of the source most flashes came from; it is common to all, so more flashes do not reduce it.
    source : FlashSource
        Of most of them.
    """

    light_s: FloatArray
    sd_s: FloatArray
    latency_s: float
    latency_sd_s: float
    source: FlashSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One capture's evidence.

    Attributes
    ----------
    sensors : mapping of channel to SensorRecord
    flashes : FlashLog
    cues : mapping of ContactKind to ndarray
        Session times at which each was asked for.
    video : VideoRecord or None
        The video file's side.
    frames : FrameStamps or None
        Where the video is the capture's own.
    own_sound : bool
        The video's sound was recorded by us, in step with its frames.
    file_zero_s : float
        Session time of presentation time 0 where nothing but a convention tells it.
    """

    sensors: Mapping[str, SensorRecord]
    flashes: FlashLog
    cues: Mapping[ContactKind, FloatArray] = field(default_factory=dict)
    video: VideoRecord | None = None
    frames: FrameStamps | None = None
    own_sound: bool = False
    file_zero_s: float = 0.0
