"""Maps onto the host clock: the video's from flashes, the sound's from beeps, contacts through the sound's.

Every function takes seconds after the session's zero on the host clock and the file's presentation times, and
returns numbers with intervals; whether they are good enough is for :mod:`sync.quality.gates` to say.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import stats

from dataset.support.arrays import FloatArray, IntArray
from sync.clock.sensor_clock import sensor_clock
from sync.events.contacts import Contact
from sync.events.flash_regions import candidate_regions
from sync.events.flashes import Brightness, Flash, detect_flashes
from sync.fit.match import MAX_RATE_PPM, Pairing, match_events
from sync.fit.priors import (
    ACOUSTIC,
    ACOUSTIC_BEYOND_BOX,
    AV_SKEW,
    LIGHT_LATENCY,
    MICROPHONE,
    SOUND_RATE_SD,
    Prior,
    light_source,
)
from sync.fit.rolling_shutter import VideoMap, fit_video
from sync.robust import cauchy_weight, mad_sd

_BEEP_SD_S = 0.0015
_MIN_BEEPS = 3
#: A look that finds so many of the logged flashes is the last one.
_NEARLY_ALL = 0.8
#: Stamps that scatter by less than this need no help from the frames' even spacing.
_EVEN_ENOUGH_S = 0.0015
_CLEARLY_BETTER = 0.7
#: The least late frames of an even camera's seconds differ by less than this share of a frame.
_IN_TIME = 0.2
#: Rates that cameras have; where stamps scatter, their median spacing tells the rate less well than this.
_CAMERA_HZ = (10.0, 12.5, 15.0, 20.0, 24.0, 25.0, 30.0, 48.0, 50.0, 60.0, 90.0, 100.0, 120.0, 240.0)
_RATE_KNOWN = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFlashes:
    """Flashes as the host knows them.

    Attributes
    ----------
    light_s : ndarray, shape (N,)
        Expected onset of the light: the stored time plus its source's latency.
    sd_s : ndarray, shape (N,)
        Standard deviation of each, apart from what all share.
    latency_s, latency_sd_s : float
        Of the source most flashes came from; it is common to all, so more flashes do not reduce it.
    source : str
        ``box``, ``screen``, ``terminal``, ``terminal-ssh`` or ``file``; empty where there are none.
    """

    light_s: FloatArray
    sd_s: FloatArray
    latency_s: float
    latency_sd_s: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An affine map onto the host clock with its uncertainty: ``host_s = (1 + rate) * stream_s + offset_s``.

    Attributes
    ----------
    middle_s : float
        Stream time about which height and rate are independent.
    height_sd_s, rate_sd : float
    """

    offset_s: float
    rate: float
    middle_s: float
    height_sd_s: float
    rate_sd: float

    def __call__(self, stream_s: FloatArray) -> FloatArray:
        """Map stream times onto the host clock."""
        return np.asarray((1 + self.rate) * np.asarray(stream_s) + self.offset_s)

    def half_width_s(self, stream_s: FloatArray) -> FloatArray:
        """Return the half-width of the 95 % interval at each stream time."""
        return np.asarray(1.96 * np.hypot(self.height_sd_s, self.rate_sd * (np.asarray(stream_s) - self.middle_s)))


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFit:
    """What the flashes say about the video.

    Attributes
    ----------
    line : Line or None
        None where the pairing was refused.
    detected : tuple of Flash
    shutter : VideoMap or None
    """

    pairing: Pairing
    detected: tuple[Flash, ...]
    line: Line | None
    shutter: VideoMap | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundFit:
    """The sound's map and how it was had.

    Attributes
    ----------
    method : {"beeps", "arrival", "video", "contacts"}
    pairing : Pairing or None
        Of beeps with flashes.
    beep_s, light_s : ndarray, shape (M,)
        The paired beeps on the file's clock, and their flashes on the host's.
    av_skew_s, av_skew_sd_s : float
        By how much the file's sound lies later than its picture.
    """

    line: Line
    method: str
    pairing: Pairing | None
    av_skew_s: float
    av_skew_sd_s: float
    beep_s: FloatArray = field(default_factory=lambda: np.zeros(0))
    light_s: FloatArray = field(default_factory=lambda: np.zeros(0))

    @property
    def acoustic(self) -> Prior:
        """From a contact to its sound at the microphone, beyond what the map holds."""
        return ACOUSTIC_BEYOND_BOX if self.method == "beeps" else ACOUSTIC


def host_flashes(time_s: FloatArray, uncertainty_s: FloatArray, sources: list[str]) -> HostFlashes:
    """Return when the light of each stored flash is expected.

    Parameters
    ----------
    time_s, uncertainty_s : ndarray, shape (N,)
        Stored host time and its half-width.
    sources : list of str, length N
        ``source`` of each event.
    """
    kinds = [light_source(s) for s in sources]
    main = max(sorted(set(kinds)), key=kinds.count) if kinds else ""
    priors = [LIGHT_LATENCY[k] for k in kinds]
    latency = np.array([p.value_s for p in priors])
    # A box's own scatter is what it states; a screen's scatters about its latency as well.
    own = np.array([0.5 * p.sd_s if k != "box" else 0.0 for p, k in zip(priors, kinds, strict=True)])
    sd = np.sqrt((np.asarray(uncertainty_s) / 1.96) ** 2 + own**2 + 0.0003**2)
    common = LIGHT_LATENCY[main] if main else LIGHT_LATENCY["terminal"]
    return HostFlashes(
        light_s=np.asarray(time_s) + latency if len(kinds) else np.zeros(0),
        sd_s=sd if len(kinds) else np.zeros(0),
        latency_s=common.value_s,
        latency_sd_s=common.sd_s,
        source=main,
    )


def fit_flashes(brightness: Brightness, flashes: HostFlashes, late_s: FloatArray | None = None) -> VideoFit:
    """Return the video's map from the flashes found in it, in the whole picture or in the part that shows them.

    Parameters
    ----------
    brightness : Brightness
    flashes : HostFlashes
    late_s : ndarray, shape (F,), optional
        How late each frame was stamped, as :func:`frame_lateness_s` tells it from all frames of a recording; by
        default from the frames in the file.

    Notes
    -----
    A recorder stamps a frame when it arrives, and a busy machine stamps it late. Where the least late frames of each
    second keep time, and their even spacing explains the flashes clearly better than the stamps do, it dates them, and
    the map of the stamps follows from how late they are as a rule.
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
    line = Line(
        offset_s=even.line.offset_s - (1 + even.line.rate) * height_s,
        rate=(1 + even.line.rate) * (1 - slope) - 1,
        middle_s=even.line.middle_s + height_s + slope * even.line.middle_s,
        height_sd_s=even.line.height_sd_s,
        rate_sd=math.hypot(even.line.rate_sd, slope_sd),
    )
    detected = tuple(replace(f, time_s=f.time_s + height_s + slope * f.time_s) for f in even.detected)
    return replace(even, line=line, detected=detected)


def frame_lateness_s(stamp_s: FloatArray, epoch: IntArray) -> FloatArray:
    """Return how late each frame was stamped, by the even spacing of the camera's frames.

    Parameters
    ----------
    stamp_s : ndarray, shape (F,)
        Stamps of all frames that came, in order.
    epoch : ndarray of int64, shape (F,)
        Goes up where the camera was opened again.
    """
    if len(stamp_s) < 3:
        return np.zeros(len(stamp_s))
    hz = 1.0 / float(np.median(np.diff(stamp_s)))
    usual = min(_CAMERA_HZ, key=lambda known: abs(known - hz))
    return sensor_clock(stamp_s, epoch, usual if abs(usual / hz - 1) < _RATE_KNOWN else hz).lateness_s


def _keeps_time(late_s: FloatArray, frame_s: float) -> bool:
    """Return whether frames come evenly: then the least late of each second are alike, but not at a variable rate."""
    n_seconds = min(max(1, round(len(late_s) * frame_s)), len(late_s))
    return _spread_s(np.array([second.min() for second in np.array_split(late_s, n_seconds)])) < _IN_TIME * frame_s


def _spread_s(late_s: FloatArray) -> float:
    return float(np.ptp(np.percentile(late_s, (10, 90))))


def _usual_lateness(pts_s: FloatArray, late_s: FloatArray) -> tuple[float, float, float]:
    """Return height and slope of a robust line through the lateness, and the slope's standard deviation."""
    n_blocks = min(100, len(pts_s) // 25)
    if n_blocks < 4:
        return float(np.median(late_s)), 0.0, 0.0
    blocks = np.array_split(np.arange(len(pts_s)), n_blocks)
    medians = np.array([np.median(late_s[b]) for b in blocks])
    slope, height, low, high = stats.theilslopes(medians, np.array([pts_s[b].mean() for b in blocks]))
    return float(height), float(slope), float(high - low) / (2 * 1.96)


def _fit_flashes(brightness: Brightness, flashes: HostFlashes) -> VideoFit:
    tolerance_s = (
        1.2 * brightness.frame_s + 0.005 + 3 * float(np.median(flashes.sd_s, axis=0) if len(flashes.sd_s) else 0)
    )
    fits: list[tuple[Pairing, tuple[Flash, ...]]] = []
    for number, look in enumerate(candidate_regions(brightness)):
        detected = detect_flashes(look.brightness, look.mask)
        # Whoever looks in many places finds something by chance in one of them.
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
    middle = shutter.middle_s
    if shutter.covariance[1, 1] > 0:
        middle -= float(shutter.covariance[0, 1] / shutter.covariance[1, 1])
    # Frames of a busy machine are stamped late at random, which no shutter explains: it shows in the residuals. What a
    # shutter does explain shows there as well, so the larger of the two counts, not both.
    stamp_sd_s = _scatter_s(shutter.residual_s)
    at = np.array([f.time_s for f in matched]) - middle
    formal_sd_s = float(shutter.half_width_s(np.array([middle]))[0]) / 1.96
    line = Line(
        offset_s=shutter.offset_s,
        rate=shutter.rate_ppm * 1e-6,
        middle_s=middle,
        height_sd_s=max(formal_sd_s, stamp_sd_s / math.sqrt(len(at))),
        rate_sd=max(
            math.sqrt(float(shutter.covariance[1, 1])),
            min(stamp_sd_s / math.sqrt(float(np.sum(at**2)) + 1e-9), MAX_RATE_PPM * 1e-6),
        ),
    )
    return VideoFit(pairing=pairing, detected=detected, line=line, shutter=shutter)


def _scatter_s(residual_s: FloatArray) -> float:
    """Return the root mean square of the residuals without the largest tenth, which may be something else."""
    kept = np.sort(np.abs(residual_s))[: max(1, math.floor(0.9 * len(residual_s)))]
    return float(np.sqrt(np.mean(kept**2)))


def fit_sound(
    contacts: tuple[Contact, ...], flashes: HostFlashes, video: Line, arrival_s: float | None = None
) -> SoundFit:
    """Return the sound's map: from a box's beeps, which sound with its flashes, else from what is assumed.

    Parameters
    ----------
    contacts : tuple of Contact
        With the beeps heard.
    flashes : HostFlashes
    video : Line
    arrival_s : float, optional
        When presentation time 0 arrived on the host clock, in our own recordings: without a beep their sound is then
        laid where its blocks arrived, less the microphone's prior. A file of somebody else's takes the video's map,
        the skew unknown.
    """
    beeps = np.array([c.time_s for c in contacts if c.kind == "beep"])
    if flashes.source == "box" and len(beeps) >= _MIN_BEEPS:
        pairing = match_events(flashes.light_s, beeps, tolerance_s=0.015)
        if pairing.accepted:
            light, heard = flashes.light_s[pairing.pairs[:, 0]], beeps[pairing.pairs[:, 1]]
            line = _beep_line(light, heard, video)
            at = line.middle_s
            skew = float(line(np.array([at]))[0] - video(np.array([at]))[0])
            # A positive skew: at the same presentation time the sound is of an earlier moment, it lies late.
            sd = math.hypot(line.height_sd_s, float(video.half_width_s(np.array([at]))[0]) / 1.96)
            return SoundFit(
                line=line, method="beeps", pairing=pairing, av_skew_s=-skew, av_skew_sd_s=sd, beep_s=heard,
                light_s=light,
            )  # fmt: skip
    if arrival_s is not None:
        line = Line(
            offset_s=arrival_s - MICROPHONE.value_s, rate=0.0, middle_s=video.middle_s,
            height_sd_s=math.hypot(MICROPHONE.sd_s, ACOUSTIC.sd_s), rate_sd=SOUND_RATE_SD,
        )  # fmt: skip
        middle = np.array([video.middle_s])
        skew = float(video(middle)[0] - line(middle)[0])
        sd = math.hypot(line.height_sd_s, video.height_sd_s)
        return SoundFit(line=line, method="arrival", pairing=None, av_skew_s=skew, av_skew_sd_s=sd)
    sd = math.sqrt(video.height_sd_s**2 + AV_SKEW.sd_s**2 + ACOUSTIC.sd_s**2)
    line = Line(
        offset_s=video.offset_s - AV_SKEW.value_s, rate=video.rate, middle_s=video.middle_s, height_sd_s=sd,
        rate_sd=video.rate_sd,
    )  # fmt: skip
    return SoundFit(line=line, method="video", pairing=None, av_skew_s=AV_SKEW.value_s, av_skew_sd_s=AV_SKEW.sd_s)


def _beep_line(host_s: FloatArray, beep_s: FloatArray, video: Line) -> Line:
    """Robust line through matched beeps; the rate leans on the video's where the beeps are close together."""
    weight = np.ones(len(beep_s))
    middle = float(np.mean(beep_s))
    rate, height = video.rate, 0.0
    ridge = (_BEEP_SD_S / math.hypot(SOUND_RATE_SD, video.rate_sd)) ** 2
    for _ in range(10):
        middle = float(np.average(beep_s, weights=weight))
        x = beep_s - middle
        y = host_s - beep_s
        height = float(np.average(y, weights=weight))
        rate = float((np.sum(weight * x * (y - height)) + ridge * video.rate) / (np.sum(weight * x**2) + ridge))
        residual = y - height - rate * x
        scale = max(_BEEP_SD_S, mad_sd(residual, 0.0))
        weight = cauchy_weight(residual / scale)
    spread = max(_BEEP_SD_S, float(np.sqrt(np.average(residual**2, weights=weight))))
    # The box stands nearer to the microphone than the person does, or farther: that distance is not measured.
    height_sd = math.hypot(spread / math.sqrt(float(weight.sum())), ACOUSTIC_BEYOND_BOX.sd_s)
    return Line(
        offset_s=height - rate * middle, rate=rate, middle_s=middle, height_sd_s=height_sd,
        rate_sd=spread / math.sqrt(float(np.sum(weight * (beep_s - middle) ** 2)) + ridge),
    )  # fmt: skip
