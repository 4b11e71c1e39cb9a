"""The ``/sync`` entries of the video and the sound: map, intervals, evidence and verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dataset.session.types import StreamSync
from dataset.support.arrays import FloatArray
from sync.events.contacts import Contact
from sync.fit.clock_map import ClockMap
from sync.fit.flash_fit import VideoFit
from sync.fit.match import Pairing
from sync.fit.rolling_shutter import ShutterFit
from sync.fit.sound_fit import SoundFit
from sync.quality import gates
from sync.quality.gates import FAIL, PASS, WARNING
from sync.recording_types import FlashLog

#: Matched events that lie this many frames off are not of one train.
_OTHER_EVENTS = 2.5


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoMapped:
    """The video's and the sound's maps and what they rest on."""

    line: ClockMap
    route: str
    fit: VideoFit | None
    sound: SoundFit | None
    sync: StreamSync


def video_sync(
    line: ClockMap,
    pairing: Pairing,
    flashes: FlashLog,
    sound: SoundFit | None,
    pts_s: FloatArray,
    *,
    route: str,
    shutter: ShutterFit | None,
    why: str = "",
) -> StreamSync:
    """Return the video's entry; its verdict is FAIL where nothing ties it to the clock.

    Parameters
    ----------
    pts_s : ndarray, shape (F,)
        All frames' times, over which the interval is told.
    route : {"flash", "contacts", "none"}
    why : str
        Why the flashes were not used, where they were not; the whole reason where the route is none.
    """
    method = {"flash": "flashes", "contacts": "contacts"}.get(route, "assumed")
    error = float(line.half_width_s(pts_s).max())
    residual = pairing.residual_s if shutter is None else shutter.residual_s
    frame_s = float(np.median(np.diff(pts_s))) if len(pts_s) > 1 else 1 / 30
    if route == "flash":
        judged = gates.judge_precision(
            error, gates.VIDEO_GATE_S, gates.robust_largest_s(residual), frame_s, "the video's clock"
        )
        verdict, reason = judged.verdict, judged.reason
        largest_s = gates.robust_largest_s(residual)
        if largest_s > _OTHER_EVENTS * frame_s:
            verdict = FAIL
            reason = (
                f"its flashes lie up to {1e3 * largest_s:.0f} ms off their map (allowed {1e3 * frame_s:.0f}): "
                "some of them are other lights, or its frames' times are wrong"
            )
        if flashes.source.startswith("terminal") and verdict == PASS:
            verdict, reason = (
                WARNING,
                f"{reason}, but its flashes came from a terminal, whose light is late by an unknown time",
            )
    elif route == "contacts":
        verdict = WARNING
        reason = (
            f"no flash ties the video to the clock ({why}); claps and stomps alone tie it to the sensors, "
            f"within {1e3 * error:.0f} ms because the sensors' own delay is taken from a prior"
        )
    else:
        verdict, reason = FAIL, why
    matched = line(pts_s[:0])
    if pairing.accepted:
        matched = np.sort(_matched_host_s(pairing, flashes, method, line, sound))
    span = line(pts_s[[0, -1]])
    knots = np.concatenate([span[:1], matched, span[1:]])
    constants: dict[str, float | str] = {
        "av_skew_s": sound.av_skew_s if sound else 0.0,
        "av_skew_sd_s": sound.av_skew_sd_s if sound else math.nan,
        "screen_latency_s": flashes.latency_s,
        "screen_latency_sd_s": flashes.latency_sd_s,
        "flash_source": flashes.source,
        "readout_s": shutter.readout_s if shutter else math.nan,
        "exposure_s": shutter.exposure_s if shutter else math.nan,
    }
    return StreamSync(
        method=method,
        verdict=verdict,
        reason=reason,
        offset_s=line.offset_s,
        rate_ppm=line.rate * 1e6,
        offset_ci95_s=float(line.half_width_s(np.zeros(1))[0]),
        rate_ci95_ppm=1.96e6 * line.rate_sd,
        error_ci95_s=error,
        n_reference=pairing.n_reference,
        n_target=pairing.n_target,
        n_matched=pairing.n_matched if pairing.accepted else 0,
        match_rate=pairing.match_rate,
        ambiguity_margin=pairing.ambiguity_margin,
        max_residual_s=float(np.max(np.abs(residual))) if len(residual) else math.nan,
        rms_residual_s=float(np.sqrt(np.mean(residual**2))) if len(residual) else math.nan,
        coverage=float(np.ptp(matched)) / max(1e-9, float(span[1] - span[0])) if len(matched) else 0.0,
        largest_gap_s=float(np.max(np.diff(knots))),
        extrapolated_s=max(0.0, float(matched[0] - span[0]), float(span[1] - matched[-1]))
        if len(matched)
        else math.nan,
        constants=constants,
        matches=pairing.pairs,
        residual_s=residual if pairing.accepted else np.zeros(len(pairing.pairs)),
        epochs=np.array([[pts_s[0], pts_s[-1], line.offset_s]]),
    )


def sound_sync(
    sound: SoundFit, flashes: FlashLog, contacts: tuple[Contact, ...], span_s: tuple[float, float]
) -> StreamSync:
    """Return the sound's entry."""
    line = sound.line
    pts = line.inverse()(np.array(span_s))
    error = float(line.half_width_s(pts).max())
    pairing = sound.pairing
    measured = sound.method == "beeps"
    if measured:
        reason = f"{pairing.n_matched if pairing else 0} beeps sound with their flashes, to within {1e3 * error:.1f} ms"
    else:
        source = "its arrival" if sound.method == "arrival" else "the video"
        reason = f"no beep measures it: it is taken from {source}, to within {1e3 * error:.0f} ms"
    beeps = sum(c.kind == "beep" for c in contacts)
    residual = pairing.residual_s if pairing is not None else np.zeros(0)
    return StreamSync(
        method=sound.method,
        verdict=PASS if measured and error <= gates.VIDEO_GATE_S[0] else WARNING,
        reason=reason,
        offset_s=line.offset_s,
        rate_ppm=line.rate * 1e6,
        offset_ci95_s=float(line.half_width_s(np.zeros(1))[0]),
        rate_ci95_ppm=1.96e6 * line.rate_sd,
        error_ci95_s=error,
        n_reference=len(flashes.light_s),
        n_target=beeps,
        n_matched=pairing.n_matched if pairing is not None else 0,
        match_rate=pairing.match_rate if pairing is not None else 0.0,
        ambiguity_margin=pairing.ambiguity_margin if pairing is not None else 0.0,
        max_residual_s=float(np.max(np.abs(residual))) if len(residual) else math.nan,
        rms_residual_s=float(np.sqrt(np.mean(residual**2))) if len(residual) else math.nan,
        coverage=pairing.coverage if pairing is not None else 0.0,
        largest_gap_s=pairing.largest_gap_s if pairing is not None else math.nan,
        constants={
            "av_skew_s": sound.av_skew_s,
            "av_skew_sd_s": sound.av_skew_sd_s,
            "acoustic_delay_s": sound.acoustic.value_s,
            "acoustic_delay_sd_s": sound.acoustic.sd_s,
        },
        matches=pairing.pairs if pairing is not None else np.zeros((0, 2), dtype=np.int64),
        residual_s=residual,
        epochs=np.array([[pts[0], pts[1], line.offset_s]]),
    )


def _matched_host_s(
    pairing: Pairing, flashes: FlashLog, method: str, line: ClockMap, sound: SoundFit | None
) -> FloatArray:
    if method == "flashes":
        return np.asarray(flashes.light_s[pairing.pairs[:, 0]])
    # Contacts' host times follow from the map that the pairing gave.
    return np.array([line.reference_s + line.offset_s]) if sound is not None else np.zeros(0)
