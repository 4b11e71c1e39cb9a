"""Each channel's level at rest and at maximum, from the intervals that were marked while recording.

They are parameters beside the counts: nothing is ever divided by them here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dataset.arrays import BoolArray, FloatArray, IntArray, stretches
from dataset.session import Calibration, EventTable
from sync.detect.filters import envelope
from sync.detect.pieces import WAVEFORM_HZ
from sync.grid import ENVELOPE_CUTOFF_HZ

#: Left out at either end of a rest, and about a contraction inside one: a person reacts, and a level settles.
MARGIN_S = 0.5
#: Rest is not told from less than this.
LEAST_REST_S = 1.0
#: The maximum is the highest mean over this long.
MAXIMUM_OVER_S = 0.5
#: A waveform's filters need this long to settle.
_SETTLES_S = 1.0
#: Labels that mean every channel.
_ALL = ("", "all")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Calibration of one recording and how it was had.

    Attributes
    ----------
    calibration : Calibration or None
        None where no channel was measured.
    provenance : mapping or None
        The step for ``/provenance/log``; None where nothing was marked.
    """

    calibration: Calibration | None = None
    provenance: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """One marked interval, in session seconds."""

    label: str
    start_s: float
    stop_s: float


def calibrate(
    events: EventTable,
    channels: Sequence[str],
    streams: Mapping[str, tuple[FloatArray, FloatArray, IntArray]],
) -> Measured:
    """Return each channel's level at rest and at maximum voluntary contraction.

    Parameters
    ----------
    events : EventTable
        Of the session. ``rest_start`` and ``rest_stop``, ``contract_start`` and ``contract_stop`` are paired by label;
        a label names a channel, a muscle or a side, and an empty one means all.
    channels : sequence of str, length C
        In the session's order.
    streams : mapping of channel to (time_s, value, run)
        Session times, credible values, and the number of the run without a gap that each belongs to, shape (N,) each.
        A channel that is missing is not measured.

    Notes
    -----
    The level is the value itself, or for a waveform the linear envelope that the grid has, so that both parameters
    compare with ``/aligned/emg``. Rest is the median of the level over all rests of the channel, without their
    margins and without its contractions. The maximum is the highest mean over 0.5 s of any of its contractions, the
    common reference for normalising amplitudes: one value may be an artefact, and the whole contraction's mean is
    less than the maximum (reviewed by Halaki & Ginn 2012, *Normalization of EMG signals: to normalize or not to
    normalize and what to normalize to?*; Besomi et al. 2020, *CEDE project: amplitude normalization matrix*).
    Neither reaches over a gap.
    """
    rests, unpaired_rests = pair_intervals(events, "rest")
    contractions, unpaired_contractions = pair_intervals(events, "contract")
    unpaired = unpaired_rests + unpaired_contractions
    if not (rests or contractions or unpaired):
        return Measured()
    rest, maximum = np.full(len(channels), np.nan), np.full(len(channels), np.nan)
    for i, channel in enumerate(channels):
        if channel not in streams:
            continue
        time_s, level, run = _level(*streams[channel])
        own_contractions = [c for c in contractions if names(c.label, channel)]
        rest[i] = _rest(time_s, level, [r for r in rests if names(r.label, channel)], own_contractions)
        maximum[i] = _maximum(time_s, level, run, own_contractions)
    marked = {x.label for x in (*rests, *contractions)}
    step = {
        "step": "calibration",
        "rest": f"median level over the rests, less {MARGIN_S:g} s at their ends and about contractions",
        "maximum": f"highest mean level over {MAXIMUM_OVER_S:g} s without a gap, of all contractions",
        "level": f"as received; a waveform's linear envelope, low-passed at {ENVELOPE_CUTOFF_HZ:g} Hz",
        "n_rests": len(rests),
        "n_contractions": len(contractions),
        "n_marks_without_partner": unpaired,
        "labels_of_no_channel": sorted(label for label in marked if not any(names(label, c) for c in channels)),
    }
    some = bool(np.isfinite(rest).any() or np.isfinite(maximum).any())
    return Measured(
        calibration=Calibration(rest_counts=rest, mvc_counts=maximum) if some else None, provenance=step
    )  # fmt: skip


def pair_intervals(events: EventTable, kind: str) -> tuple[list[Interval], int]:
    """Pair the starts and stops of one kind, each label by itself.

    Returns
    -------
    intervals : list of Interval
        By their starts. A stop without a label ends whatever is begun.
    unpaired : int
        Starts that were not stopped (before the next start of their label) and stops of what had not begun. They are
        not guessed at: what lies beyond such a mark may be anything.
    """
    begun: dict[str, float] = {}
    found: list[Interval] = []
    unpaired = 0
    for i in np.argsort(events.time_s, kind="stable"):
        what, label, at = events.kind[i], _plain(events.label[i]), float(events.time_s[i])
        if what == f"{kind}_start":
            unpaired += label in begun
            begun[label] = at
        elif what == f"{kind}_stop":
            ended = [label] if label in begun else [] if label else list(begun)
            unpaired += not ended
            found += [Interval(label=name, start_s=begun.pop(name), stop_s=at) for name in ended]
    found.sort(key=lambda x: x.start_s)
    return [x for x in found if x.stop_s > x.start_s], unpaired + len(begun)


def names(label: str, channel: str) -> bool:
    """Return whether a mark's label means a channel: its name, its muscle, its side, or no label at all."""
    label = _plain(label)
    side, _, muscle = channel.partition("_")
    return label in _ALL or label == channel.lower() or label in (side.lower(), muscle.lower())


def _plain(label: str) -> str:
    return "_".join(label.lower().split())


def _level(time_s: FloatArray, value: FloatArray, run: IntArray) -> tuple[FloatArray, FloatArray, IntArray]:
    """Return a stream as a level; runs of a waveform that are too short for its filters are left out."""
    parts = []
    for number in np.unique(run):
        rows = run == number
        t, y = time_s[rows], value[rows]
        rate_hz = (len(t) - 1) / float(t[-1] - t[0]) if len(t) > 1 and t[-1] > t[0] else math.nan
        if rate_hz >= WAVEFORM_HZ:
            if t[-1] - t[0] < _SETTLES_S:
                continue
            y = envelope(y, rate_hz, cutoff_hz=ENVELOPE_CUTOFF_HZ)
        parts.append((t, y, run[rows]))
    if not parts:
        return np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64)
    t, y, numbers = (np.concatenate(column) for column in zip(*parts, strict=True))
    return t, y, numbers


def _within(time_s: FloatArray, intervals: Sequence[Interval], margin_s: float) -> BoolArray:
    """Return which times lie in any of the intervals, less a margin at their ends (negative: and beyond them)."""
    inside = np.zeros(len(time_s), dtype=bool)
    for x in intervals:
        inside |= (time_s >= x.start_s + margin_s) & (time_s <= x.stop_s - margin_s)
    return inside


def _rest(time_s: FloatArray, level: FloatArray, rests: Sequence[Interval], contractions: Sequence[Interval]) -> float:
    rows = _within(time_s, rests, MARGIN_S) & ~_within(time_s, contractions, -MARGIN_S)
    covered_s = float(rows.sum()) * float(np.median(np.diff(time_s))) if len(time_s) > 1 else 0.0
    return float(np.median(level[rows])) if covered_s >= LEAST_REST_S - 1e-6 else math.nan


def _maximum(time_s: FloatArray, level: FloatArray, run: IntArray, contractions: Sequence[Interval]) -> float:
    highest = math.nan
    if len(time_s) < 2:
        return highest
    n = max(1, round(MAXIMUM_OVER_S / float(np.median(np.diff(time_s)))))
    for x in contractions:
        inside = (time_s >= x.start_s) & (time_s <= x.stop_s)
        for number in np.unique(run[inside]):
            for first, stop in stretches(inside & (run == number)):
                if stop - first >= n:
                    means = np.convolve(level[first:stop], np.full(n, 1.0 / n), mode="valid")
                    highest = float(np.fmax(highest, means.max()))
    return highest
