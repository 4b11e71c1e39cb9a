"""What one recording is asked to be, what it looks like while it runs, and what it leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from acquire.bluetooth.status import SensorStatus
from acquire.event_log import LogRow
from acquire.media.camera import CameraStatus
from acquire.media.microphone import SoundStatus
from acquire.protocol.cues import Cue
from acquire.protocol.protocol import Protocol
from acquire.quality.disk import DiskStatus
from acquire.recording.phase import Phase
from dataset.capture.types import Sensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """What is to be recorded, of whom, and where it goes.

    Attributes
    ----------
    protocol : Protocol
    out : Path
        Captures go to ``out/sub-<subject>/ses-<STAMP>``.
    subject : str
    seed : int
        Of the irregular sync sequences; stored in the capture.
    duration_s : float or None
        Shortens or stretches the exercises.
    protocol_toml, rig_toml : str
        Stored in the capture.
    subject_info : mapping
        What is known of the person, by the names of a session's ``/subject``; stored as a row of the log.
    setup_id : str
        Names the placement of the sensors; takes that share it need not be assigned and calibrated again.
    calibrate : bool
        Rest, contraction and rest of every muscle are asked for before the first sync sequence.
    sensors : tuple of Sensor
        The slots as an earlier take of the same placement bound them; the rig's own where empty.
    """

    protocol: Protocol
    out: Path
    subject: str
    seed: int
    duration_s: float | None = None
    protocol_toml: str = ""
    rig_toml: str = ""
    subject_info: Mapping[str, str | float] = field(default_factory=dict)
    setup_id: str = ""
    calibrate: bool = False
    sensors: tuple[Sensor, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything a screen shows, at one moment.

    Attributes
    ----------
    phase : Phase
    cue : Cue or None
        What the person is asked to do; None outside a recording.
    paused, pausing : bool
        The schedule stands still; it will when what runs has ended.
    disk : DiskStatus or None
        What is left on the disk; None where nothing is open.
    """

    phase: Phase
    rig: str
    subject: str
    folder: Path | None
    elapsed_s: float
    remaining_s: float
    cue: Cue | None
    sensors: tuple[SensorStatus, ...]
    camera: CameraStatus | None
    sound: SoundStatus | None
    box: bool
    disk: DiskStatus | None
    rows: tuple[LogRow, ...]
    paused: bool = False
    pausing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What a recording left.

    Attributes
    ----------
    folder : Path
        The closed capture.
    counts : dict
        Rows of each table.
    frames_dropped : int
        Frames that the encoder could not keep up with.
    health : dict
        Each channel's, as in the manifest.
    disk_full : str
        Why the disk ended the recording before its time; empty where it did not.
    """

    folder: Path
    subject: str
    seed: int
    duration_s: float
    counts: dict[str, int]
    frames_dropped: int
    health: dict[str, Any]
    notes: tuple[str, ...]
    disk_full: str = ""
