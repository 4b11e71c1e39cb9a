"""Peri-event windows: the values about each contact as arrays, and the variance one shape at one delay explains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dataset.support.arrays import BoolArray, FloatArray, IntArray
from dataset.support.disk_arrays import BLOCK, blocks, full
from sync.clock.stamps import typical_interval
from sync.events.filters import smoothed_power

#: Length of a window before and after its contact, also in the report's figures.
BEFORE_S, AFTER_S = 0.5, 1.0
#: From this rate on a stream is a waveform, and its envelope is taken before its level is used.
WAVEFORM_HZ = 100.0
#: A long stream's typical step is measured on this many stretches of this many values.
_STRETCHES, _STRETCH = 256, 256


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelSettings:
    """Tuned numbers of a waveform's level, chosen by hand.

    Attributes
    ----------
    power_hz : float
        Low-pass of the power of raw sEMG.
    rest_percent : float
        Share of the time in which a muscle is assumed to be at rest.
    """

    power_hz: float = 20.0
    rest_percent: float = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSettings:
    """Tuned numbers of which contacts have a window, chosen by hand.

    Attributes
    ----------
    short_gap_s : float
        A fast stream's fit tolerates gaps up to this.
    lost_steps : float
        A slow stream's fit tolerates gaps of less than this many steps: one lost value.
    fewest_values : int
        A window with fewer is left out.
    least_after_s : float
        Its values reach at least this far past the contact: the response comes after it.
    """

    short_gap_s: float = 0.07
    lost_steps: float = 2.6
    fewest_values: int = 6
    least_after_s: float = 0.35


@dataclass(frozen=True, slots=True, kw_only=True)
class PerieventWindows:
    """The values about P contacts, padded to M values.

    Attributes
    ----------
    contact : ndarray of int64, shape (P,)
        Index of each piece's contact.
    t : ndarray, shape (P, M)
        Time of each value after its contact.
    y : ndarray, shape (P, M)
        Values less their piece's mean; 0 where padded.
    weight : ndarray, shape (P, M)
        1 where there is a value, 0 where padded.
    mean : ndarray, shape (P,)
        Of each piece's values, which ``y`` lacks.
    """

    contact: IntArray
    t: FloatArray
    y: FloatArray
    weight: FloatArray
    mean: FloatArray

    def __len__(self) -> int:
        """Return the number of pieces."""
        return len(self.contact)

    @property
    def energy(self) -> FloatArray:
        """Sum of squares of each piece about its mean, shape (P,)."""
        return np.asarray(np.sum(self.y**2, axis=1))

    @property
    def whole(self) -> FloatArray:
        """The values as they were, shape (P, M); 0 where padded."""
        return np.asarray((self.y + self.mean[:, None]) * self.weight)

    def only(self, chosen: BoolArray) -> PerieventWindows:
        """Return some of the pieces."""
        rows = np.flatnonzero(chosen)
        return PerieventWindows(
            contact=self.contact[rows], t=self.t[rows], y=self.y[rows], weight=self.weight[rows], mean=self.mean[rows]
        )

    def centred(self, template: FloatArray) -> FloatArray:
        """Return ``bell`` less its mean over each piece, shape (P, M)."""
        mean = np.sum(template * self.weight, axis=1) / np.sum(self.weight, axis=1)
        return np.asarray((template - mean[:, None]) * self.weight)

    def project(self, template: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return what the best level plus height times ``template`` leaves, and the heights, none of them negative.

        Parameters
        ----------
        template : ndarray, shape (P, M)

        Returns
        -------
        left : ndarray, shape (P, M)
        height : ndarray, shape (P,)
        """
        shape = self.centred(template)
        power = np.sum(shape**2, axis=1)
        height = np.where(power > 1e-9, np.maximum(0.0, np.sum(shape * self.y, axis=1)) / np.maximum(power, 1e-9), 0.0)
        return self.y - height[:, None] * shape, height

    def until(self, last_s: float) -> PerieventWindows:
        """Return the pieces without what comes later after the contact."""
        weight = self.weight * (self.t < last_s)
        count = np.maximum(1.0, weight.sum(axis=1))
        off = np.sum(self.y * weight, axis=1) / count
        y = (self.y - off[:, None]) * weight
        return PerieventWindows(contact=self.contact, t=self.t, y=y, weight=weight, mean=self.mean + off)


def typical_step(time_s: FloatArray) -> float:
    """Return the median step between times, in seconds; that of a long stream from stretches all over it.

    Where slow values come in bursts, most steps are those within a burst: there it is the mean interval.

    Parameters
    ----------
    time_s : ndarray, shape (N,)
        At least two.
    """
    if len(time_s) <= _STRETCHES * _STRETCH:
        return _unless_in_bursts(float(np.median(np.diff(time_s))), time_s)
    # Stretches: single steps so far apart might all lie at the same place of a sensor's packets.
    firsts = np.linspace(0, len(time_s) - _STRETCH, _STRETCHES).astype(np.int64)
    steps = [np.diff(time_s[first : first + _STRETCH]) for first in firsts]
    return _unless_in_bursts(float(np.median(steps)), time_s)


def _unless_in_bursts(step_s: float, time_s: FloatArray) -> float:
    if step_s >= 0.5 * float(time_s[-1] - time_s[0]) / (len(time_s) - 1):
        return step_s
    interval_s = typical_interval(time_s)
    return interval_s if step_s < 0.5 * interval_s and interval_s > 1.0 / WAVEFORM_HZ else step_s


def level_of(
    time_s: FloatArray, value: FloatArray, *, settings: LevelSettings = LevelSettings(), block: int = BLOCK
) -> tuple[FloatArray, FloatArray]:
    """Return ``(time_s, level)``: a waveform's level at about 100 Hz, or a slow stream as it is.

    Parameters
    ----------
    time_s, value : ndarray, shape (N,)
    settings : LevelSettings, optional
    block : int
        Values filtered at once.

    Notes
    -----
    A waveform's level is the root of its smoothed power less its power at rest. A rectified envelope would hide a
    burst's feet under the noise, which pulls the centroid of a burst with a tail towards its peak.
    """
    if len(value) < 60:
        return time_s, value
    rate_hz = 1.0 / typical_step(time_s)
    if rate_hz < WAVEFORM_HZ:
        return time_s, value
    step = max(1, int(rate_hz // 100))
    at, power = full((-(-len(value) // step),), 0.0), full((-(-len(value) // step),), 0.0)
    for rows in blocks(time_s, size=block // step * step):
        here = slice(rows.start // step, -(-rows.stop // step))
        at[here] = time_s[rows][::step]
        power[here] = smoothed_power(value, rate_hz, settings.power_hz, rows)[::step]
    np.maximum(power, 0.0, out=power)
    power -= np.percentile(power, settings.rest_percent)
    np.sqrt(np.maximum(power, 0.0, out=power), out=power)
    return at, power


def cut_windows(
    contact_s: FloatArray,
    time_s: FloatArray,
    value: FloatArray,
    *,
    alone: bool = False,
    settings: WindowSettings = WindowSettings(),
) -> PerieventWindows:
    """Cut out the values about each contact that has enough of them, without a gap where its response should be.

    Parameters
    ----------
    contact_s : ndarray, shape (E,)
    time_s, value : ndarray, shape (N,)
    alone : bool
        Treat each contact as if there were no other; else a window ends well before the next contact's.
    settings : WindowSettings, optional
    """
    chosen: list[int] = []
    spans: list[tuple[int, int]] = []
    step = typical_step(time_s) if len(time_s) > 1 else 0.0
    for i, at in enumerate(contact_s):
        before, after = BEFORE_S, AFTER_S
        if not alone:
            before = BEFORE_S if i == 0 else min(BEFORE_S, 0.5 * float(at - contact_s[i - 1]))
            after = AFTER_S if i == len(contact_s) - 1 else min(AFTER_S, 0.75 * float(contact_s[i + 1] - at))
        first, stop = np.searchsorted(time_s, (at - before, at + after))
        t = time_s[first:stop]
        longest_gap_s = max(settings.lost_steps * step, settings.short_gap_s)
        if len(t) < settings.fewest_values or float(np.max(np.diff(t))) >= longest_gap_s:
            continue
        if float(t[-1] - at) > settings.least_after_s:
            chosen.append(i)
            spans.append((int(first), int(stop)))
    width = max((b - a for a, b in spans), default=0)
    t, y, weight = (np.zeros((len(spans), width)) for _ in range(3))
    mean = np.zeros(len(spans))
    for k, (i, (a, b)) in enumerate(zip(chosen, spans, strict=True)):
        t[k, : b - a] = time_s[a:b] - contact_s[i]
        mean[k] = np.mean(value[a:b])
        y[k, : b - a] = value[a:b] - mean[k]
        weight[k, : b - a] = 1.0
    return PerieventWindows(contact=np.array(chosen, dtype=np.int64), t=t, y=y, weight=weight, mean=mean)


def explained(
    pieces: PerieventWindows, shapes: Callable[[FloatArray, float], FloatArray], delay_s: FloatArray
) -> FloatArray:
    """Return the share of each window's variance that one response at each delay explains, shape (P, D)."""
    total = pieces.energy + 1e-12
    left = [np.sum(pieces.project(shapes(pieces.t, float(d)))[0] ** 2, axis=1) for d in delay_s]
    return np.asarray(1.0 - np.array(left).T / total[:, None])
