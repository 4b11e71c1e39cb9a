"""A session: sensors, video, keypoints and the 10 Hz grid of one recording on one clock, as one HDF5 file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dataset.support.arrays import BoolArray, FloatArray, IntArray
from dataset.support.text import clean_json

#: Stored in the subject's notes of every session from the virtual rig, so that it is not mistaken for a person's.
VIRTUAL_NOTE = "virtual data, not a person"

#: Longest time a joint, or the whole person, may be out of sight: the segment continues, with NaN there, and windows
#: interpolate it linearly. Longer gaps end the segment.
LONGEST_BRIDGE_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelTable:
    """The channels; every tuple has C entries."""

    name: tuple[str, ...]
    muscle: tuple[str, ...]
    side: tuple[str, ...]
    unit: tuple[str, ...]
    profile: tuple[str, ...]
    serial: tuple[str, ...]
    placement: tuple[str, ...]
    electrode: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Levels at rest and at maximum contraction, stored besides the unscaled values; shape (C,)."""

    rest_counts: FloatArray
    mvc_counts: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class EmgStream:
    """One sensor's values as received; shape (N,)."""

    time_s: FloatArray
    value: FloatArray
    arrival_s: FloatArray
    index_inferred: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoInfo:
    """The video's frames on the session clock.

    Attributes
    ----------
    frame_time_s : ndarray, shape (V,)
    frame_index : ndarray of int64, shape (V,)
    file, sha256 : str
    width, height : int
        In pixels, after rotation.
    """

    frame_time_s: FloatArray
    frame_index: IntArray
    file: str
    sha256: str
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """Keypoints of the frames given to the pose network.

    Attributes
    ----------
    keypoints_2d : ndarray, shape (F, 25, 2), pixels, or None
    keypoints_3d : ndarray, shape (F, 25, 3), metres, y down, or None
    confidence : ndarray, shape (F, 25)
    frame_index : ndarray of int64, shape (F,)
    """

    keypoints_2d: FloatArray | None
    keypoints_3d: FloatArray | None
    confidence: FloatArray
    frame_index: IntArray
    backend: str
    model_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventTable:
    """Events on the session clock; E entries each."""

    time_s: FloatArray
    uncertainty_s: FloatArray
    kind: tuple[str, ...]
    label: tuple[str, ...]
    source: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExerciseTable:
    """Exercises on the session clock; X entries each."""

    name: tuple[str, ...]
    start_s: FloatArray
    stop_s: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSync:
    """Affine map of one stream to the session clock, with its evidence and verdict.

    ``session_s = (1 + rate_ppm * 1e-6) * stream_s + offset_s``. Numbers that do not apply are NaN.

    Attributes
    ----------
    constants : mapping
        Named constants: ``av_skew_s``, ``response_s``, ``burst_prior_s``, ``delay_source`` and the like.
    matches : ndarray of int64, shape (M, 2)
    residual_s : ndarray, shape (M,)
    epochs : ndarray, shape (P, 3)
        stream_s of the first and last value of each epoch, and its offset.
    """

    method: str
    verdict: str
    reason: str
    offset_s: float = math.nan
    rate_ppm: float = math.nan
    offset_ci95_s: float = math.nan
    rate_ci95_ppm: float = math.nan
    error_ci95_s: float = math.nan
    n_reference: int = 0
    n_target: int = 0
    n_matched: int = 0
    match_rate: float = math.nan
    ambiguity_margin: float = math.nan
    max_residual_s: float = math.nan
    rms_residual_s: float = math.nan
    coverage: float = math.nan
    largest_gap_s: float = math.nan
    extrapolated_s: float = math.nan
    constants: Mapping[str, float | str] = field(default_factory=dict)
    matches: IntArray = field(default_factory=lambda: np.zeros((0, 2), dtype=np.int64))
    residual_s: FloatArray = field(default_factory=lambda: np.zeros(0))
    epochs: FloatArray = field(default_factory=lambda: np.zeros((0, 3)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Aligned:
    """The common grid.

    Attributes
    ----------
    time_s, segment, exercise : shape (T,)
    emg, emg_valid : shape (T, C)
    keypoints_2d, keypoints_3d, confidence : shape (T, 25, 2), (T, 25, 3), (T, 25), or None
    frame_index : ndarray of int64, shape (T,), or None
    """

    time_s: FloatArray
    emg: FloatArray
    emg_valid: BoolArray
    segment: IntArray
    exercise: tuple[str, ...]
    keypoints_2d: FloatArray | None = None
    keypoints_3d: FloatArray | None = None
    confidence: FloatArray | None = None
    frame_index: IntArray | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One recording on one clock. Read with :func:`dataset.session.file.read_session`."""

    subject: str
    session_uuid: str
    created_utc: str
    zero_host_ns: int
    verdict: str
    verdict_reason: str
    rate_hz: float
    channels: ChannelTable
    emg: Mapping[str, EmgStream]
    events: EventTable
    exercises: ExerciseTable
    sync: Mapping[str, StreamSync]
    aligned: Aligned
    provenance: tuple[Mapping[str, Any], ...]
    subject_info: Mapping[str, str | float] = field(default_factory=dict)
    calibration: Calibration | None = None
    video: VideoInfo | None = None
    pose: Pose | None = None
    path: Path | None = None

    @property
    def name(self) -> str:
        """File name without its suffix, or the subject if it was never stored."""
        return self.path.stem if self.path else f"sub-{self.subject}"

    @property
    def is_virtual(self) -> bool:
        """Whether the session was recorded from the virtual rig."""
        return VIRTUAL_NOTE in str(self.subject_info.get("notes", ""))


def provenance_lines(steps: tuple[Mapping[str, Any], ...]) -> list[str]:
    """Return the provenance as JSON lines."""
    return [json.dumps(clean_json(dict(step)), sort_keys=True, allow_nan=False) for step in steps]
