"""Video clock from flashes: grid posterior over offset, rate and the rolling shutter, from partly lit rows.

A row of a rolling shutter is lit in proportion to the part of its exposure after the flash's onset. Readout time,
exposure and tone curve are unknown but the same for every flash, and the flashes' host times are known: one posterior
over (offset, rate, readout, exposure, tone) uses every partly lit row, and without any it becomes the intersection of
the frames' intervals. Compare Smid & Matas 2017, *Rolling shutter camera synchronization with sub-millisecond
accuracy*.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from dataset.support.arrays import FloatArray
from sync.events.flashes import N_BANDS, Flash
from sync.fit.clock_map import ClockMap

#: Error of the model of a lit row (gamma, auto exposure, slow rise of the light).
_MODEL_NOISE = 0.04
#: Errors of the bands in one frame are correlated: this many count as one.
_CORRELATED_BANDS = 4.0
#: Share of matched flashes that may be something else.
_OUTLIERS = 0.02
#: Brightness of a partly lit row is the lit share to this power: 1 for linear light, less for cameras' tone curves,
#: which show a half-lit row as more than half.
_TONES = (1.0, 0.7, 0.45)
#: The coarse pass uses the middle one for all, and allows a row this error.
_FIRST_TONE, _FIRST_NOISE = 0.7, 0.12
_STEP_S = 0.0005
#: Rows are read out in less than the spacing of frames, from the first to the last or in reverse.
_MOST_READOUT = 0.98
#: Relative rate of a camera's and a computer's quartz.
_RATE_SD_PPM = 60.0
_MOST_RATES = 401
#: Refinements of the coarse pass: the first centres the grid, the second resolves the peak.
_CLOSE_LOOKS = 2
#: Shutters less likely than the best by this much are dropped.
_UNLIKELY = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class ShutterFit:
    """The video's map from presentation times onto the host clock, and the shutter that fits the flashes best.

    Attributes
    ----------
    clock : ClockMap
    residual_s : ndarray, shape (N,)
        Host time of each flash minus its most likely onset under the map.
    readout_s, exposure_s : float
    """

    clock: ClockMap
    residual_s: FloatArray
    readout_s: float
    exposure_s: float


def fit_video(
    host_s: FloatArray, flashes: tuple[Flash, ...], *, host_sd_s: FloatArray, offset_s: float, frame_s: float
) -> ShutterFit:
    """Fit the video's map to matched flashes by a grid posterior over offset, rate and shutter.

    Parameters
    ----------
    host_s : ndarray, shape (N,)
        Onset of each flash's light on the host clock.
    flashes : tuple of Flash, length N
        The same flashes in the video.
    host_sd_s : ndarray, shape (N,)
        Standard deviation of each host time.
    offset_s : float
        First guess of the offset at the middle of the flashes, within one or two frames.
    frame_s : float
        Spacing of frames.
    """
    middle_s = float(np.mean([f.time_s for f in flashes]))
    onset_grid = np.arange(-3.0 * frame_s, 3.0 * frame_s + _STEP_S, _STEP_S)
    x = np.array([f.time_s for f in flashes]) - middle_s
    span_s = max(1.0, float(np.ptp(x)))
    # Light's onset on the video clock relative to the whole-frame guess, where nothing is corrected.
    base = host_s - (middle_s + offset_s) - x
    shutters = [
        _Shutter(float(readout) * frame_s, float(exposure) * frame_s, _FIRST_TONE, log_prior=math.log1p(-(readout**2)))
        for readout in np.linspace(-_MOST_READOUT, _MOST_READOUT, 21)
        for exposure in np.linspace(0.02, 1.0, 9)
    ]
    offsets = np.arange(-1.2, 1.2, 0.04) * frame_s
    rates = np.linspace(-200e-6, 200e-6, _odd_count(4e-4 * span_s / 0.004, 41, _MOST_RATES))
    # A coarse pass, blurred so that no peak falls between grid points, then a fine one around what remains.
    blur_s = 0.5 * math.hypot(offsets[1] - offsets[0], (rates[1] - rates[0]) * 0.5 * span_s)

    def blurred(i: int, shutter: _Shutter) -> FloatArray:
        return _onset_curve(flashes[i], onset_grid, shutter, math.hypot(host_sd_s[i], blur_s), _FIRST_NOISE)

    @functools.cache
    def sharp(i: int, shutter: _Shutter) -> FloatArray:
        return _onset_curve(flashes[i], onset_grid, shutter, float(host_sd_s[i]), _MODEL_NOISE)

    found = _posterior(_Timing(base, x, onset_grid, blurred), shutters, offsets, rates)
    timing = _Timing(base, x, onset_grid, sharp)
    shutters = [replace(shutter, tone=tone) for shutter in found.likely for tone in _TONES]
    for _ in range(_CLOSE_LOOKS):
        offsets, rates = _about(found.offset_s, found.covariance[0, 0]), _about(found.rate, found.covariance[1, 1])
        rates = rates[np.abs(rates) <= 200e-6] if np.any(np.abs(rates) <= 200e-6) else rates
        found = _posterior(timing, shutters, offsets, rates)
        shutters = found.likely
    # Without a partly lit row the posterior is flat over an interval: a normal approximation would be too wide.
    o_mean, r_mean, covariance = found.offset_s, found.rate, found.covariance * np.outer(found.tails, found.tails)
    expected = base - o_mean - x * r_mean
    likely = np.array([
        onset_grid[np.argmax(_onset_curve(flash, onset_grid, found.mean, 0.0, _MODEL_NOISE) - 1e-3 * off)]
        for flash, off in zip(flashes, np.abs(onset_grid - expected[:, None]), strict=True)
    ])  # fmt: skip
    return ShutterFit(
        clock=ClockMap(
            offset_s=offset_s + o_mean - r_mean * middle_s, rate=r_mean, reference_s=middle_s, covariance=covariance
        ),
        residual_s=expected - likely,
        readout_s=found.mean.readout_s,
        exposure_s=found.mean.exposure_s,
    )


@dataclass(frozen=True, slots=True)
class _Shutter:
    """Parameters of the shutter that determine the partly lit rows of a flash's onset."""

    readout_s: float
    exposure_s: float
    tone: float
    #: Prior: image sensors whose readout takes the whole spacing of frames are rare.
    log_prior: float = 0.0


@dataclass(frozen=True, slots=True)
class _Posterior:
    """Moments of the posterior over (offset, rate, shutter), and the shutters with relevant weight."""

    offset_s: float
    rate: float
    covariance: FloatArray
    #: Of offset and rate: 95 % interval against that of a normal distribution with the same variance.
    tails: FloatArray
    mean: _Shutter
    likely: list[_Shutter]


@dataclass(frozen=True, slots=True)
class _Timing:
    """Evidence on the flashes' onsets: their first guess, and the log-likelihood of each shift from it."""

    #: Onset of each flash on the video clock relative to the whole-frame guess.
    base_s: FloatArray
    #: Time of each flash relative to their middle.
    x_s: FloatArray
    onset_grid_s: FloatArray
    #: Log-likelihood over the grid for one flash and a shutter.
    curve: Callable[[int, _Shutter], FloatArray]


def _posterior(timing: _Timing, shutters: list[_Shutter], offsets: FloatArray, rates: FloatArray) -> _Posterior:
    """Return the posterior over a grid of offsets and rates, summed over shutters."""
    base, x = timing.base_s, timing.x_s
    shift = base[:, None, None] - offsets[None, :, None] - x[:, None, None] * rates[None, None, :]
    prior = np.broadcast_to(-0.5 * (rates / (_RATE_SD_PPM * 1e-6)) ** 2, (len(offsets), len(rates)))
    totals = np.empty((len(shutters), len(offsets), len(rates)))
    for k, shutter in enumerate(shutters):
        totals[k] = prior + shutter.log_prior
        for i in range(len(base)):
            totals[k] += np.interp(shift[i], timing.onset_grid_s, timing.curve(i, shutter))
    # In place: for a long session these are the largest arrays of all.
    totals -= totals.max()
    part = np.exp(totals, out=totals)
    part /= part.sum()
    share = part.sum(axis=(1, 2))
    posterior = part.sum(axis=0)
    of_offset, of_rate = posterior.sum(axis=1), posterior.sum(axis=0)
    o_mean, r_mean = float(of_offset @ offsets), float(of_rate @ rates)
    d_o, d_r = offsets - o_mean, rates - r_mean
    cross = float(d_o @ posterior @ d_r)
    covariance = np.array([[float(of_offset @ d_o**2), cross], [cross, float(of_rate @ d_r**2)]])
    return _Posterior(
        offset_s=o_mean,
        rate=r_mean,
        covariance=covariance,
        tails=np.array([_tail(d_o, of_offset, covariance[0, 0]), _tail(d_r, of_rate, covariance[1, 1])]),
        mean=_Shutter(*(share @ np.array([(s.readout_s, s.exposure_s, s.tone) for s in shutters])).tolist()),
        likely=[shutters[k] for k in np.flatnonzero(share > _UNLIKELY * share.max())],
    )


def _tail(off: FloatArray, share: FloatArray, variance: float) -> float:
    """Return the width of a distribution's 95 % interval relative to a normal distribution of the same variance."""
    order = np.argsort(np.abs(off))
    half_width = float(np.interp(0.95, np.cumsum(share[order]), np.abs(off)[order]))
    return half_width / (1.96 * math.sqrt(variance)) if variance > 0 else 1.0


def _about(centre: float, variance: float) -> FloatArray:
    """Return a grid of five standard deviations on either side."""
    return np.asarray(centre + math.sqrt(max(variance, 1e-24)) * np.linspace(-5.0, 5.0, 41))


def _onset_curve(
    flash: Flash, onset_s: FloatArray, shutter: _Shutter, host_sd_s: float, model_noise: float
) -> FloatArray:
    """Return the log likelihood of each onset under one shutter.

    Onsets are relative to the whole-frame guess, ``_STEP_S`` apart.
    """
    rows = (np.arange(N_BANDS) + 0.5) / N_BANDS - 0.5
    # A band is an average over rows, so it is never sharper than its own share of the readout.
    width = math.hypot(shutter.exposure_s, shutter.readout_s / N_BANDS)
    centre = flash.frame_time_s[:, None] + rows[None, :] * shutter.readout_s - flash.time_s
    seen = np.isfinite(flash.lit)
    lit, sd = flash.lit[seen], math.hypot(model_noise, flash.noise)

    def log_density(predicted: FloatArray | float, lit: FloatArray) -> FloatArray:
        # Student's t with 4 degrees of freedom: robust to a row with a moving arm in it.
        return np.asarray(-2.5 * np.log1p(((predicted - lit) / sd) ** 2 / 4.0))

    # A row is fully lit by onsets before its exposure and dark for later ones: only those between need the tone curve.
    n = len(onset_s)
    first = np.ceil((centre[seen] - 0.5 * width - onset_s[0]) / _STEP_S).astype(np.int64)
    during = first[:, None] + np.arange(math.ceil(width / _STEP_S) + 1)
    part = np.clip(0.5 + (centre[seen][:, None] - onset_s[0] - during * _STEP_S) / width, 0.0, 1.0)
    partly = log_density(part**shutter.tone, lit[:, None])
    on_grid = (during >= 0) & (during < n)
    fully, dark = log_density(1.0, lit), log_density(0.0, lit)
    no_longer, from_then = (
        np.cumsum(np.bincount(np.clip(at, 0, n), value, minlength=n + 1))[:n]
        for at, value in ((first, fully), (during[:, -1] + 1, dark))
    )
    curve = np.bincount(during[on_grid], partly[on_grid], minlength=n) + fully.sum() - no_longer + from_then
    curve /= _CORRELATED_BANDS
    density = np.exp(curve - curve.max())
    if host_sd_s > 0.25 * _STEP_S:
        reach = math.ceil(4 * host_sd_s / _STEP_S)
        kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * _STEP_S / host_sd_s) ** 2)
        density = np.convolve(density, kernel / kernel.sum(), mode="full")[reach:-reach]
    # The peak's height compares shutters; the floor limits the influence of one wrong flash.
    return np.asarray(np.log(density + _OUTLIERS * 1e-2) + curve.max(), dtype=np.float64)


def _odd_count(n: float, low: int, high: int) -> int:
    return 2 * (int(min(max(n, low), high)) // 2) + 1
