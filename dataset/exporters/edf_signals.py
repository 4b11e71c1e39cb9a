"""Signals of EDF+ and BDF+ files from the aligned grid: scaling, labels, and annotations of events and gaps."""

from __future__ import annotations

import numpy as np

from dataset.exporters.options import Grid
from dataset.session.types import Session
from dataset.support.arrays import FloatArray, true_runs


def physical_range(values: FloatArray) -> tuple[float, float]:
    """Return a range that holds all values and whose ends take at most 8 characters, as the header has them."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    low, high = min(low, 0.0), max(high, 0.0)
    if high == low:
        high = low + 1.0
    scale = 10.0 ** (np.floor(np.log10(max(-low, high))) - 3)
    low, high = float(np.floor(low / scale)) * scale, float(np.ceil(high / scale)) * scale
    return float(f"{low:.6g}"), float(f"{high:.6g}")


def without_gaps(values: FloatArray) -> FloatArray:
    """Return the values with 0 in gaps: the files cannot hold NaN, and annotations name the gaps."""
    return np.where(np.isfinite(values), values, 0.0)


def gaps_of(session: Session, grid: Grid) -> list[tuple[float, float, str]]:
    """Return the gaps as start and duration in seconds from the grid's start, and the channel."""
    return [
        (first / grid.rate_hz, (stop - first) / grid.rate_hz, name)
        for c, name in enumerate(session.channels.name)
        for first, stop in true_runs(~np.isfinite(grid.emg[:, c])).tolist()
    ]


def label_of(name: str, c: int) -> str:
    """Return a label of at most 16 printable ASCII characters."""
    plain = "".join(ch if " " < ch < "\x7f" else "_" for ch in name)
    return plain if len(plain) <= 16 else f"{plain[:12]}~{c + 1}"
