"""What a short sound looks like from its onset on, and what made it: hands, feet, a finger or a door.

Hands press air out over several milliseconds and are broadband; a finger's blow on the palm is over within two and
has hardly anything below a kilohertz; a heel thumps below 300 Hz; so does a door, but it booms on and rattles.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import signal
from scipy.ndimage import uniform_filter1d

from dataset.support.arrays import FloatArray

HIGH_HZ = (1200.0, 8000.0)
_MID_HZ = (300.0, 1200.0)
LOW_HZ = (30.0, 300.0)
#: Levels are looked at on this grid.
HOP_S = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Bands:
    """A block of sound in three bands and its levels, each a millisecond's power on a grid of milliseconds."""

    rate_hz: int
    hop: int
    high: FloatArray
    low: FloatArray
    high_power: FloatArray
    mid_power: FloatArray
    low_power: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A short sound's shape, all ratios of power in decibels; its background is taken off.

    Attributes
    ----------
    brevity_db : float
        High band: first two milliseconds against the ten after them.
    fall_db : float
        High band: how far the level lies below its peak, between two and seven milliseconds after it.
    treble_db : float
        High against middle band, first six milliseconds.
    bass_db : float
        Low band's first 60 ms against the high band's first 15 ms.
    boom_db : float
        Low and middle band: 80 to 300 ms after the onset against the first 80 ms.
    rattles : int
        Further blows within 0.4 s, well above what has died away by then.
    """

    brevity_db: float
    fall_db: float
    treble_db: float
    bass_db: float
    boom_db: float
    rattles: int


def split_bands(samples: FloatArray, rate_hz: int) -> Bands:
    """Return a block's bands; the filters are causal, so that nothing answers before the contact."""
    hop = max(1, round(HOP_S * rate_hz))
    high, mid, low = (signal.sosfilt(_bandpass(edges, rate_hz), samples) for edges in (HIGH_HZ, _MID_HZ, LOW_HZ))
    return Bands(
        rate_hz=rate_hz, hop=hop, high=high, low=low, high_power=_power(high, hop), mid_power=_power(mid, hop),
        low_power=_power(low, hop),
    )  # fmt: skip


def measure_shape(bands: Bands, onset: int) -> Shape:
    """Return the shape of the sound that begins at sample ``onset``."""
    hops_s = bands.hop / bands.rate_hz
    at = round(onset / bands.hop)

    def between(power: FloatArray, first_s: float, stop_s: float) -> FloatArray:
        return power[max(0, at + round(first_s / hops_s)) : max(0, at + round(stop_s / hops_s))]

    def energy(power: FloatArray, first_s: float, stop_s: float) -> float:
        piece = between(power, first_s, stop_s)
        before = between(power, -0.030, -0.004)
        floor = float(np.median(before)) if len(before) else 0.0
        return max(float(np.sum(piece - floor)), 1e-3 * float(np.sum(piece)), 1e-12)

    # Brevity and fall on the samples: a millisecond decides here.
    rate_hz = bands.rate_hz
    start = max(0, onset - round(0.002 * rate_hz))
    wave = bands.high[start : onset + round(0.020 * rate_hz)] ** 2
    width = max(1, round(0.001 * rate_hz))
    level = uniform_filter1d(wave, width) if len(wave) else np.zeros(1)
    peak = int(np.argmax(level[: max(1, round(0.010 * rate_hz))]))
    ahead = before_power(bands, onset)
    first = float(np.sum(wave[max(0, peak - width) : peak + width] - ahead))
    later = wave[peak + width : peak + width + round(0.010 * rate_hz)] - ahead
    tail = level[peak + 2 * width : peak + 7 * width]
    top = float(level[peak]) - ahead
    fall = max(float(np.median(tail)) - ahead, 1e-4 * top) / top if len(tail) and top > 0 else 1.0
    return Shape(
        brevity_db=_db(max(first, 1e-12) / max(float(np.sum(later)), 1e-3 * max(first, 1e-12))),
        fall_db=-_db(fall),
        treble_db=_db(energy(bands.high_power, 0.0, 0.006) / energy(bands.mid_power, 0.0, 0.006)),
        bass_db=_db(energy(bands.low_power, 0.0, 0.060) / energy(bands.high_power, -0.001, 0.015)),
        boom_db=_db(
            (energy(bands.low_power, 0.080, 0.300) + energy(bands.mid_power, 0.080, 0.300))
            / (energy(bands.low_power, 0.0, 0.080) + energy(bands.mid_power, 0.0, 0.080))
        ),
        rattles=_rattles(bands, at, hops_s),
    )


def before_power(bands: Bands, onset: int) -> float:
    """Return the high band's power just before ``onset``."""
    stop = max(1, onset - round(0.004 * bands.rate_hz))
    piece = bands.high[max(0, stop - round(0.030 * bands.rate_hz)) : stop]
    return float(np.mean(piece**2)) if len(piece) else 0.0


def _rattles(bands: Bands, at: int, hops_s: float) -> int:
    power = (bands.high_power + bands.mid_power)[at : at + round(0.4 / hops_s)]
    if len(power) < 20:
        return 0
    level = 10 * np.log10(uniform_filter1d(power, 3) + 1e-12)
    blows, _ = signal.find_peaks(level, prominence=9.0, distance=round(0.012 / hops_s))
    first = float(level[: round(0.012 / hops_s)].max())
    return int(np.sum((blows > round(0.014 / hops_s)) & (level[blows] > first - 28.0)))


def _power(values: FloatArray, hop: int) -> FloatArray:
    n = len(values) // hop * hop
    return np.asarray(np.mean(values[:n].reshape(-1, hop) ** 2, axis=1))


def _bandpass(edges_hz: tuple[float, float], rate_hz: int) -> FloatArray:
    high = min(edges_hz[1], 0.45 * rate_hz)
    return np.asarray(signal.butter(2, (edges_hz[0], high), "bandpass", fs=rate_hz, output="sos"))


def _db(ratio: float) -> float:
    return 10.0 * math.log10(max(ratio, 1e-12))
