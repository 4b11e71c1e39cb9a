"""Responses of sEMG to contacts: when each sensor answers a clap or a stomp, measured to a part of its interval.

A 10 Hz sensor gives a handful of values a contact, each at another phase. One shape for all contacts, with a height
and a level of its own for each, is fitted to all values at once; its centroid against the contact's sound is the
response. The shape is pooled over the sensors of a limb and then relaxed for each sensor, since filters differ.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy import signal, stats
from scipy.optimize import least_squares

from dataset.arrays import FloatArray

#: Values looked at about each contact.
BEFORE_S, AFTER_S = 0.5, 1.0
#: Responses searched for: from a burst that leads by a lot to a slow sensor.
_SEARCH_S = (-0.25, 0.65)
_WIDTH_S = 0.08
_NARROWEST_S, _WIDEST_S = 0.015, 0.30
#: How far one sensor's shape may differ from its limb's (standard deviation of the logarithm).
_SHAPE_SD = 0.35
#: True shapes are no bells: their centroid lies off the bell's by about this share of its width.
_FAMILY_SHARE = 0.04
#: From this rate on a stream is a waveform and is enveloped before its level is looked at.
WAVEFORM_HZ = 100.0
MIN_RESPONSES = 3
#: A contact counts as answered where its response stands so far out of the noise, and is no dwarf among the others.
_ANSWER_SD = 2.5
_ANSWER_SHARE = 0.2
#: Delays are fitted as 1 s later, since steps of the solver are relative and a delay may be 0.
_LATER_S = 1.0
#: Shifts of the whole train at which it must explain clearly less.
_OTHER_SHIFTS_S = np.arange(0.7, 4.0, 0.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One sensor's answers to contacts.

    Attributes
    ----------
    response_s, ci95_s : float
        Contact's sound to the response's centroid in de-jittered arrival time, and its half-width; NaN where fewer
        than three contacts were answered.
    contact : ndarray of int64, shape (E,)
        Indices of the contacts that were answered.
    each_s : ndarray, shape (E,)
        The response of each of them.
    n_contacts : int
        Contacts that fell where the sensor delivered values.
    shape_sd_s : float
        Of ``response_s`` from the values' noise and from the shape, apart from how the contacts themselves differ.
    contrast : float
        Height of the response over the noise of a single value.
    shape_s : (float, float)
        Standard deviations of its rise and of its fall.
    ambiguity_margin : float
        By how much less the same contacts explain when their train is shifted in time, 0 to 1.
    """

    response_s: float = math.nan
    ci95_s: float = math.nan
    contact: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    each_s: FloatArray = field(default_factory=lambda: np.zeros(0))
    n_contacts: int = 0
    shape_sd_s: float = math.nan
    contrast: float = 0.0
    shape_s: tuple[float, float] = (math.nan, math.nan)
    ambiguity_margin: float = 0.0


@dataclass(slots=True)
class _Piece:
    """The values about one contact: times after the contact and levels."""

    contact: int
    t: FloatArray
    y: FloatArray


def level_of(time_s: FloatArray, value: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return ``(time_s, level)``: a waveform's envelope at about 100 Hz, or a slow stream as it is.

    The envelope is the usual band-pass 20-450 Hz, rectification and low-pass (here 20 Hz), all without phase.
    """
    if len(value) < 60:
        return time_s, value
    rate_hz = 1.0 / float(np.median(np.diff(time_s)))
    if rate_hz < WAVEFORM_HZ:
        return time_s, value
    level = envelope(value, rate_hz, cutoff_hz=20.0)
    step = max(1, int(rate_hz // 100))
    return time_s[::step], level[::step]


def envelope(value: FloatArray, rate_hz: float, cutoff_hz: float) -> FloatArray:
    """Return the linear envelope of raw sEMG: band-pass, rectify, low-pass, zero phase.

    Parameters
    ----------
    value : ndarray, shape (N,)
    rate_hz : float
    cutoff_hz : float
        Of the low-pass.
    """
    high = min(450.0, 0.45 * rate_hz)
    band = signal.butter(2, (min(20.0, 0.4 * high), high), "bandpass", fs=rate_hz, output="sos")
    low = signal.butter(2, cutoff_hz, "lowpass", fs=rate_hz, output="sos")
    return np.asarray(signal.sosfiltfilt(low, np.abs(signal.sosfiltfilt(band, value - np.median(value)))))


def measure_responses(
    contact_s: FloatArray, streams: Mapping[str, tuple[FloatArray, FloatArray]]
) -> dict[str, Response]:
    """Return each sensor's response to contacts of one kind.

    Parameters
    ----------
    contact_s : ndarray, shape (E,)
        Sound of each contact on the host clock.
    streams : mapping of str to (time_s, value)
        The sensors of the limb that makes these contacts: de-jittered arrivals on the same clock, and values.

    Returns
    -------
    dict of str to Response
        One for each stream; with NaN where the sensor did not answer.
    """
    pieces = {name: _pieces(contact_s, *level_of(time_s, value)) for name, (time_s, value) in streams.items()}
    starts: dict[str, tuple[float, float]] = {}
    for name, parts in pieces.items():
        if len(parts) >= MIN_RESPONSES:
            starts[name] = _coarse(parts)
    # A sensor that answers stands out; one that does not would blur the limb's shape.
    answering = {name: s for name, (s, gain) in starts.items() if gain > 0.25}
    pooled = _pooled_shape({name: pieces[name] for name in answering}, answering) if answering else None
    results: dict[str, Response] = {}
    for name, parts in pieces.items():
        if pooled is None or name not in answering:
            results[name] = Response(n_contacts=len(parts))
        else:
            margin = _margin(contact_s, level_of(*streams[name]), answering[name])
            results[name] = replace(_measure(parts, answering[name], pooled), ambiguity_margin=margin)
    return results


def _pieces(contact_s: FloatArray, time_s: FloatArray, value: FloatArray) -> list[_Piece]:
    parts: list[_Piece] = []
    if len(time_s) < 2:
        return parts
    step = float(np.median(np.diff(time_s)))
    for i, at in enumerate(contact_s):
        before = BEFORE_S if i == 0 else min(BEFORE_S, 0.5 * (at - contact_s[i - 1]))
        after = AFTER_S if i == len(contact_s) - 1 else min(AFTER_S, 0.75 * (contact_s[i + 1] - at))
        rows = (time_s >= at - before) & (time_s <= at + after)
        t = time_s[rows] - at
        # One value lost is borne by the fit; a longer gap where the response should be would let the shape float.
        if rows.sum() >= 6 and float(np.max(np.diff(t))) < 2.6 * step and float(t[-1]) > 0.35:
            parts.append(_Piece(i, t, value[rows].astype(np.float64)))
    return parts


def _margin(contact_s: FloatArray, stream: tuple[FloatArray, FloatArray], delay_s: float) -> float:
    """Return how much worse the train of contacts explains the values at any other time, 0 to 1."""
    here = _explained_alike(_pieces(contact_s, *stream), delay_s)
    shifts = np.concatenate([-_OTHER_SHIFTS_S, _OTHER_SHIFTS_S])
    other = max(_explained_alike(_pieces(contact_s + shift, *stream), delay_s) for shift in shifts)
    return max(0.0, 1.0 - other / here) if here > 0 else 0.0


def _explained_alike(parts: list[_Piece], delay_s: float) -> float:
    """Return the share of the variance explained by responses of one height: contacts are alike, chance is not."""
    if len(parts) < MIN_RESPONSES:
        return 0.0
    bells = [_shape(p.t, delay_s, _WIDTH_S, _WIDTH_S) for p in parts]
    bell = np.concatenate([b - b.mean() for b in bells])
    level = np.concatenate([p.y - p.y.mean() for p in parts])
    common = max(0.0, float(bell @ level))
    return common**2 / (float(bell @ bell) * float(level @ level) + 1e-12)


def _shape(t: FloatArray, at: float, rise: float, fall: float) -> FloatArray:
    """A bell with different widths before and after its peak."""
    width = np.where(t < at, rise, fall)
    return np.asarray(np.exp(-0.5 * ((t - at) / width) ** 2))


def _centred(t: FloatArray, at: float, rise: float, fall: float) -> FloatArray:
    bell = _shape(t, at, rise, fall)
    return np.asarray(bell - bell.mean())


def _centroid(at: float, rise: float, fall: float) -> float:
    return at + math.sqrt(2.0 / math.pi) * (fall - rise)


def _project(part: _Piece, bell: FloatArray) -> tuple[FloatArray, float]:
    """Return residuals and height of the best level, slope-free, plus height times ``bell``; height is >= 0."""
    centred = bell - bell.mean()
    power = float(centred @ centred)
    level = part.y - part.y.mean()
    height = max(0.0, float(centred @ level) / power) if power > 1e-9 else 0.0
    return level - height * centred, height


def _scale(parts: list[_Piece]) -> float:
    """Typical size of a response, so that sensors with other gains weigh alike."""
    return float(np.median([np.ptp(p.y) for p in parts])) + 1e-9


def _coarse(parts: list[_Piece]) -> tuple[float, float]:
    """Return the delay that explains most, and the share of the variance it explains."""
    total = sum(float(np.sum((p.y - p.y.mean()) ** 2)) for p in parts) + 1e-12
    grid = np.arange(_SEARCH_S[0], _SEARCH_S[1], 0.01)
    left = [sum(float(np.sum(_project(p, _shape(p.t, s, _WIDTH_S, _WIDTH_S))[0] ** 2)) for p in parts) for s in grid]
    best = int(np.argmin(left))
    return float(grid[best]), 1.0 - left[best] / total


def _pooled_shape(pieces: Mapping[str, list[_Piece]], starts: Mapping[str, float]) -> tuple[float, float]:
    """Return rise and fall of the shape that fits all sensors of a limb, each with its own delay."""
    names = list(pieces)
    scales = [_scale(pieces[n]) for n in names]

    def residuals(x: FloatArray) -> FloatArray:
        rise, fall = math.exp(x[0]), math.exp(x[1])
        parts = [
            _project(p, _shape(p.t, x[2 + i] - _LATER_S, rise, fall))[0] / scales[i]
            for i, name in enumerate(names)
            for p in pieces[name]
        ]
        return np.concatenate(parts)

    x0 = np.array([math.log(_WIDTH_S), math.log(_WIDTH_S), *(starts[n] + _LATER_S for n in names)])
    low = np.array([math.log(_NARROWEST_S)] * 2 + [_SEARCH_S[0] - 0.2 + _LATER_S] * len(names))
    high = np.array([math.log(_WIDEST_S)] * 2 + [_SEARCH_S[1] + 0.2 + _LATER_S] * len(names))
    fit = least_squares(residuals, x0, bounds=(low, high), loss="soft_l1", f_scale=0.1, diff_step=1e-4)
    return float(fit.x[0]), float(fit.x[1])


def _measure(parts: list[_Piece], start: float, pooled: tuple[float, float]) -> Response:
    scale = _scale(parts)

    def residuals(x: FloatArray, chosen: list[_Piece], noise: float) -> FloatArray:
        pulls = [(x[1] - pooled[0]) / _SHAPE_SD, (x[2] - pooled[1]) / _SHAPE_SD]
        fits = [_project(p, _shape(p.t, x[0] - _LATER_S, math.exp(x[1]), math.exp(x[2])))[0] / noise for p in chosen]
        return np.concatenate([*fits, np.array(pulls)])

    low = np.array([_SEARCH_S[0] - 0.2 + _LATER_S, math.log(_NARROWEST_S), math.log(_NARROWEST_S)])
    high = np.array([_SEARCH_S[1] + 0.2 + _LATER_S, math.log(_WIDEST_S), math.log(_WIDEST_S)])
    x0 = np.clip(np.array([start + _LATER_S, *pooled]), low + 1e-6, high - 1e-6)
    noise = 0.1 * scale
    x, at, rise, fall = x0, start, math.exp(pooled[0]), math.exp(pooled[1])
    for _ in range(2):
        fit = least_squares(
            residuals, x, bounds=(low, high), args=(parts, noise), loss="soft_l1", f_scale=2.0, diff_step=1e-4
        )
        x = fit.x
        at, rise, fall = float(x[0]) - _LATER_S, math.exp(x[1]), math.exp(x[2])
        left = np.concatenate([_project(p, _shape(p.t, at, rise, fall))[0] for p in parts])
        noise = max(1.4826 * float(np.median(np.abs(left))), 0.01 * scale)
    centre = _centroid(at, rise, fall)
    each, heights = _each(parts, at, rise, fall, noise)
    floor = noise / np.array([float(np.linalg.norm(_centred(p.t, at, rise, fall))) + 1e-9 for p in parts])
    answered = (heights > _ANSWER_SD * floor) & (heights > _ANSWER_SHARE * np.median(heights))
    if answered.sum() < MIN_RESPONSES:
        return Response(n_contacts=len(parts), contrast=float(np.median(heights)) / noise)
    each_s = each[answered] + (centre - at)
    n = len(each_s)
    spread = 1.4826 * float(np.median(np.abs(each_s - np.median(each_s))))
    spread = max(spread, float(stats.trim_mean(np.abs(each_s - np.median(each_s)), 0.1)))
    # Contacts differ in lead, so their scatter tells how well their mean is known; the shape's freedom comes on top.
    caution = float(stats.t.ppf(0.975, n - 1)) / 1.96
    scatter_sd = caution * spread / math.sqrt(n)
    total_sd = max(scatter_sd, caution * _centroid_sd_s(fit.jac, fit.fun, parts, (rise, fall), spread))
    own_sd = math.hypot(math.sqrt(total_sd**2 - scatter_sd**2), _FAMILY_SHARE * math.hypot(rise, fall))
    sd = math.hypot(scatter_sd, own_sd)
    return Response(
        response_s=centre,
        ci95_s=1.96 * sd,
        contact=np.array([p.contact for p in parts], dtype=np.int64)[answered],
        each_s=each_s,
        n_contacts=len(parts),
        shape_sd_s=own_sd,
        contrast=float(np.median(heights[answered])) / noise,
        shape_s=(rise, fall),
    )


def _centroid_sd_s(
    jacobian: FloatArray, residual: FloatArray, parts: list[_Piece], widths: tuple[float, float], spread: float
) -> float:
    """Return the centroid's standard deviation: the larger of what the noise and what the contacts' own misfits say.

    Notes
    -----
    The second is the sandwich estimator with one cluster a contact (Liang & Zeger 1986): it sees leads that differ,
    heights that do, and movement under a response, which independent noise does not.
    """
    slope = np.array([1.0, -math.sqrt(2.0 / math.pi) * widths[0], math.sqrt(2.0 / math.pi) * widths[1]])
    bread = np.linalg.pinv(jacobian.T @ jacobian)
    n = len(parts)
    known = 1.0 / (float(jacobian[:, 0] @ jacobian[:, 0]) + 1e-12)
    lead = max(0.0, spread**2 - n * known) / n
    meat = np.zeros_like(bread)
    row = 0
    for part in parts:
        pull = jacobian[row : row + len(part.y)].T @ residual[row : row + len(part.y)]
        meat += np.outer(pull, pull)
        row += len(part.y)
    noise = float(slope @ bread @ slope) + lead
    misfit = float(slope @ bread @ meat @ bread @ slope) * n / max(1, n - 2)
    return math.sqrt(max(noise, misfit))


def _each(parts: list[_Piece], at: float, rise: float, fall: float, noise: float) -> tuple[FloatArray, FloatArray]:
    """Return the delay and the height of each response under the common shape."""
    delays, heights = [], []
    grid = at + np.arange(-0.12, 0.1201, 0.005)
    for p in parts:
        # A weak pull to the common delay keeps a noisy single response from running away.
        cost = [
            float(np.sum(_project(p, _shape(p.t, s, rise, fall))[0] ** 2)) / noise**2 + ((s - at) / 0.06) ** 2
            for s in grid
        ]
        best = int(np.argmin(cost))
        delays.append(float(grid[best]))
        heights.append(_project(p, _shape(p.t, at, rise, fall))[1])
    return np.array(delays), np.array(heights)
