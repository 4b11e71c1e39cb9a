"""Sound map onto the host clock: from an LED box's beeps, else from block arrivals, else from the video's map."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from dataset.support.arrays import FloatArray
from sync.events.contacts import Contact, ContactKind
from sync.fit.clock_map import ClockMap
from sync.fit.match import Pairing, match_events
from sync.fit.priors import ACOUSTIC, ACOUSTIC_BEYOND_BOX, AV_SKEW, MICROPHONE, SOUND_RATE_SD, Prior
from sync.recording_types import FlashLog, FlashSource
from sync.robust import cauchy_weight, mad_sd

_BEEP_SD_S = 0.0015
_MIN_BEEPS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundFit:
    """The sound's map and how it was obtained.

    Attributes
    ----------
    method : {"beeps", "arrival", "video", "contacts"}
    pairing : Pairing or None
        Of beeps with flashes.
    beep_s, light_s : ndarray, shape (M,)
        The paired beeps on the file's clock, and their flashes on the host's.
    av_skew_s, av_skew_sd_s : float
        Lag of the file's sound behind its picture.
    """

    line: ClockMap
    method: str
    pairing: Pairing | None
    av_skew_s: float
    av_skew_sd_s: float
    beep_s: FloatArray = field(default_factory=lambda: np.zeros(0))
    light_s: FloatArray = field(default_factory=lambda: np.zeros(0))

    @property
    def acoustic(self) -> Prior:
        """Delay from a contact to its sound at the microphone, in addition to the one included in the map."""
        return ACOUSTIC_BEYOND_BOX if self.method == "beeps" else ACOUSTIC


def fit_sound(
    contacts: tuple[Contact, ...], flashes: FlashLog, video: ClockMap, arrival_s: float | None = None
) -> SoundFit:
    """Fit the sound's map to an LED box's beeps, which coincide with its flashes; else assume it.

    Parameters
    ----------
    contacts : tuple of Contact
        Including the beeps detected.
    flashes : FlashLog
    video : ClockMap
    arrival_s : float, optional
        Host time at which presentation time 0 arrived, in our own recordings: without beeps their sound is mapped by
        its blocks' arrival minus the microphone's prior delay. Other files use the video's map, with unknown skew.
    """
    beeps = np.array([c.time_s for c in contacts if c.kind == ContactKind.BEEP])
    if flashes.source is FlashSource.BOX and len(beeps) >= _MIN_BEEPS:
        pairing = match_events(flashes.light_s, beeps, tolerance_s=0.015)
        if pairing.accepted:
            light, heard = flashes.light_s[pairing.pairs[:, 0]], beeps[pairing.pairs[:, 1]]
            line = _beep_line(light, heard, video)
            at = line.reference_s
            skew = float(line(np.array([at]))[0] - video(np.array([at]))[0])
            # A positive skew: at the same presentation time the sound is of an earlier moment, so it lags.
            sd = math.hypot(line.offset_sd_s, float(video.half_width_s(np.array([at]))[0]) / 1.96)
            return SoundFit(
                line=line, method="beeps", pairing=pairing, av_skew_s=-skew, av_skew_sd_s=sd, beep_s=heard,
                light_s=light,
            )  # fmt: skip
    if arrival_s is not None:
        line = ClockMap.independent(
            offset_s=arrival_s - MICROPHONE.value_s, rate=0.0, reference_s=video.reference_s,
            offset_sd_s=math.hypot(MICROPHONE.sd_s, ACOUSTIC.sd_s), rate_sd=SOUND_RATE_SD,
        )  # fmt: skip
        middle = np.array([video.reference_s])
        skew = float(video(middle)[0] - line(middle)[0])
        sd = math.hypot(line.offset_sd_s, video.offset_sd_s)
        return SoundFit(line=line, method="arrival", pairing=None, av_skew_s=skew, av_skew_sd_s=sd)
    sd = math.sqrt(video.offset_sd_s**2 + AV_SKEW.sd_s**2 + ACOUSTIC.sd_s**2)
    line = ClockMap.independent(
        offset_s=video.offset_s - AV_SKEW.value_s, rate=video.rate, reference_s=video.reference_s, offset_sd_s=sd,
        rate_sd=video.rate_sd,
    )  # fmt: skip
    return SoundFit(line=line, method="video", pairing=None, av_skew_s=AV_SKEW.value_s, av_skew_sd_s=AV_SKEW.sd_s)


def _beep_line(host_s: FloatArray, beep_s: FloatArray, video: ClockMap) -> ClockMap:
    """Fit a robust line to matched beeps; the video's rate is the prior of its rate, for beeps close together."""
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
    # The box may be nearer to the microphone than the person, or farther: that distance is not measured.
    height_sd = math.hypot(spread / math.sqrt(float(weight.sum())), ACOUSTIC_BEYOND_BOX.sd_s)
    return ClockMap.independent(
        offset_s=height - rate * middle, rate=rate, reference_s=middle, offset_sd_s=height_sd,
        rate_sd=spread / math.sqrt(float(np.sum(weight * (beep_s - middle) ** 2)) + ridge),
    )  # fmt: skip
