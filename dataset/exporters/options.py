"""What an export holds, and the protocol of an exporter."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Protocol

import numpy as np
import typer

from dataset.pose.skeleton import BODY_25
from dataset.session.types import Session
from dataset.support.arrays import FloatArray

_FACE = ("nose", "right_eye", "left_eye", "right_ear", "left_ear")


class ExportFormat(StrEnum):
    """A format; its exporter is the function ``export`` of its module, see the registry."""

    CSV = "csv"
    PARQUET = "parquet"
    BIDS = "bids"
    NWB = "nwb"
    EDF = "edf"
    C3D = "c3d"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """What is exported. No export holds pictures or sound; these options concern what was measured from them."""

    face: Annotated[bool, typer.Option("--face/--no-face", help="Keypoints of nose, eyes and ears.")] = True
    sound: Annotated[bool, typer.Option("--sound/--no-sound", help="How the sound is in step, and its events.")] = True

    @property
    def joints(self) -> dict[str, int]:
        """Joints to export, with their index in BODY_25."""
        return {name: i for i, name in enumerate(BODY_25) if self.face or name not in _FACE}


class Exporter(Protocol):
    """Writes sessions into a folder that is new and empty."""

    def __call__(self, sessions: list[Session], folder: Path, options: ExportOptions) -> None:
        """Write ``sessions`` into ``folder``."""


def without_sound(session: Session) -> Session:
    """Return the session without the sound's stream and without events that were found in the sound."""
    keep = np.array([source != "sound" for source in session.events.source], dtype=bool)
    events = replace(
        session.events,
        time_s=session.events.time_s[keep],
        uncertainty_s=session.events.uncertainty_s[keep],
        kind=tuple(k for k, kept in zip(session.events.kind, keep, strict=True) if kept),
        label=tuple(k for k, kept in zip(session.events.label, keep, strict=True) if kept),
        source=tuple(k for k, kept in zip(session.events.source, keep, strict=True) if kept),
    )
    return replace(session, events=events, sync={name: s for name, s in session.sync.items() if name != "sound"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The aligned table on an even grid without repeated times; NaN where there is no row.

    Attributes
    ----------
    start_s, rate_hz : float
    emg : ndarray, shape (T, C)
    keypoints_3d, keypoints_2d : ndarray, shape (T, 25, 3) and (T, 25, 2), or None
    """

    start_s: float
    rate_hz: float
    emg: FloatArray
    keypoints_2d: FloatArray | None
    keypoints_3d: FloatArray | None

    @property
    def time_s(self) -> FloatArray:
        """Session time of each row."""
        return self.start_s + np.arange(len(self.emg)) / self.rate_hz


def grid_of(session: Session) -> Grid:
    """Put the aligned table on an even grid; of rows at one time (overlapping windows) the first is taken."""
    aligned = session.aligned
    start_s = float(aligned.time_s.min()) if len(aligned.time_s) else 0.0
    index = np.rint((aligned.time_s - start_s) * session.rate_hz).astype(np.int64)
    rows, first = np.unique(index, return_index=True)
    n = int(rows[-1]) + 1 if len(rows) else 0

    def spread(values: FloatArray | None) -> FloatArray | None:
        if values is None:
            return None
        even = np.full((n, *values.shape[1:]), np.nan)
        even[rows] = values[first]
        return even

    emg = spread(np.where(aligned.emg_valid, aligned.emg, np.nan))
    return Grid(
        start_s=start_s,
        rate_hz=session.rate_hz,
        emg=np.zeros((0, len(session.channels.name))) if emg is None else emg,
        keypoints_2d=spread(aligned.keypoints_2d),
        keypoints_3d=spread(aligned.keypoints_3d),
    )


def file_stems(sessions: list[Session]) -> list[str]:
    """Return a file name for each session; those of one name are numbered."""
    names = [session.name for session in sessions]
    return [name if names.count(name) == 1 else f"{name}_{names[: i + 1].count(name)}" for i, name in enumerate(names)]
