"""Edges and pulses in any channel: a light sensor, a trigger line, a footswitch, a force.

An edge is where the levels before and after differ by far more than the channel varies by itself, and the transition
is short. The channel's own variation - noise, hum, drift - is measured on the channel at the same time scale, so no
threshold depends on the channel's unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from dataset.support.arrays import BoolArray, FloatArray
from sync.robust import mad_sd

#: The parts of an edge's height at which its shape is measured.
_LEVELS = np.linspace(0.25, 0.75, 11)


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeSettings:
    """Tuned numbers of the edge detector, all chosen by hand.

    Attributes
    ----------
    scales_s : tuple of float
        Levels before and after are compared over windows of these lengths: a trigger line is fast, a lamp slow.
    fewest_samples : int
        Least length of such a window: a median of fewer follows single outliers.
    stands_out_sd : float
        A difference of levels is examined from this many times its own usual spread.
    least_contrast_sd : float
        Height over the spread of the levels on either side that an edge needs.
    longest_rise_s : float
        A quarter to three quarters of the height are passed within this time (or three samples): slower is no edge.
    around_s : float
        The channel's local variation is measured this far on either side.
    most_drift_share : float
        Share of the height by which a level may drift on either side: beyond it, the whole is a slow rise.
    bounce_s : float
        Contacts bounce within this time; edges closer than it that leave the level unchanged are a short pulse.
    level_s : float
        Levels are measured over at most this long on either side.
    alike_share : float
        The edges of one source are alike: those lower than this share of the highest come from something else.
    """

    scales_s: tuple[float, ...] = (0.004, 0.02, 0.1)
    fewest_samples: int = 3
    stands_out_sd: float = 8.0
    least_contrast_sd: float = 4.0
    longest_rise_s: float = 0.08
    around_s: float = 0.5
    most_drift_share: float = 0.4
    bounce_s: float = 0.03
    level_s: float = 0.1
    alike_share: float = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One step of a channel.

    Attributes
    ----------
    time_s, uncertainty_s : float
        Where half of the height is passed, between samples, and the half-width of its 95 % interval.
    rising : bool
    height : float
        Level after minus level before, always positive, in the channel's unit.
    contrast : float
        Height over the spread of the levels on either side.
    levels_s : ndarray, shape (11,)
        When 25 % to 75 % of the height are passed: the edge's shape.
    """

    time_s: float
    uncertainty_s: float
    rising: bool
    height: float
    contrast: float
    levels_s: FloatArray


def detect_edges(time_s: FloatArray, value: FloatArray, *, settings: EdgeSettings = EdgeSettings()) -> tuple[Edge, ...]:
    """Return the edges of a channel in time order, by differences of local means and interpolated half heights.

    Parameters
    ----------
    time_s : ndarray, shape (N,)
        Ascending, about evenly spaced.
    value : ndarray, shape (N,)
        Any unit; not finite where there is none.
    settings : EdgeSettings, optional
    """
    good = np.isfinite(value) & np.isfinite(time_s)
    t, x = np.asarray(time_s[good], dtype=np.float64), np.asarray(value[good], dtype=np.float64)
    if len(t) < 4 * settings.fewest_samples or not np.any(np.diff(x)):
        return ()
    step_s = float(np.median(np.diff(t)))
    if not step_s > 0:
        return ()
    scales = sorted({max(settings.fewest_samples, round(s / step_s)) for s in settings.scales_s})
    x = _without_hum(x, step_s)
    places = _places(x, [w for w in scales if 4 * w <= len(x)], step_s, settings)
    edges = [e for e in (_measure(t, x, at, places, step_s, settings) for at in places) if e is not None]
    edges = _distinct(edges, step_s)
    if not edges:
        return ()
    tall = max(e.height for e in edges)
    return tuple(e for e in edges if e.height >= settings.alike_share * tall)


def _places(x: FloatArray, widths: list[int], step_s: float, settings: EdgeSettings) -> list[int]:
    """Return the samples at which the level changes far more than it usually does, at one scale or another."""
    found: dict[int, float] = {}  # signed change at each place
    for w in widths:
        around = max(12 * w, round(settings.around_s / step_s))
        total = np.concatenate([[0.0], np.cumsum(x - x[0])])
        mean = (total[w:] - total[:-w]) / w
        # change[i] is the mean of the w samples from i on, less that of the w before.
        change = np.zeros(len(x))
        change[w : len(x) - w + 1] = mean[w:] - mean[:-w]
        size = np.abs(change)
        # A channel that is constant apart from its edges has no usual change: then any change is one.
        usual = max(mad_sd(change), 0.01 * float(size.max()), 1e-12)
        for sign in (1.0, -1.0):
            for first, stop in _runs(sign * change > settings.stands_out_sd * usual, w):
                at = first + int(np.argmax(size[first:stop]))
                local = np.concatenate([size[max(0, at - around) : max(0, at - 2 * w)], size[at + 2 * w : at + around]])
                # A burst of sEMG is no edge: there are others as large beside it.
                if len(local) and size[at] < settings.stands_out_sd * float(np.percentile(local, 60)):
                    continue
                if not any(abs(p - at) <= w and c * sign > 0 for p, c in found.items()):
                    found[at] = float(change[at])
    tall = max((abs(c) for c in found.values()), default=0.0)
    return _settled(
        x, {at: c for at, c in sorted(found.items()) if abs(c) >= settings.alike_share * tall}, step_s, settings
    )


def _settled(x: FloatArray, changes: dict[int, float], step_s: float, settings: EdgeSettings) -> list[int]:
    """Return the places with those of a bouncing contact merged into its first, where the level stays changed."""
    places = list(changes)
    result: list[int] = []
    at = 0
    while at < len(places):
        stop = at + 1
        while stop < len(places) and (places[stop] - places[stop - 1]) * step_s < settings.bounce_s:
            stop += 1
        group = places[at:stop]
        before = x[max(0, group[0] - 10) : max(1, group[0] - 1)]
        after = x[group[-1] + 2 : group[-1] + 11]
        net = float(np.median(after) - np.median(before)) if len(before) and len(after) else 0.0
        brief = (group[-1] - group[0]) * step_s < 3 * settings.bounce_s
        if len(group) > 1 and brief and abs(net) > 0.5 * max(abs(changes[p]) for p in group):
            group = [next((p for p in group if changes[p] * net > 0), group[0])]
        result.extend(group)
        at = stop
    return result


def _without_hum(x: FloatArray, step_s: float) -> FloatArray:
    """Return the channel without the mains' lines where they stand out of its spectrum."""
    n = len(x)
    if step_s > 0.008 or n * step_s < 2.0:
        return x
    mean = float(np.mean(x))
    spectrum = np.fft.rfft(x - mean)
    frequency = np.fft.rfftfreq(n, step_s)
    size = np.abs(spectrum)
    for line in (50.0, 60.0, 100.0, 120.0, 150.0, 180.0):
        near = np.flatnonzero(np.abs(frequency - line) < 0.5)
        beside = (np.abs(frequency - line) < 5.0) & (np.abs(frequency - line) > 1.0)
        if len(near) == 0 or not beside.any():
            continue
        usual = float(np.median(size[beside]))
        loud = near[size[near] > 10.0 * usual]
        for k in loud.tolist():
            reach = slice(max(1, k - 2), k + 3)
            spectrum[reach] *= usual / np.maximum(size[reach], usual)
    return np.asarray(np.fft.irfft(spectrum, n) + mean)


def _runs(mask: BoolArray, longest: int) -> list[tuple[int, int]]:
    """Return the runs of True; runs longer than one edge makes are cut, since a train of edges made them."""
    padded = np.concatenate([[False], mask, [False]])
    bounds = np.flatnonzero(padded[1:] != padded[:-1]).reshape(-1, 2)
    pieces: list[tuple[int, int]] = []
    for a, b in bounds.tolist():
        n = max(1, round((b - a) / (2 * longest)))
        cuts = np.linspace(a, b, n + 1).astype(int)
        pieces.extend((int(p), int(q)) for p, q in pairwise(cuts) if q > p)
    return pieces


def _measure(
    t: FloatArray, x: FloatArray, at: int, places: list[int], step_s: float, settings: EdgeSettings
) -> Edge | None:
    """Return the edge at a sample: levels on either side up to the next edges, then the crossings between them."""
    here = places.index(at)
    reach = max(2 * settings.fewest_samples, round(settings.level_s / step_s))
    before_stop, after_start = at, at + 1
    low_limit = max(0, at - reach, places[here - 1] + 1 if here else 0)
    high_limit = min(len(x), at + reach, places[here + 1] if here + 1 < len(places) else len(x))
    if at - low_limit < 2 or high_limit - at < 2:
        return None
    # The transition itself is left out of the levels: the nearest third of either side.
    before = x[low_limit : max(low_limit + 2, before_stop - (before_stop - low_limit) // 3)]
    after = x[min(high_limit - 2, after_start + (high_limit - after_start) // 3) : high_limit]
    low, high = float(np.median(before)), float(np.median(after))
    height = abs(high - low)
    spread = max(_spread(before), _spread(after))
    if (
        height <= 0
        or height < settings.least_contrast_sd * spread
        or max(_drift(before), _drift(after)) > settings.most_drift_share * height
    ):
        return None
    scaled = (x[low_limit:high_limit] - low) / (high - low)
    near = t[low_limit:high_limit]
    half = _crossing(near, scaled, 0.5, at - low_limit, first=spread < height / 8)
    if half is None:
        return None
    index, _ = half
    levels = np.array([_level_time(near, scaled, level, index) for level in _LEVELS])
    rise_s = float(levels[-1] - levels[0])
    if not np.isfinite(rise_s) or rise_s > max(settings.longest_rise_s, 3 * step_s):
        return None
    time_s = float(levels[len(levels) // 2])
    noise = min(spread / height, 0.5)
    # Half of the height takes about rise_s; where one sample is low and the next high, the interpolation is a guess.
    slope_s = max(2.0 * rise_s, step_s)
    guess_s = 0.5 * step_s if rise_s <= 0.6 * step_s else 0.1 * step_s
    return Edge(
        time_s=time_s,
        uncertainty_s=float(np.hypot(guess_s, 1.96 * noise * slope_s)),
        rising=high > low,
        height=height,
        contrast=height / max(spread, 1e-3 * height),
        levels_s=levels,
    )


def _spread(values: FloatArray) -> float:
    """Standard deviation about a straight line, robustly: a level may drift or still be settling."""
    if len(values) < 4:
        return float(np.ptp(values)) / 2
    flat = values - _signed_drift(values) * np.linspace(0.0, 1.0, len(values))
    return mad_sd(flat)


def _drift(values: FloatArray) -> float:
    """Return by how much a level moves from its beginning to its end, robustly."""
    return abs(_signed_drift(values))


def _signed_drift(values: FloatArray) -> float:
    half = len(values) // 2
    return 2.0 * (float(np.median(values[half:])) - float(np.median(values[:half]))) if half >= 4 else 0.0


def _crossing(
    t: FloatArray, scaled: FloatArray, level: float, near: int, *, first: bool = False
) -> tuple[int, float] | None:
    """Return the last sample below the level before it is passed upwards, and when it is passed.

    Of several passages the nearest to ``near``, or the first where the channel is quiet enough for it: then the
    others are a contact's bounces.
    """
    ups = np.flatnonzero((scaled[:-1] < level) & (scaled[1:] >= level))
    if len(ups) == 0:
        return None
    i = int(ups[0] if first else ups[np.argmin(np.abs(ups - near))])
    return i, float(t[i] + (level - scaled[i]) / (scaled[i + 1] - scaled[i]) * (t[i + 1] - t[i]))


def _level_time(t: FloatArray, scaled: FloatArray, level: float, near: int) -> float:
    found = _crossing(t, scaled, level, near)
    return found[1] if found else float("nan")


def _distinct(edges: list[Edge], step_s: float) -> list[Edge]:
    """Return the edges without those that were found twice."""
    kept: list[Edge] = []
    for edge in sorted(edges, key=lambda e: e.time_s):
        if kept and edge.rising == kept[-1].rising and edge.time_s - kept[-1].time_s < 1.5 * step_s:
            if edge.contrast > kept[-1].contrast:
                kept[-1] = edge
            continue
        kept.append(edge)
    return kept
