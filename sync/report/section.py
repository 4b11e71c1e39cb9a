"""Parts of a section of the report; each module returns one section, and the template lays it out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dataset.support.arrays import FloatArray, IntArray
from sync.result import SyncResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumbnail:
    """A picture as a data URI and what it shows."""

    image: str
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A small table: the first column is text, the others numbers.

    Attributes
    ----------
    summary : str
        Where given, the table is folded away under this line.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    summary: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event: its text, and pictures of it side by side."""

    title: str
    text: str = ""
    pictures: tuple[Thumbnail, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One section of the report, in the order of its fields."""

    title: str
    texts: tuple[str, ...] = ()
    image: str = ""
    alt: str = ""
    figures: tuple[Thumbnail, ...] = ()
    events: tuple[Event, ...] = ()
    frames: tuple[Thumbnail, ...] = ()
    table: Table | None = None
    note: str = ""


def constant(result: SyncResult, stream: str, name: str) -> float:
    """Return a named constant of a stream; NaN where it has none."""
    value = result.streams[stream].constants.get(name, math.nan) if stream in result.streams else math.nan
    return float(value) if not isinstance(value, str) else math.nan


def milliseconds(value_s: float, *, signed: bool = False, digits: int = 1) -> str:
    """Return seconds as milliseconds in text, without the unit; a dash where there is no number."""
    if not math.isfinite(value_s):
        return "-"
    shown = round(1e3 * value_s, digits) + 0.0  # never "-0.0"
    return f"{shown:+.{digits}f}" if signed else f"{shown:.{digits}f}"


def spread(values: IntArray, most: int) -> IntArray:
    """Return at most ``most`` of the values, spread evenly over them."""
    if len(values) <= most:
        return values
    return np.asarray(values[np.linspace(0, len(values) - 1, most).round().astype(int)], dtype=np.int64)


def telling(residual_s: FloatArray, *, ends: int, worst: int) -> list[int]:
    """Return the indices, ascending, of the first and last ``ends`` events and of the ``worst`` residuals."""
    n = len(residual_s)
    chosen = {*range(min(ends, n)), *range(max(0, n - ends), n)}
    size = np.where(np.isfinite(residual_s), np.abs(residual_s), -1.0)
    chosen.update(int(i) for i in np.argsort(-size, kind="stable")[:worst])
    return sorted(chosen)
