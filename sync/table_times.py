"""The time column of a table: its unit by plausibility, and a clock that was set back or leapt, by row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from dataset.support.arrays import FloatArray
from dataset.support.errors import InputError
from sync.clock.stamps import LONGEST_GAP_S, LONGEST_S
from sync.time_unit import TimeUnit

#: sEMG, or its envelope, has so many values a second; more than the first is expected of a table.
_SLOWEST_HZ, _FASTEST_HZ = 4.0, 50_000.0
#: A table so many times longer than its film, of which another unit would make about the film's length, has that unit.
_LONGER_THAN_FILM, _ABOUT_FILM = 100.0, 3.0
#: Epochs that an error lists.
_LISTED = 4


def times_in_seconds(path: Path, time: FloatArray, unit: TimeUnit | None, film_s: float) -> FloatArray:
    """Return a table's times in seconds; without a unit they are seconds, and refused where they cannot be.

    Parameters
    ----------
    path : Path
        Of the table, for the message.
    time : ndarray, shape (N,)
        At least one is later than the one before.
    unit : TimeUnit, optional
        If given it is believed.
    film_s : float
        Length of the film that goes with the table; NaN where it is not known.

    Raises
    ------
    InputError
        The times are no seconds; the likely unit is named.
    """
    if unit is not None:
        return np.asarray(time / unit.per_second)
    steps = np.diff(time)
    steps = steps[steps > 0]
    step = float(np.median(steps)) * len(steps) / (len(time) - 1)  # of equal stamps, each counts
    usual_span = step * (len(time) - 1)

    def misfit(u: TimeUnit) -> float:
        return abs(math.log(usual_span / u.per_second / film_s)) if film_s > 0 and usual_span > 0 else 0.0

    others = [u for u in (TimeUnit.MS, TimeUnit.US) if _SLOWEST_HZ <= u.per_second / step <= _FASTEST_HZ]
    likely = min(others, key=misfit, default=None)
    too_slow = 1.0 / step < _SLOWEST_HZ
    too_long = (
        likely is not None
        and film_s > 0
        and usual_span > _LONGER_THAN_FILM * film_s
        and misfit(likely) < math.log(_ABOUT_FILM)
    )
    if too_slow and likely is None:
        raise InputError(
            f"the times of {path} are no seconds of sEMG",
            f"its values would come {step:g} s apart",
            "say what its times are with --time-unit s, ms or us",
        )
    if (too_slow or too_long) and likely is not None:
        raise InputError(
            f"the times of {path} are hardly seconds",
            f"its values would come {step:g} s apart, and in {likely.word} {likely.per_second / step:.4g} a second",
            f"give --time-unit {likely.value}, or --time-unit s if they are seconds",
        )
    return time


def one_epoch(path: Path, lines: Sequence[int], column: str, time_s: FloatArray, epoch: int | None) -> slice:
    """Return the rows of a table in which its clock runs on, or those of the epoch that is asked for.

    Parameters
    ----------
    path : Path
    lines : sequence of int, length N
        Line of the file that each row stands in.
    column : str
        Name of the time column.
    time_s : ndarray, shape (N,)
    epoch : int, optional
        Number from 1 of the stretch between two steps of the clock.

    Raises
    ------
    InputError
        The clock steps back, or leaps, and no epoch was chosen; the message names the row. Or there is no such epoch.
    """
    steps_s = np.diff(time_s)
    cuts = np.flatnonzero((steps_s < 0) | (steps_s > LONGEST_GAP_S)) + 1
    edges = [0, *cuts.tolist(), len(time_s)]
    if epoch is not None:
        if not 1 <= epoch <= len(cuts) + 1:
            raise InputError(f"{path} has no epoch {epoch}", f"its clock makes {len(cuts) + 1} of it")
        rows = slice(edges[epoch - 1], edges[epoch])
    elif len(cuts):
        row = int(cuts[0])
        how = "steps back" if steps_s[row - 1] < 0 else f"leaps by {_long(float(steps_s[row - 1]))}"
        longest = int(np.argmax(np.diff(edges))) + 1
        parts = [f"{k + 1} is rows {lines[a]} to {lines[b - 1]}" for k, (a, b) in enumerate(pairwise(edges))]
        listed = "; ".join(parts[:_LISTED]) + (f"; and so on to {len(parts)}" if len(parts) > _LISTED else "")
        raise InputError(
            f"the clock of {path} {how}",
            f"row {lines[row]}, column {column!r} is {time_s[row]:.6f} s after {time_s[row - 1]:.6f} s; "
            f"cut there, epoch {listed}",
            f"correct the row, or import one epoch alone: --epoch {longest}",
        )
    else:
        rows = slice(0, len(time_s))
    span_s = float(time_s[rows.stop - 1] - time_s[rows.start])
    if span_s > LONGEST_S:
        raise InputError(
            f"the times of {path} span {_long(span_s)}",
            f"row {lines[rows.stop - 1]}, column {column!r} is {time_s[rows.stop - 1]:.6f} s",
            f"a recording is no longer than {_long(LONGEST_S)}: check the unit (--time-unit) or cut the table",
        )
    return rows


def _long(seconds: float) -> str:
    return f"{seconds / 86400:.1f} days" if seconds >= 86400 else f"{seconds / 3600:.1f} h"
