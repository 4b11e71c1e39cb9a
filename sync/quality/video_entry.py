"""The video's and the sound's alignment: map, interval, evidence and verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from dataset.support.arrays import FloatArray
from sync.events.contacts import Contact, ContactKind
from sync.fit.clock_map import ClockMap
from sync.fit.flash_fit import VideoFit
from sync.fit.match import Pairing
from sync.fit.rolling_shutter import ShutterFit
from sync.fit.sound_fit import SoundFit
from sync.quality import gates
from sync.quality.gates import Judgement, Verdict
from sync.quality.stream_alignment import SoundConstants, StreamAlignment, VideoConstants
from sync.recording_types import FlashLog

#: Matched events that lie this many frames off are not of one train.
_OTHER_EVENTS = 2.5
_METHOD = {"flash": "flashes", "contacts": "contacts", "none": "assumed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoMapped:
    """The video's and the sound's maps and what they rest on; ``route`` is flash, contacts or none."""

    line: ClockMap
    route: str
    fit: VideoFit | None
    sound: SoundFit | None

    @property
    def shutter(self) -> ShutterFit | None:
        """The camera's shutter, where the map rests on flashes."""
        return self.fit.shutter if self.fit is not None and self.route == "flash" else None


def video_stream(
    mapped: VideoMapped, pairing: Pairing, flashes: FlashLog, pts_s: FloatArray, why: str = ""
) -> StreamAlignment:
    """Return the video's alignment; its verdict is FAIL where nothing ties it to the clock.

    Parameters
    ----------
    mapped : VideoMapped
    pairing : Pairing
        Of flashes, or of contacts with bursts.
    flashes : FlashLog
    pts_s : ndarray, shape (F,)
        All frames' times, over which the interval is stated.
    why : str
        Why the flashes were not used, where they were not; the whole reason where the route is none.
    """
    line, sound, shutter = mapped.line, mapped.sound, mapped.shutter
    error = float(line.half_width_s(pts_s).max())
    residual = pairing.residual_s if shutter is None else shutter.residual_s
    if mapped.route == "flash":
        frame_s = float(np.median(np.diff(pts_s))) if len(pts_s) > 1 else 1 / 30
        judged = _judge_flashes(error, residual, frame_s, of_terminal=flashes.source.is_terminal)
    elif mapped.route == "contacts":
        reason = (
            f"no flash ties the video to the clock ({why}); claps and stomps alone tie it to the sensors, "
            f"within {1e3 * error:.0f} ms because the sensors' own delay is taken from a prior"
        )
        judged = Judgement(verdict=Verdict.WARNING, reason=reason)
    else:
        judged = Judgement(verdict=Verdict.FAIL, reason=why)
    matched = _matched_host_s(pairing, flashes, mapped)
    span = line(pts_s[[0, -1]])
    return StreamAlignment(
        method=_METHOD[mapped.route],
        map=line,
        error_ci95_s=error,
        pairing=replace(
            pairing,
            coverage=float(np.ptp(matched)) / max(1e-9, float(span[1] - span[0])) if len(matched) else 0.0,
            largest_gap_s=float(np.max(np.diff(np.concatenate([span[:1], matched, span[1:]])))),
        ),
        residual_s=residual,
        extrapolated_s=max(0.0, float(matched[0] - span[0]), float(span[1] - matched[-1]))
        if len(matched)
        else math.nan,
        constants=VideoConstants(
            av_skew_s=sound.av_skew_s if sound else 0.0,
            av_skew_sd_s=sound.av_skew_sd_s if sound else math.nan,
            screen_latency_s=flashes.latency_s,
            screen_latency_sd_s=flashes.latency_sd_s,
            flash_source=flashes.source,
            readout_s=shutter.readout_s if shutter else math.nan,
            exposure_s=shutter.exposure_s if shutter else math.nan,
        ),
        verdict=judged.verdict,
        reason=judged.reason,
        epochs=np.array([[pts_s[0], pts_s[-1], line.offset_s]]),
    )


def _judge_flashes(error_s: float, residual_s: FloatArray, frame_s: float, *, of_terminal: bool) -> Judgement:
    """Judge a video that flashes tie to the clock."""
    largest_s = gates.robust_largest_s(residual_s)
    if largest_s > _OTHER_EVENTS * frame_s:
        return Judgement(
            verdict=Verdict.FAIL,
            reason=f"its flashes lie up to {1e3 * largest_s:.0f} ms off their map (allowed {1e3 * frame_s:.0f}): "
            "some of them are other lights, or its frames' times are wrong",
        )
    judged = gates.judge_precision(error_s, gates.VIDEO_GATE_S, largest_s, frame_s, "the video's clock")
    if of_terminal and judged.verdict is Verdict.PASS:
        reason = f"{judged.reason}, but its flashes came from a terminal, whose light is late by an unknown time"
        return Judgement(verdict=Verdict.WARNING, reason=reason)
    return judged


def sound_stream(
    sound: SoundFit, flashes: FlashLog, contacts: tuple[Contact, ...], span_s: tuple[float, float]
) -> StreamAlignment:
    """Return the sound's alignment."""
    line = sound.line
    pts = line.inverse()(np.array(span_s))
    error = float(line.half_width_s(pts).max())
    pairing = sound.pairing or Pairing(accepted=False, reason="")
    measured = sound.method == "beeps"
    if measured:
        reason = f"{pairing.n_matched} beeps sound with their flashes, to within {1e3 * error:.1f} ms"
    else:
        source = "its arrival" if sound.method == "arrival" else "the video"
        reason = f"no beep measures it: it is taken from {source}, to within {1e3 * error:.0f} ms"
    return StreamAlignment(
        method=sound.method,
        map=line,
        error_ci95_s=error,
        pairing=replace(
            pairing,
            n_reference=len(flashes.light_s),
            n_target=sum(c.kind == ContactKind.BEEP for c in contacts),
        ),
        residual_s=pairing.residual_s,
        constants=SoundConstants(
            av_skew_s=sound.av_skew_s,
            av_skew_sd_s=sound.av_skew_sd_s,
            acoustic_delay_s=sound.acoustic.value_s,
            acoustic_delay_sd_s=sound.acoustic.sd_s,
        ),
        verdict=Verdict.PASS if measured and error <= gates.VIDEO_GATE_S[0] else Verdict.WARNING,
        reason=reason,
        epochs=np.array([[pts[0], pts[1], line.offset_s]]),
    )


def _matched_host_s(pairing: Pairing, flashes: FlashLog, mapped: VideoMapped) -> FloatArray:
    """Return the host times at which the map was tied to the clock, ascending."""
    if not pairing.accepted:
        return np.zeros(0)
    if mapped.route == "flash":
        return np.sort(flashes.light_s[pairing.pairs[:, 0]])
    # Contacts' host times follow from the map that the pairing gave.
    return np.array([mapped.line.reference_s + mapped.line.offset_s]) if mapped.sound is not None else np.zeros(0)
