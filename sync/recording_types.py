"""Types of a recording in session seconds: sensors, video, flash log and cues, independent of the capture's format."""

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

#: Kinds of contact that a protocol cues.
CONTACT_KINDS = (ContactKind.CLAP, ContactKind.STOMP)
#: Progress display: given a stage's name and size (None: unknown), a context that yields a function to advance it.
Progress = Callable[[str, float | None], AbstractContextManager[Callable[[float], None]]]
#: Largest spread of the delay from presentation time to arrival if the one is taken from the other.
_DATED_BY_ARRIVAL_S = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorRecord:
    """One sensor of the capture: its identity, its values and its clock (seconds after the session's zero)."""

    sensor: Sensor
    profile: Profile
    samples: Samples
    arrival_s: FloatArray
    clock: SensorClock

    def credible(self, rows: slice) -> NDArray[np.bool_]:
        """Return which values are in the range that the profile allows; the others are stored but not used."""
        stream, value = self.profile.stream, self.samples.value[rows]
        low = -math.inf if stream.minimum is None else stream.minimum
        high = math.inf if stream.maximum is None else stream.maximum
        return np.asarray((value >= low) & (value <= high))

    def responds_to(self, kind: ContactKind) -> bool:
        """Return whether it may respond to a kind of contact: arms to claps, legs to stomps, other places to both."""
        return CONTACT_OF_MUSCLE.get(self.sensor.muscle, kind) == kind

    @property
    def varies(self) -> bool:
        """Whether its finite values differ: a dead or unplugged sensor repeats one."""
        lowest, highest = math.inf, -math.inf
        for rows in blocks(self.samples.value):
            numbers = self.samples.value[rows][np.isfinite(self.samples.value[rows])]
            lowest = min(lowest, float(np.min(numbers, initial=math.inf)))
            highest = max(highest, float(np.max(numbers, initial=-math.inf)))
        return highest > lowest

    @property
    def all_credible(self) -> bool:
        """Whether every value is credible."""
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
        """De-jittered arrivals and values of the credible values."""
        time_s, value = self.only_credible(self.clock.time_s, self.samples.value)
        return time_s, value

    @property
    def rate_hz(self) -> float:
        """Measured rate; NaN where there are no values."""
        return 1.0 / self.clock.period_s if self.clock.period_s > 0 else math.nan

    def delivered(self, start_s: float, stop_s: float) -> float:
        """Return the share of the values expected between two times that arrived."""
        if not self.clock.period_s > 0 or stop_s <= start_s:
            return 0.0
        time_s = self.clock.time_s
        if self.clock.exact:
            # Its rate may change, so lost values cannot be counted: use the time covered by gaps.
            lacking = np.concatenate([[(-math.inf, time_s[0]), (time_s[-1], math.inf)], self.clock.gaps_s])
            lacking_s = float(np.sum(np.maximum(0.0, np.diff(np.clip(lacking, start_s, stop_s), axis=1))))
            return max(0.0, 1.0 - lacking_s / (stop_s - start_s))
        n_inside = sum(
            int(np.count_nonzero((time_s[rows] >= start_s) & (time_s[rows] <= stop_s))) for rows in blocks(time_s)
        )
        return min(1.0, n_inside * self.clock.period_s / (stop_s - start_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoRecord:
    """Data of the video file: frame times, brightness and sound.

    Attributes
    ----------
    path : Path
    brightness : Brightness
    contacts : tuple of Contact
    sound : Sound or None
    width, height : int
        Pixels, upright.
    file_pts_ns : ndarray of int64, shape (F,), or None
        Presentation times as stored in the file, with its rounding; ``brightness.pts_s`` are exact.
    pose : Pose or None
        Keypoints of the frames processed while the video was read.
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
    """Arrival times of the frames of the capture's own video, including dropped frames.

    Attributes
    ----------
    arrival_s : ndarray, shape (N,)
        Host time in session seconds.
    pts_s : ndarray, shape (N,)
        Presentation time in the file; NaN where the frame was dropped.
    epoch : ndarray of int64, shape (N,)
        Increases where the camera was reopened.
    """

    arrival_s: FloatArray
    pts_s: FloatArray
    epoch: IntArray

    @property
    def written(self) -> FrameStamps:
        """The frames stored in the file."""
        rows = np.isfinite(self.pts_s)
        return FrameStamps(arrival_s=self.arrival_s[rows], pts_s=self.pts_s[rows], epoch=self.epoch[rows])

    @property
    def dated_by_arrival(self) -> bool:
        """Whether presentation times are arrivals, so that a late arrival gives a frame too late a time."""
        written = self.written
        if len(written.pts_s) == 0:
            return False
        behind_s = written.arrival_s - written.pts_s
        return float(np.ptp(np.percentile(behind_s, (5, 95)))) < _DATED_BY_ARRIVAL_S


class FlashSource(StrEnum):
    """Source of flashes, by which the latency of the light differs."""

    BOX = "box"
    SCREEN = "screen"
    TERMINAL = "terminal"
    TERMINAL_SSH = "terminal-ssh"
    FILE = "file"
    #: No flash was logged.
    NONE = ""

    @property
    def is_terminal(self) -> bool:
        """Whether a terminal flashed, local or over SSH, whose drawing delay is unknown."""
        return self in (FlashSource.TERMINAL, FlashSource.TERMINAL_SSH)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashLog:
    """Flashes as logged by the host, with the latency of their light.

    Attributes
    ----------
    light_s : ndarray, shape (N,)
        Expected onset of the light: the stored time plus its source's latency.
    sd_s : ndarray, shape (N,)
        Standard deviation of each, without the part common to all.
    latency_s, latency_sd_s : float
        Of the source of most flashes; its error is common to all, so more flashes do not reduce it.
    source : FlashSource
        Source of most flashes.
    """

    light_s: FloatArray
    sd_s: FloatArray
    latency_s: float
    latency_sd_s: float
    source: FlashSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Everything that the alignment uses of one capture.

    Attributes
    ----------
    sensors : mapping of channel to SensorRecord
    flashes : FlashLog
    cues : mapping of ContactKind to ndarray
        Session times of the cues for each.
    video : VideoRecord or None
    frames : FrameStamps or None
        If the video is the capture's own.
    own_sound : bool
        The video's sound was recorded by the recorder, on the clock of its frames.
    file_zero_s : float
        Session time of presentation time 0 by convention, used if nothing measures it.
    """

    sensors: Mapping[str, SensorRecord]
    flashes: FlashLog
    cues: Mapping[ContactKind, FloatArray] = field(default_factory=dict)
    video: VideoRecord | None = None
    frames: FrameStamps | None = None
    own_sound: bool = False
    file_zero_s: float = 0.0
