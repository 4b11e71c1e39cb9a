"""Types of one recording: its settings, its state while it runs, and its result."""

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
    """Settings of one recording: protocol, subject and folder.

    Attributes
    ----------
    protocol : Protocol
    out : Path
        Captures go to ``out/sub-<subject>/ses-<STAMP>``.
    subject : str
    seed : int
        Seed of the irregular sync sequences; stored in the capture.
    duration_s : float or None
        Shortens or stretches the exercises.
    protocol_toml, rig_toml : str
        Stored in the capture.
    subject_info : mapping
        Known facts about the person, by the names of a session's ``/subject``; stored as a log row.
    setup_id : str
        Identifies the sensor placement; takes that share it need no new assignment or calibration.
    calibrate : bool
        Whether rest, contraction and rest of every muscle precede the first sync sequence.
    sensors : tuple of Sensor
        The slots as bound in an earlier take with the same placement; empty for the rig's own.
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
    """State of a recording at one moment, for a screen.

    Attributes
    ----------
    phase : Phase
    cue : Cue or None
        Current cue; None outside a recording.
    paused, pausing : bool
        The schedule is paused; it pauses at the end of the current block.
    disk : DiskStatus or None
        Space left on the disk; None if nothing is open.
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
    """Result of a recording.

    Attributes
    ----------
    folder : Path
        The closed capture.
    counts : dict
        Rows of each table.
    frames_dropped : int
        Frames that the encoder could not keep up with.
    health : dict
        Health of each channel, as in the manifest.
    disk_full : str
        Why the disk ended the recording early; empty if it did not.
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
