"""Alignment of the video and of its sound: clock map, interval, evidence and verdict."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from dataset.support.arrays import FloatArray
from sync.events.contacts import Contact, ContactKind
from sync.fit.clock_map import Z95
from sync.fit.match import Pairing
from sync.fit.sound_fit import SoundFit
from sync.fit.video_map import VideoMapped
from sync.quality import gates
from sync.quality.closure import Closure
from sync.quality.gates import Judgement, Verdict
from sync.quality.stream_alignment import SoundConstants, StreamAlignment, VideoConstants
from sync.recording_types import FlashLog, FlashSource, Recording

#: Residuals of more frames than this mean that the matched events are not the same ones.
_OTHER_EVENTS = 2.5
#: This many contacts without a response cannot be explained by weak claps.
_MANY_CONTACTS = 6
#: Sources whose light has an unknown delay, the same for all flashes.
_LATE_SOURCES = (FlashSource.SCREEN, FlashSource.TERMINAL, FlashSource.TERMINAL_SSH)
_METHOD = {"flash": "flashes", "contacts": "contacts", "none": "assumed"}


def video_streams(
    recording: Recording, mapped: VideoMapped | None, span_s: tuple[float, float], *, tied: bool
) -> dict[str, StreamAlignment]:
    """Return the alignment of the video and of its sound; an empty mapping without a video.

    Parameters
    ----------
    recording : Recording
    mapped : VideoMapped or None
    span_s : (float, float)
    tied : bool
        Contacts in the film tie it to at least one sensor: then the film's offset from the host's clock need not be
        precise, because each sensor is judged by its response to the contacts in the film.
    """
    if mapped is None or recording.video is None:
        return {}
    streams = {"video": _video_stream(mapped, recording.flashes, recording.video.brightness.pts_s, tied=tied)}
    if mapped.sound:
        streams["sound"] = _sound_stream(mapped.sound, recording.flashes, recording.video.contacts, span_s)
    return streams


def judge_video(
    video: StreamAlignment | None,
    closure: Closure | None,
    span_s: tuple[float, float],
    lateness_s: float | None,
    n_unanswered: int,
) -> Judgement:
    """Return the verdict on the video, from its own evidence and from the sensors, which can contradict it.

    Parameters
    ----------
    video : StreamAlignment or None
    closure : Closure or None
        Comparison of the two methods, where both exist.
    span_s : (float, float)
        Time span that video and sensors share.
    lateness_s : float or None
        Delay from exposure to arrival that 95 % of the frames exceed.
    n_unanswered : int
        Claps and stomps that sensors could have responded to, if hardly any sensor does; else 0.
    """
    if video is None:
        return Judgement(verdict=Verdict.FAIL, reason="the capture has no video; give one with --video")
    if video.method == _METHOD["none"]:
        return Judgement(verdict=video.verdict, reason=video.reason)
    if span_s[1] <= span_s[0]:
        return Judgement(
            verdict=Verdict.FAIL,
            reason=f"the video and the sensors do not overlap in time ({span_s[0] - span_s[1]:.1f} s apart)",
        )
    if closure is not None and not closure.closes:
        return Judgement(
            verdict=Verdict.FAIL,
            reason=(
                f"the two methods disagree: alignment by flashes and by claps differs by {1e3 * closure.gap_s:+.0f} ms "
                f"(limit {1e3 * closure.allowed_s:.0f} ms), so one of the pairings is wrong"
            ),
        )
    by_flashes = video.method == "flashes"
    if by_flashes and n_unanswered >= _MANY_CONTACTS:
        return Judgement(
            verdict=Verdict.FAIL,
            reason=f"{n_unanswered} claps and stomps were detected, but hardly any sensor responds at the times given "
            "by the flashes: flashes, video and sensors do not belong to one recording, or are not on one clock",
        )
    if lateness_s is not None and by_flashes and lateness_s < -video.error_ci95_s - 0.002:
        return Judgement(
            verdict=Verdict.FAIL,
            reason=f"according to the flashes, frames were exposed {-1e3 * lateness_s:.0f} ms after they arrived: the "
            "flash times or their pairing are wrong",
        )
    return Judgement(verdict=video.verdict, reason=video.reason)


def _video_stream(mapped: VideoMapped, flashes: FlashLog, pts_s: FloatArray, *, tied: bool) -> StreamAlignment:
    """Return the video's alignment with the widest interval over all frames; FAIL where there is no evidence."""
    line, pairing, sound, shutter = mapped.line, mapped.pairing, mapped.sound, mapped.shutter
    error = float(line.half_width_s(pts_s).max())
    residual = pairing.residual_s if shutter is None else shutter.residual_s
    if mapped.route == "flash":
        frame_s = float(np.median(np.diff(pts_s))) if len(pts_s) > 1 else 1 / 30
        judged = _judge_flashes(error, residual, frame_s, flashes.source, tied=tied)
    elif mapped.route == "contacts":
        reason = (
            f"no flash aligns the video ({mapped.why}); claps and stomps align it. {_on_host(error)}, because the "
            "sensors' delay is taken from a prior"
        )
        judged = Judgement(verdict=Verdict.PASS if tied else Verdict.WARNING, reason=reason)
    else:
        judged = Judgement(verdict=Verdict.FAIL, reason=mapped.why)
    if sound is not None and sound.method != "beeps" and judged.verdict is not Verdict.FAIL:
        # Contacts are in the sound and keypoints in the picture: what is not measured between them is said.
        skew = f"{1e3 * sound.av_skew_s:+.0f} ± {Z95 * 1e3 * sound.av_skew_sd_s:.0f} ms"
        judged = replace(
            judged, reason=f"{judged.reason}; how far its sound lags its picture is not measured (assumed {skew})"
        )
    matched = _matched_host_s(flashes, mapped)
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


def _on_host(error_s: float) -> str:
    return f"Its offset from the host's clock is known within ±{1e3 * error_s:.0f} ms (95 %)"


def _judge_flashes(
    error_s: float, residual_s: FloatArray, frame_s: float, source: FlashSource, *, tied: bool
) -> Judgement:
    """Return the verdict on a video aligned by flashes."""
    largest_s = gates.robust_largest_s(residual_s)
    if largest_s > _OTHER_EVENTS * frame_s:
        return Judgement(
            verdict=Verdict.FAIL,
            reason=f"flash residuals reach {1e3 * largest_s:.0f} ms (limit {1e3 * frame_s:.0f} ms): some of the lights "
            "are not flashes, or the frame times are wrong",
        )
    judged = gates.judge_precision(error_s, gates.VIDEO_GATE_S, largest_s, frame_s, "the video's clock")
    if tied and source in _LATE_SOURCES and largest_s <= frame_s:
        reason = f"flashes align the video, and claps and stomps tie it to the sensors. {_on_host(error_s)}, because "
        reason += "the display delay of its flashes is taken from a prior"
        return Judgement(verdict=Verdict.PASS, reason=reason)
    if source.is_terminal and judged.verdict is Verdict.PASS:
        reason = f"{judged.reason}, but the flashes came from a terminal, whose display delay is unknown"
        return Judgement(verdict=Verdict.WARNING, reason=reason)
    return judged


def _sound_stream(
    sound: SoundFit, flashes: FlashLog, contacts: tuple[Contact, ...], span_s: tuple[float, float]
) -> StreamAlignment:
    """Return the sound's alignment."""
    line = sound.line
    pts = line.inverse()(np.array(span_s))
    error = float(line.half_width_s(pts).max())
    pairing = sound.pairing or Pairing(accepted=False, reason="")
    measured = sound.method == "beeps"
    if measured:
        reason = f"{pairing.n_matched} beeps match their flashes: known within ±{1e3 * error:.1f} ms (95 %)"
    else:
        source = "its arrival times" if sound.method == "arrival" else "the video's alignment"
        reason = f"not measured by beeps; taken from {source}, within ±{1e3 * error:.0f} ms"
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


def _matched_host_s(flashes: FlashLog, mapped: VideoMapped) -> FloatArray:
    """Return the host times of the events that the map was fitted to, ascending."""
    pairing = mapped.pairing
    if not pairing.accepted:
        return np.zeros(0)
    if mapped.route == "flash":
        return np.sort(flashes.light_s[pairing.pairs[:, 0]])
    # The host times of contacts follow from the map of the pairing.
    return np.array([mapped.line.reference_s + mapped.line.offset_s]) if mapped.sound is not None else np.zeros(0)
