"""From a recording's evidence to maps and verdicts: a pure function, the same for a capture and for a simulation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from dataset.arrays import FloatArray
from dataset.session import StreamSync
from sync.contacts_only import close_by_contacts, fit_contacts
from sync.detect.contact import Contact
from sync.detect.response import Response
from sync.fit import Line, SoundFit, answered_cues, fit_flashes, fit_sound, frame_lateness_s
from sync.parts import Picture, VideoMapped
from sync.priors import ACOUSTIC
from sync.recording import CONTACT_KINDS, FrameStamps, Recording
from sync.sensors import Closure, Contacts, SensorData, close_routes, respond, sync_sensors
from sync.streams import sound_sync, video_sync
from sync.verdict import FAIL, Judgement, judge_whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """What was made of a recording.

    Attributes
    ----------
    verdict : {"PASS", "WARNING", "FAIL"}
    reasons : tuple of str
    streams : mapping of str to StreamSync
        ``video`` and ``sound`` where there are, and every channel.
    video : VideoMapped or None
    chosen : mapping of {"clap", "stomp"} to list of int
        Indices of the contacts that count.
    contacts : mapping of {"clap", "stomp"} to Contacts
        The same on the host clock.
    responses : mapping of channel to (kind, Response)
    closure : Closure or None
    span_s : (float, float)
        What video and sensors share.
    """

    verdict: str
    reasons: tuple[str, ...]
    streams: Mapping[str, StreamSync]
    video: VideoMapped | None
    chosen: Mapping[str, list[int]]
    contacts: Mapping[str, Contacts]
    responses: Mapping[str, tuple[str, Response]]
    closure: Closure | None
    span_s: tuple[float, float]


def align(recording: Recording) -> Alignment:
    """Map every stream of a recording onto the host clock and judge how well that is known."""
    sensors, picture = recording.sensors, recording.picture
    mapped = _map_video(recording, picture) if picture else None
    chosen, heard = _contacts(recording, mapped)
    responses = respond(sensors, heard)
    span = _span(sensors, picture, mapped)
    streams = sync_sensors(sensors, responses, heard, start_s=span[0], stop_s=span[1])
    closure = None
    if mapped and mapped.route == "flash" and mapped.sound:
        closure = close_routes(sensors, responses, heard) or close_by_contacts(
            contacts_of(picture), sensors, mapped.sound.line, span
        )
    judged_video = _judge_video(mapped, closure, span, _least_lateness_s(recording.frames, mapped))
    if mapped:
        mapped = replace(mapped, sync=replace(mapped.sync, verdict=judged_video.verdict, reason=judged_video.reason))
    verdict, reasons = judge_whole(
        judged_video, {n: Judgement(verdict=s.verdict, reason=s.reason) for n, s in streams.items()}
    )
    all_streams: dict[str, StreamSync] = {}
    if mapped:
        all_streams["video"] = mapped.sync
        if mapped.sound:
            all_streams["sound"] = sound_sync(mapped.sound, recording.flashes, contacts_of(picture), span)
    all_streams.update(streams)
    return Alignment(
        verdict=verdict,
        reasons=tuple(reasons or ["every stream is within its bounds"]),
        streams=all_streams,
        video=mapped,
        chosen=chosen,
        contacts=heard,
        responses=responses,
        closure=closure,
        span_s=span,
    )


def _map_video(recording: Recording, picture: Picture) -> VideoMapped:
    """Tie the video to the host: by flashes, else by contacts, else - unverified - by what the capture says."""
    flashes, sensors, pts = recording.flashes, recording.sensors, picture.brightness.pts_s
    fit = fit_flashes(picture.brightness, flashes, _lateness_s(recording.frames, picture))
    if fit.line is not None:
        arrival_s = _sound_arrival_s(recording)
        sound = fit_sound(picture.contacts, flashes, fit.line, arrival_s) if picture.sound is not None else None
        sync = video_sync(fit.line, fit.pairing, flashes, sound, pts, method="flashes", shutter=fit.shutter)
        return VideoMapped(line=fit.line, route="flash", fit=fit, sound=sound, sync=sync)
    no_flash = fit.pairing.reason if len(flashes.light_s) else "the capture has no log of flashes"
    pairing, line = fit_contacts(picture.contacts, sensors)
    if line is not None:
        sound = SoundFit(line=line, method="contacts", pairing=pairing, av_skew_s=0.0, av_skew_sd_s=math.nan)
        sync = video_sync(line, pairing, flashes, sound, pts, method="contacts", shutter=None, no_flash=no_flash)
        return VideoMapped(line=line, route="contacts", fit=fit, sound=sound, sync=sync)
    line, assumption = _unverified_line(recording)
    if picture.sound is None:
        no_contact = "it has no sound"
    elif pairing.n_reference == 0:
        no_contact = f"{pairing.n_target} sounds like one were heard, and no sensor answers them"
    else:
        no_contact = pairing.reason
    why = f"no flash ties it to the clock ({no_flash}), no clap or stomp to the sensors ({no_contact}); {assumption}"
    sync = video_sync(line, fit.pairing, flashes, None, pts, method="assumed", shutter=None)
    return VideoMapped(line=line, route="none", fit=fit, sound=None, sync=replace(sync, verdict=FAIL, reason=why))


def _lateness_s(frames: FrameStamps | None, picture: Picture) -> FloatArray | None:
    """Return how late each frame of the capture's own video was stamped; the frames it had to drop tell that too."""
    if frames is None or len(frames.written.pts_s) != len(picture.brightness.pts_s):
        return None
    late_s = frame_lateness_s(frames.arrival_s - frames.arrival_s[0], frames.epoch)
    return late_s[np.isfinite(frames.pts_s)]


def _sound_arrival_s(recording: Recording) -> float | None:
    """Return when presentation time 0 arrived, in session seconds; None where the sound is not the capture's own."""
    if recording.frames is None or not recording.own_sound:
        return None
    written = recording.frames.written
    return float(np.median(written.arrival_s - written.pts_s))


def _unverified_line(recording: Recording) -> tuple[Line, str]:
    """Return the map that is assumed where nothing ties the video to the sensors."""
    unknown = Line(offset_s=recording.file_zero_s, rate=0.0, middle_s=0.0, height_sd_s=math.nan, rate_sd=math.nan)
    if recording.frames is not None and len(recording.frames.written.pts_s) > 2:
        written = recording.frames.written
        line = replace(unknown, offset_s=float(np.min(written.arrival_s - written.pts_s)))
        return line, "it is laid where its frames arrived, the camera's delay unknown"
    return unknown, "its first instant (PTS 0) is taken for the zero of the sensors' clock, which nothing confirms"


def contacts_of(picture: Picture | None) -> tuple[Contact, ...]:
    """Return the contacts heard, none where there is no video."""
    return picture.contacts if picture else ()


def _contacts(recording: Recording, mapped: VideoMapped | None) -> tuple[dict[str, list[int]], dict[str, Contacts]]:
    """Return the contacts that count, by kind: their indices, and their times on the host clock."""
    picture = recording.picture
    if picture is None or mapped is None or mapped.sound is None:
        return {}, {}
    # The contact itself, not its sound's arrival at the microphone.
    host_s = mapped.sound.line(np.array([c.time_s for c in picture.contacts])) - ACOUSTIC.value_s
    chosen: dict[str, list[int]] = {}
    heard: dict[str, Contacts] = {}
    for kind in CONTACT_KINDS:
        cues = recording.cues.get(kind, np.zeros(0))
        if len(cues):
            indices = answered_cues(cues, kind, picture.contacts, host_s)
        else:
            indices = [i for i, c in enumerate(picture.contacts) if c.kind == kind]
        if indices:
            pts = np.array([picture.contacts[i].time_s for i in indices])
            width = float(mapped.sound.line.half_width_s(pts).max())
            chosen[kind] = indices
            heard[kind] = Contacts(host_s=host_s[indices], ci95_s=width)
    return chosen, heard


def _span(
    sensors: Mapping[str, SensorData], picture: Picture | None, mapped: VideoMapped | None
) -> tuple[float, float]:
    """Return the time that video and sensors share, in session seconds."""
    with_values = [d for d in sensors.values() if len(d.clock.time_s) > 1]
    start = float(np.median([d.clock.time_s[0] for d in with_values])) if with_values else 0.0
    stop = float(np.median([d.clock.time_s[-1] for d in with_values])) if with_values else 0.0
    if picture is not None and mapped is not None:
        frames = mapped.line(picture.brightness.pts_s)
        start, stop = max(start, float(frames[0])), min(stop, float(frames[-1]))
    return start, stop


def _least_lateness_s(frames: FrameStamps | None, mapped: VideoMapped | None) -> float | None:
    """Return how long after their exposure nearly all frames arrived, by the map; None where no arrival is known."""
    if mapped is None or frames is None:
        return None
    written = frames.written
    return float(np.percentile(written.arrival_s - mapped.line(written.pts_s), 5))


def _judge_video(
    mapped: VideoMapped | None, closure: Closure | None, span: tuple[float, float], lateness_s: float | None
) -> Judgement:
    if mapped is None:
        return Judgement(verdict=FAIL, reason="the capture has no video; give one with --video")
    if span[1] <= span[0]:
        return Judgement(verdict=FAIL, reason="the video and the sensors do not overlap in time")
    if closure is not None and not closure.closes:
        return Judgement(
            verdict=FAIL,
            reason=(
                f"the two routes disagree: by flash and arrival the sensors answer {1e3 * closure.gap_s:+.0f} ms off "
                f"what their model and a clap allow ({1e3 * closure.allowed_s:.0f} ms); one pairing is wrong"
            ),
        )
    if lateness_s is not None and mapped.route == "flash" and lateness_s < -mapped.sync.error_ci95_s - 0.002:
        return Judgement(
            verdict=FAIL,
            reason=f"by its flashes the frames were exposed {-1e3 * lateness_s:.0f} ms after they had arrived; "
            "the flashes' times or their pairing are wrong",
        )
    return Judgement(verdict=mapped.sync.verdict, reason=mapped.sync.reason)
