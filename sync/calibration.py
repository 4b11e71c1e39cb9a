"""Each channel's level at rest and at maximum voluntary contraction, from intervals marked while recording.

They are stored in addition to the counts: nothing is normalised by them here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dataset.muscles import channel_from_name
from dataset.session.types import Calibration, EventTable
from dataset.support.arrays import FloatArray, IntArray
from dataset.support.disk_arrays import run_bounds
from sync.events.filters import envelope
from sync.events.perievent import WAVEFORM_HZ, typical_step
from sync.resample import ENVELOPE_CUTOFF_HZ

#: Margin left out at each end of a rest, and around a contraction within one: reaction time and settling of the level.
MARGIN_S = 0.5
#: Shortest time from which the level at rest is computed.
LEAST_REST_S = 1.0
#: The maximum is the highest mean over this time.
MAXIMUM_OVER_S = 0.5
#: A waveform's filters need this time to settle.
_SETTLES_S = 1.0
#: Labels that mean every channel.
_ALL = ("", "all")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Calibration of one recording and its provenance.

    Attributes
    ----------
    calibration : Calibration or None
        None where no channel was measured.
    provenance : mapping or None
        The step for ``/provenance/log``; None if no interval was marked.
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
    """Return each channel's level at rest (median) and at maximum voluntary contraction (highest mean over 0.5 s).

    Parameters
    ----------
    events : EventTable
        Events of the session. ``rest_start`` and ``rest_stop``, ``contract_start`` and ``contract_stop`` are paired by
        label; a label names a channel, a muscle or a side, and an empty one means all channels.
    channels : sequence of str, length C
        In the session's order.
    streams : mapping of channel to (time_s, value, run)
        Session times, credible values, and the number of each value's run without a gap, which never decreases;
        shape (N,) each. A missing channel is not measured.

    Notes
    -----
    The level is the value itself, or for a waveform the same linear envelope as on the grid, so that both parameters
    are comparable with ``/aligned/emg``. Rest is the median of the level over all rests of the channel, without their
    margins and without its contractions. The maximum is the highest mean over 0.5 s of any of its contractions, the
    common reference for normalising amplitudes: a single value may be an artefact, and the mean over the whole
    contraction is below the maximum (reviewed by Halaki & Ginn 2012, *Normalization of EMG signals: to normalize or not
    to normalize and what to normalize to?*; Besomi et al. 2020, *CEDE project: amplitude normalization matrix*).
    Neither spans a gap.
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
        own_rests, own_contractions = ([x for x in kind if names(x.label, channel)] for kind in (rests, contractions))
        if own_rests or own_contractions:
            rest[i], maximum[i] = _rest_and_maximum(*streams[channel], own_rests, own_contractions)
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
        In order of their starts. A stop without a label ends every open interval.
    unpaired : int
        Starts without a stop (before the next start of their label) and stops without a start. They are ignored: what
        happened after or before such a mark is unknown.
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
    label, of = _plain(label), channel_from_name(channel)
    return label in _ALL or label in (_plain(channel), of.side, _plain(of.muscle))


def _plain(label: str) -> str:
    return "_".join(label.lower().split())


def _rest_and_maximum(
    time_s: FloatArray,
    value: FloatArray,
    run: IntArray,
    rests: Sequence[Interval],
    contractions: Sequence[Interval],
) -> tuple[float, float]:
    """Return both levels of one channel, NaN where not measured; levels are computed only in marked intervals."""
    if len(time_s) < 2:
        return math.nan, math.nan
    step_s = typical_step(time_s)
    stream = time_s, value, run_bounds(run)
    rest = _rest(_levels(*stream, _joined(rests, MARGIN_S)), step_s, contractions)
    maximum = _maximum(_levels(*stream, [(x.start_s, x.stop_s) for x in contractions]), step_s)
    return rest, maximum


def _levels(
    time_s: FloatArray, value: FloatArray, bounds: Sequence[tuple[int, int]], spans: Sequence[tuple[float, float]]
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Yield times and levels of each run within each span; waveform runs too short for the filters are left out."""
    for first, stop in bounds:
        t, y = time_s[first:stop], value[first:stop]
        length_s = float(t[-1] - t[0])
        rate_hz = (len(t) - 1) / length_s if length_s > 0 else math.nan
        waveform = rate_hz >= WAVEFORM_HZ
        if waveform and length_s < _SETTLES_S:
            continue
        for start_s, stop_s in spans:
            rows = slice(int(np.searchsorted(t, start_s)), int(np.searchsorted(t, stop_s, side="right")))
            if rows.start < rows.stop:
                yield t[rows], envelope(y, rate_hz, ENVELOPE_CUTOFF_HZ, rows) if waveform else y[rows]


def _joined(intervals: Sequence[Interval], margin_s: float) -> list[tuple[float, float]]:
    """Return the union of the intervals, each shortened by a margin at both ends, as spans that do not overlap."""
    spans: list[tuple[float, float]] = []
    for x in sorted(intervals, key=lambda x: x.start_s):
        start_s, stop_s = x.start_s + margin_s, x.stop_s - margin_s
        if spans and start_s <= spans[-1][1]:
            spans[-1] = spans[-1][0], max(spans[-1][1], stop_s)
        elif start_s <= stop_s:
            spans.append((start_s, stop_s))
    return spans


def _rest(levels: Iterator[tuple[FloatArray, FloatArray]], step_s: float, contractions: Sequence[Interval]) -> float:
    parts = []
    for t, level in levels:
        still = np.ones(len(t), dtype=bool)
        for x in contractions:
            still &= (t < x.start_s - MARGIN_S) | (t > x.stop_s + MARGIN_S)
        parts.append(level[still])
    at_rest = np.concatenate(parts) if parts else np.zeros(0)
    return float(np.median(at_rest)) if len(at_rest) * step_s >= LEAST_REST_S - 1e-6 else math.nan


def _maximum(levels: Iterator[tuple[FloatArray, FloatArray]], step_s: float) -> float:
    highest = math.nan
    n = max(1, round(MAXIMUM_OVER_S / step_s))
    for _, level in levels:
        if len(level) >= n:
            means = np.convolve(level, np.full(n, 1.0 / n), mode="valid")
            highest = float(np.fmax(highest, means.max()))
    return highest
