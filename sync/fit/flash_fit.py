"""Video map from flashes: detection, matching with the flash log, and a fit that models the camera's rolling shutter.

Times are seconds after the session's zero on the host clock, and the file's presentation times. Whether a map is good
enough is decided in :mod:`sync.quality.gates`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from dataset.support.arrays import FloatArray, IntArray
from sync.clock.sensor_clock import sensor_clock
from sync.events.flash_regions import candidate_regions
from sync.events.flashes import Brightness, Flash, detect_flashes
from sync.fit.clock_map import ClockMap
from sync.fit.match import MAX_RATE_PPM, Pairing, match_events
from sync.fit.priors import LIGHT_LATENCY, light_source
from sync.fit.rolling_shutter import ShutterFit, fit_video
from sync.recording_types import FlashLog, FlashSource

#: The search over regions stops when this share of the logged flashes is detected.
_NEARLY_ALL = 0.8
#: Frame stamps with less jitter than this are used as they are, without fitting the frames' even spacing.
_EVEN_ENOUGH_S = 0.0015
_CLEARLY_BETTER = 0.7
#: With a constant frame rate, the least late frames of each second agree within this share of a frame.
_IN_TIME = 0.2
#: Common frame rates; with jittery stamps these are more accurate than the median spacing.
_CAMERA_HZ = (10.0, 12.5, 15.0, 20.0, 24.0, 25.0, 30.0, 48.0, 50.0, 60.0, 90.0, 100.0, 120.0, 240.0)
_RATE_KNOWN = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFit:
    """The video's map from flashes, and its evidence.

    Attributes
    ----------
    line : ClockMap or None
        None where the pairing was refused.
    detected : tuple of Flash
    shutter : ShutterFit or None
    """

    pairing: Pairing
    detected: tuple[Flash, ...]
    line: ClockMap | None
    shutter: ShutterFit | None


def host_flashes(time_s: FloatArray, uncertainty_s: FloatArray, sources: list[str]) -> FlashLog:
    """Return the expected onset of each stored flash's light: its stored time plus its source's latency.

    Parameters
    ----------
    time_s, uncertainty_s : ndarray, shape (N,)
        Stored host time and its half-width.
    sources : list of str, length N
        ``source`` of each event.
    """
    kinds = [light_source(s) for s in sources]
    main = max(sorted(set(kinds)), key=kinds.count) if kinds else FlashSource.NONE
    priors = [LIGHT_LATENCY[k] for k in kinds]
    latency = np.array([p.value_s for p in priors])
    # The jitter of an LED box is the one it states; a screen's latency varies as well.
    own = np.array([0.5 * p.sd_s if k is not FlashSource.BOX else 0.0 for p, k in zip(priors, kinds, strict=True)])
    sd = np.sqrt((np.asarray(uncertainty_s) / 1.96) ** 2 + own**2 + 0.0003**2)
    common = LIGHT_LATENCY[main if main else FlashSource.TERMINAL]
    return FlashLog(
        light_s=np.asarray(time_s) + latency if len(kinds) else np.zeros(0),
        sd_s=sd if len(kinds) else np.zeros(0),
        latency_s=common.value_s,
        latency_sd_s=common.sd_s,
        source=main,
    )


def fit_flashes(brightness: Brightness, flashes: FlashLog, late_s: FloatArray | None = None) -> VideoFit:
    """Fit the video's map to the flashes detected in it, in the whole picture or in the region that shows them.

    Parameters
    ----------
    brightness : Brightness
    flashes : FlashLog
    late_s : ndarray, shape (F,), optional
        How late each frame was stamped, by :func:`frame_lateness_s` of all frames of a recording; by default of the
        frames in the file.

    Notes
    -----
    A recorder stamps a frame when it arrives, and a busy machine stamps it late. Where the least late frames of each
    second are evenly spaced, and this spacing explains the flashes clearly better than the stamps do, it replaces the
    stamps, and the map of the stamps follows from their median lateness.
    """
    fit = _fit_flashes(brightness, flashes)
    pts_s = brightness.pts_s
    if late_s is None:
        late_s = frame_lateness_s(pts_s, np.zeros(len(pts_s), dtype=np.int64))
    if fit.line is None or fit.shutter is None or _spread_s(late_s) < _EVEN_ENOUGH_S:
        return fit
    if not _keeps_time(late_s, brightness.frame_s):
        return fit
    even = _fit_flashes(replace(brightness, pts_s=pts_s - late_s), flashes)
    if even.line is None or even.shutter is None or even.pairing.n_matched < fit.pairing.n_matched:
        return fit
    if _scatter_s(even.shutter.residual_s) > _CLEARLY_BETTER * _scatter_s(fit.shutter.residual_s):
        return fit
    height_s, slope, slope_sd = _usual_lateness(pts_s, late_s)
    # Stamps minus their usual lateness are evenly spaced; the map of the stamps follows.
    to_even = ClockMap(offset_s=-height_s, rate=-slope)
    both = even.line.after(to_even)
    line = ClockMap.independent(
        offset_s=both.offset_s,
        rate=both.rate,
        reference_s=even.line.reference_s + height_s + slope * even.line.reference_s,
        offset_sd_s=even.line.offset_sd_s,
        rate_sd=math.hypot(even.line.rate_sd, slope_sd),
    )
    detected = tuple(replace(f, time_s=f.time_s + height_s + slope * f.time_s) for f in even.detected)
    return replace(even, line=line, detected=detected)


def frame_lateness_s(stamp_s: FloatArray, epoch: IntArray) -> FloatArray:
    """Return how late each frame was stamped, relative to a constant frame rate fitted to the least late frames.

    Parameters
    ----------
    stamp_s : ndarray, shape (F,)
        Stamps of all frames that arrived, in order.
    epoch : ndarray of int64, shape (F,)
        Increases where the camera was reopened.
    """
    if len(stamp_s) < 3:
        return np.zeros(len(stamp_s))
    hz = 1.0 / float(np.median(np.diff(stamp_s)))
    usual = min(_CAMERA_HZ, key=lambda known: abs(known - hz))
    return sensor_clock(stamp_s, epoch, usual if abs(usual / hz - 1) < _RATE_KNOWN else hz).lateness_s


def _keeps_time(late_s: FloatArray, frame_s: float) -> bool:
    """Return whether the frame rate is constant: then the least late frames of each second agree."""
    n_seconds = min(max(1, round(len(late_s) * frame_s)), len(late_s))
    return _spread_s(np.array([second.min() for second in np.array_split(late_s, n_seconds)])) < _IN_TIME * frame_s


def _spread_s(late_s: FloatArray) -> float:
    return float(np.ptp(np.percentile(late_s, (10, 90))))


def _usual_lateness(pts_s: FloatArray, late_s: FloatArray) -> tuple[float, float, float]:
    """Return intercept and slope of a robust line through the lateness, and the slope's standard deviation."""
    n_blocks = min(100, len(pts_s) // 25)
    if n_blocks < 4:
        return float(np.median(late_s)), 0.0, 0.0
    blocks = np.array_split(np.arange(len(pts_s)), n_blocks)
    medians = np.array([np.median(late_s[b]) for b in blocks])
    slope, height, low, high = stats.theilslopes(medians, np.array([pts_s[b].mean() for b in blocks]))
    return float(height), float(slope), float(high - low) / (2 * 1.96)


def _fit_flashes(brightness: Brightness, flashes: FlashLog) -> VideoFit:
    tolerance_s = (
        1.2 * brightness.frame_s + 0.005 + 3 * float(np.median(flashes.sd_s, axis=0) if len(flashes.sd_s) else 0)
    )
    fits: list[tuple[Pairing, tuple[Flash, ...]]] = []
    for number, look in enumerate(candidate_regions(brightness)):
        detected = detect_flashes(look.brightness, look.mask)
        # With many regions searched, one of them may match by chance.
        pairing = match_events(
            flashes.light_s, np.array([f.time_s for f in detected]), tolerance_s=tolerance_s, n_looks=number + 1
        )
        fits.append((pairing, detected))
        if pairing.accepted and pairing.n_matched > _NEARLY_ALL * len(flashes.light_s):
            break
    pairing, detected = max(fits, key=lambda f: (f[0].accepted, f[0].n_matched))
    if not pairing.accepted:
        return VideoFit(pairing=pairing, detected=detected, line=None, shutter=None)
    matched = tuple(detected[j] for j in pairing.pairs[:, 1])
    light = flashes.light_s[pairing.pairs[:, 0]]
    guess = float(np.mean(light - np.array([f.time_s for f in matched])))
    shutter = fit_video(
        light, matched, host_sd_s=flashes.sd_s[pairing.pairs[:, 0]], offset_s=guess, frame_s=brightness.frame_s
    )
    clock = shutter.clock.decorrelated()
    # On a busy machine frames are stamped late at random, which the shutter model does not explain and the residuals
    # show. The residuals also contain what the shutter explains, so the larger of the two is used, not both.
    stamp_sd_s = _scatter_s(shutter.residual_s)
    at = np.array([f.time_s for f in matched]) - clock.reference_s
    line = ClockMap.independent(
        offset_s=clock.offset_s,
        rate=clock.rate,
        reference_s=clock.reference_s,
        offset_sd_s=max(clock.offset_sd_s, stamp_sd_s / math.sqrt(len(at))),
        rate_sd=max(
            clock.rate_sd,
            min(stamp_sd_s / math.sqrt(float(np.sum(at**2)) + 1e-9), MAX_RATE_PPM * 1e-6),
        ),
    )
    return VideoFit(pairing=pairing, detected=detected, line=line, shutter=shutter)


def _scatter_s(residual_s: FloatArray) -> float:
    """Return the root mean square of the residuals without the largest tenth, which may be outliers."""
    kept = np.sort(np.abs(residual_s))[: max(1, math.floor(0.9 * len(residual_s)))]
    return float(np.sqrt(np.mean(kept**2)))
