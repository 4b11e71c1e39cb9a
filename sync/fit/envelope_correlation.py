"""Offset of two recordings of one waveform by normalised cross-correlation of their envelopes at several scales.

For what two devices recorded of one sound, jump or walk through different sensors: their values differ, in sign and
shape, but rise and fall in energy together. Edges of such signals are not the same instants in both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import signal

from dataset.importers.channels import Channel
from dataset.support.arrays import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvelopeSettings:
    """Tuned numbers of the envelope correlation, chosen by hand and checked by ``test_envelope_correlation.py``.

    Attributes
    ----------
    cutoffs_hz : tuple of float
        Low-pass of the envelope, one correlation each; the band before rectification is ``band_per_cutoff`` times it.
    band_per_cutoff : tuple of float
        From slow movement (0.4 times) to what a sensor adds (8 times the cutoff).
    least_r : float
        Two jumps of different people correlate by up to 0.91 (real force and acceleration), one jump by up to 0.97.
    least_margin : float
        By how much the second-best peak must be lower.
    least_values : float
        Independent values (time-bandwidth product) of the changes shared: a lone step, or a clap at a scale too coarse
        for its reverberation, has 3 to 4 and looks like any other; a real jump has 5 to 8.
    least_peaks : int
        Peaks of the energy shared: a lone pulse, band-passed, has two or three whatever it was.
    least_prominence : float
        Share of the highest peak by which one must stand out to count.
    least_overlap_s : float
        Shorter overlaps are not examined.
    floor_share : float
        A quiet section correlates by chance: the variance of an overlap counts as at least this share of the whole's.
    """

    cutoffs_hz: tuple[float, ...] = (5.0, 12.0, 40.0, 150.0)
    band_per_cutoff: tuple[float, float] = (0.4, 8.0)
    least_r: float = 0.92
    least_margin: float = 0.2
    least_values: float = 5.0
    least_peaks: int = 4
    least_prominence: float = 0.15
    least_overlap_s: float = 1.0
    floor_share: float = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvelopeMatch:
    """Best and second-best lag at one scale.

    Attributes
    ----------
    offset_s, half_width_s : float
        ``reference_s = target_s + offset_s`` at the highest correlation, and how far it falls by half of what it lacks
        of 1: the lags that fit about as well.
    r, second_r : float
        Correlation there, and at the highest peak elsewhere.
    second_s : float
        Offset of that second peak.
    n_values : float
        Independent values of the energy that both share there.
    n_peaks : int
        Distinct peaks of that energy.
    cutoff_hz : float
    """

    offset_s: float
    half_width_s: float
    r: float
    second_r: float
    second_s: float
    n_values: float
    n_peaks: int
    cutoff_hz: float

    def clear(self, settings: EnvelopeSettings) -> bool:
        """Return whether this scale alone decides the lag."""
        return (
            self.r >= settings.least_r
            and self.r - self.second_r >= settings.least_margin
            and self.n_values >= settings.least_values
            and self.n_peaks >= settings.least_peaks
        )


def correlate_envelopes(
    reference: Channel, target: Channel, *, settings: EnvelopeSettings = EnvelopeSettings()
) -> tuple[EnvelopeMatch, ...]:
    """Return the best lag at each scale that both channels are sampled finely enough for, coarsest first."""
    found = []
    for cutoff_hz in settings.cutoffs_hz:
        match = _at_scale(reference, target, cutoff_hz, settings)
        if match is not None:
            found.append(match)
    return tuple(found)


def agreed(matches: tuple[EnvelopeMatch, ...], settings: EnvelopeSettings = EnvelopeSettings()) -> EnvelopeMatch | None:
    """Return the most precise clear match, its interval widened to what other clear scales say; None where they differ.

    Scales differ where their intervals and the coarser envelope's own width do not overlap.
    """
    clear = [match for match in matches if match.clear(settings)]
    if not clear:
        return None
    best = min(clear, key=lambda match: match.half_width_s)
    apart = [abs(match.offset_s - best.offset_s) for match in clear]
    if any(d > m.half_width_s + 0.5 / m.cutoff_hz for d, m in zip(apart, clear, strict=True)):
        return None
    return replace(best, half_width_s=max(best.half_width_s, *apart))


def _at_scale(
    reference: Channel, target: Channel, cutoff_hz: float, settings: EnvelopeSettings
) -> EnvelopeMatch | None:
    rate_hz = 8.0 * cutoff_hz
    one, other = (_energy(channel, cutoff_hz, rate_hz, settings) for channel in (reference, target))
    if one is None or other is None:
        return None
    (start_s, a), (begin_s, b) = one, other
    r, lag = _normalised(a, b, round(settings.least_overlap_s * rate_hz), settings.floor_share)
    if not len(r) or not r.max() > 0:
        return None
    offset_s = lag / rate_hz + start_s - begin_s
    k = int(np.argmax(r))
    # The first minimum on either side bounds the main peak; within it nothing counts as a second one.
    left, right = k, k
    while left > 0 and r[left - 1] < r[left]:
        left -= 1
    while right < len(r) - 1 and r[right + 1] < r[right]:
        right += 1
    # A shoulder of the main peak is no second answer.
    reach = max(k - left, right - k, round(rate_hz / cutoff_hz))
    elsewhere = r.copy()
    elsewhere[max(0, k - reach) : k + reach + 1] = -1.0
    second = int(np.argmax(elsewhere))
    fits = r >= r[k] - 0.5 * max(1.0 - float(r[k]), 1e-6)
    low, high = k, k
    while low > 0 and fits[low - 1]:
        low -= 1
    while high < len(r) - 1 and fits[high + 1]:
        high += 1
    bend = r[k - 1] - 2 * r[k] + r[k + 1] if 0 < k < len(r) - 1 else 0.0
    part = 0.5 * float((r[k - 1] - r[k + 1]) / bend) if bend < 0 else 0.0
    shared = _overlap(a, b, int(lag[k]))
    coarse_s = max(_step_s(reference), _step_s(target))
    return EnvelopeMatch(
        offset_s=float(offset_s[k] + part / rate_hz),
        half_width_s=max(0.5 * float(high - low) / rate_hz, 0.25 / cutoff_hz, coarse_s),
        r=float(r[k]), second_r=float(elsewhere[second]), second_s=float(offset_s[second]),
        n_values=_independent_values(*shared, cutoff_hz, rate_hz), n_peaks=_peaks(*shared, settings),
        cutoff_hz=cutoff_hz,
    )  # fmt: skip


def _energy(
    channel: Channel, cutoff_hz: float, rate_hz: float, settings: EnvelopeSettings
) -> tuple[float, FloatArray] | None:
    """Return the first time and the square root of the band-passed, rectified, low-passed channel on an even grid."""
    good = np.isfinite(channel.value) & np.isfinite(channel.time_s)
    t, x = channel.time_s[good], channel.value[good]
    low_hz, high_hz = (share * cutoff_hz for share in settings.band_per_cutoff)
    if len(t) < 32 or not _step_s(channel) > 0:
        return None
    own_hz = 1.0 / _step_s(channel)
    high_hz = min(high_hz, 0.45 * own_hz)
    if high_hz < 4.0 * cutoff_hz or t[-1] - t[0] < settings.least_overlap_s:
        return None
    even_s = np.arange(t[0], t[-1], 1.0 / own_hz)
    band = signal.butter(2, (low_hz, high_hz), "bandpass", fs=own_hz, output="sos")
    smooth = signal.butter(2, cutoff_hz, fs=own_hz, output="sos")
    energy = np.abs(signal.sosfiltfilt(band, np.interp(even_s, t, x) - np.median(x)))
    level = np.sqrt(np.maximum(signal.sosfiltfilt(smooth, energy), 0.0))
    at_s = np.arange(t[0], t[-1], 1.0 / rate_hz)
    return float(t[0]), np.interp(at_s, even_s, level)


def _normalised(a: FloatArray, b: FloatArray, least: int, floor_share: float) -> tuple[FloatArray, FloatArray]:
    """Return Pearson's correlation over the overlap at each lag, and the lags in values."""
    a, b = a - a.mean(), b - b.mean()
    ones_a, ones_b = np.ones(len(a)), np.ones(len(b))

    def sums(x: FloatArray, y: FloatArray) -> FloatArray:
        return np.asarray(signal.correlate(x, y, method="fft"))

    n = np.maximum(np.rint(sums(ones_a, ones_b)), 1.0)
    sum_a, sum_b = sums(a, ones_b), sums(ones_a, b)
    within_a = sums(a * a, ones_b) - sum_a**2 / n
    within_b = sums(ones_a, b * b) - sum_b**2 / n
    floor_a, floor_b = floor_share * float(a @ a), floor_share * float(b @ b)
    scale = np.sqrt(np.maximum(within_a, floor_a) * np.maximum(within_b, floor_b))
    r = (sums(a, b) - sum_a * sum_b / n) / np.maximum(scale, 1e-300)
    usable = n >= least
    return np.clip(r[usable], -1.0, 1.0), np.asarray(signal.correlation_lags(len(a), len(b)))[usable]


def _overlap(a: FloatArray, b: FloatArray, lag: int) -> tuple[FloatArray, FloatArray]:
    """Return what of both lies upon each other at a lag in values."""
    first, begin = max(0, lag), max(0, -lag)
    n = min(len(a) - first, len(b) - begin)
    return a[first : first + n], b[begin : begin + n]


def _independent_values(a: FloatArray, b: FloatArray, cutoff_hz: float, rate_hz: float) -> float:
    """Return the time-bandwidth product of the changes both envelopes share: (sum p)^2 / sum p^2, p their product.

    Changes, because a level that stays different after one step (a lamp that flickers while it is on) adds nothing.
    """
    p = np.maximum(np.diff(a) * np.diff(b), 0.0)
    total = float(np.sum(p * p))
    return float(np.sum(p)) ** 2 / total / rate_hz * 2.0 * cutoff_hz if total > 0 else 0.0


def _peaks(a: FloatArray, b: FloatArray, settings: EnvelopeSettings) -> int:
    """Return the number of prominent peaks of the geometric mean of both envelopes above their medians."""
    x, y = (np.maximum(v - np.median(v), 0.0) for v in (a, b))
    p = np.sqrt(x * y)
    return len(signal.find_peaks(p, prominence=settings.least_prominence * float(p.max(initial=0.0)))[0])


def _step_s(channel: Channel) -> float:
    return float(np.median(np.diff(channel.time_s))) if len(channel.time_s) > 1 else math.nan
