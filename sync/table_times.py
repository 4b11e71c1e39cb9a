"""Time column of a table: checks of its unit by plausibility, and detection of clock jumps."""

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

#: Plausible rates of sEMG or its envelope (Hz); a table is expected to exceed the first.
_SLOWEST_HZ, _FASTEST_HZ = 4.0, 50_000.0
#: A table this many times longer than its video is in another unit, if that would give about the video's length.
_LONGER_THAN_FILM, _ABOUT_FILM = 100.0, 3.0
#: Most epochs listed in an error message.
_LISTED = 4


def times_in_seconds(path: Path, time: FloatArray, unit: TimeUnit | None, film_s: float) -> FloatArray:
    """Return a table's times in seconds; without a unit, seconds are assumed and refused if implausible.

    Parameters
    ----------
    path : Path
        Of the table, for the message.
    time : ndarray, shape (N,)
        At least one is later than the one before.
    unit : TimeUnit, optional
        If given, it is used without a check.
    film_s : float
        Length of the video of the table; NaN if unknown.

    Raises
    ------
    InputError
        The times are not seconds; the message names the likely unit.
    """
    if unit is not None:
        return np.asarray(time / unit.per_second)
    steps = np.diff(time)
    steps = steps[steps > 0]
    step = float(np.median(steps)) * len(steps) / (len(time) - 1)  # repeated stamps count as well
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
            f"the times of {path} are implausible for sEMG in seconds",
            f"its values would be {step:g} s apart",
            "give the unit of its times with --time-unit s, ms or us",
        )
    if (too_slow or too_long) and likely is not None:
        raise InputError(
            f"the times of {path} are probably not seconds",
            f"its values would be {step:g} s apart; in {likely.word} its rate is {likely.per_second / step:.4g} Hz",
            f"give --time-unit {likely.value}, or --time-unit s if they are seconds",
        )
    return time


def one_epoch(path: Path, lines: Sequence[int], column: str, time_s: FloatArray, epoch: int | None) -> slice:
    """Return the rows of a table whose clock has no jump, or those of the requested epoch.

    Parameters
    ----------
    path : Path
    lines : sequence of int, length N
        Line number of each row in the file.
    column : str
        Name of the time column.
    time_s : ndarray, shape (N,)
    epoch : int, optional
        Number, from 1, of the part between two jumps of the clock.

    Raises
    ------
    InputError
        The clock jumps and no epoch was given; the message names the row. Or the epoch does not exist.
    """
    steps_s = np.diff(time_s)
    cuts = np.flatnonzero((steps_s < 0) | (steps_s > LONGEST_GAP_S)) + 1
    edges = [0, *cuts.tolist(), len(time_s)]
    if epoch is not None:
        if not 1 <= epoch <= len(cuts) + 1:
            raise InputError(f"{path} has no epoch {epoch}", f"jumps of its clock divide it into {len(cuts) + 1}")
        rows = slice(edges[epoch - 1], edges[epoch])
    elif len(cuts):
        row = int(cuts[0])
        how = "jumps back" if steps_s[row - 1] < 0 else f"jumps ahead by {_long(float(steps_s[row - 1]))}"
        longest = int(np.argmax(np.diff(edges))) + 1
        parts = [f"{k + 1} is rows {lines[a]} to {lines[b - 1]}" for k, (a, b) in enumerate(pairwise(edges))]
        listed = "; ".join(parts[:_LISTED]) + (f"; and so on to {len(parts)}" if len(parts) > _LISTED else "")
        raise InputError(
            f"the clock of {path} {how}",
            f"row {lines[row]}, column {column!r} is {time_s[row]:.6f} s after {time_s[row - 1]:.6f} s; "
            f"divided there, epoch {listed}",
            f"correct the row, or import only one epoch: --epoch {longest}",
        )
    else:
        rows = slice(0, len(time_s))
    span_s = float(time_s[rows.stop - 1] - time_s[rows.start])
    if span_s > LONGEST_S:
        raise InputError(
            f"the times of {path} span {_long(span_s)}",
            f"row {lines[rows.stop - 1]}, column {column!r} is {time_s[rows.stop - 1]:.6f} s",
            f"the longest recording is {_long(LONGEST_S)}: check the unit (--time-unit) or cut the table",
        )
    return rows


def _long(seconds: float) -> str:
    return f"{seconds / 86400:.1f} days" if seconds >= 86400 else f"{seconds / 3600:.1f} h"
