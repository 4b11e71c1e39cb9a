"""From a recording's evidence to maps and verdicts: a pure function, the same for a capture and for a simulation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from dataset.support.arrays import FloatArray
from sync.events.contacts import Contact, ContactKind
from sync.events.emg_responses import Response
from sync.fit.clock_map import ClockMap
from sync.fit.contact_fit import fit_contacts, without_rate
from sync.fit.contact_responses import Contacts, reject_outliers, respond, trusted_answers
from sync.fit.contact_selection import answered_by_sensors, answered_cues, emg_confirmed_contacts
from sync.fit.flash_fit import VideoFit, fit_flashes, frame_lateness_s
from sync.fit.joint import JointFit, ResponseLatencies, fit_jointly
from sync.fit.match import Pairing
from sync.fit.sound_fit import SoundFit, fit_sound
from sync.quality.closure import Closure, close_by_contacts, close_routes
from sync.quality.gates import Judgement, Verdict, judge_whole
from sync.quality.sensor_entry import align_sensors
from sync.quality.stream_alignment import StreamAlignment
from sync.quality.video_entry import VideoMapped, sound_stream, video_stream
from sync.recording_types import CONTACT_KINDS, FrameStamps, Recording, SensorRecord, VideoRecord

#: So many contacts that no sensor answers are no accident of weak claps.
_MANY_CONTACTS = 6
_BY_CHANCE = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """What was made of a recording.

    Attributes
    ----------
    verdict : Verdict
    reasons : tuple of str
    streams : mapping of str to StreamAlignment
        ``video`` and ``sound`` where there are, and every channel.
    video : VideoMapped or None
    chosen : mapping of ContactKind to list of int
        Indices of the contacts that count.
    contacts : mapping of ContactKind to Contacts
        The same on the host clock.
    responses : mapping of channel to (kind, Response)
    closure : Closure or None
    span_s : (float, float)
        What video and sensors share.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    streams: Mapping[str, StreamAlignment]
    video: VideoMapped | None
    chosen: Mapping[ContactKind, list[int]]
    contacts: Mapping[ContactKind, Contacts]
    responses: Mapping[str, tuple[ContactKind, Response]]
    closure: Closure | None
    span_s: tuple[float, float]


def align(recording: Recording) -> Alignment:
    """Map every stream of a recording onto the host clock and judge how well that is known."""
    sensors, picture = recording.sensors, recording.video
    first = _first_map(recording, picture) if picture else None
    chosen, heard = _contacts(recording, first)
    responses = reject_outliers(sensors, respond(sensors, heard))
    mapped: VideoMapped | None = None
    video: StreamAlignment | None = None
    joint: JointFit | None = None
    if first and picture:
        joint = _fit_all(recording, first, trusted_answers(sensors, responses, heard))
        mapped = _mapped(first, joint)
        video = video_stream(mapped, first.pairing, recording.flashes, picture.brightness.pts_s, first.why)
        heard = {kind: _moved(contacts, joint) for kind, contacts in heard.items()}
    span = _span(sensors, picture, mapped)
    streams = align_sensors(sensors, responses, heard, joint, start_s=span[0], stop_s=span[1])
    closure = None
    if mapped and mapped.route == "flash" and mapped.sound:
        closure = close_routes(sensors, responses, heard) or close_by_contacts(
            contacts_of(picture), sensors, mapped.sound.line, span
        )
    n_heard = sum(len(contacts.host_s) for contacts in heard.values())
    # One or two of eight sensors answer anything by chance.
    unanswered = n_heard if len(joint.constants if joint else ()) <= _BY_CHANCE * len(sensors) else 0
    judged_video = _judge_video(video, closure, span, _least_lateness_s(recording.frames, mapped), unanswered)
    verdict, reasons = judge_whole(
        judged_video, {n: Judgement(verdict=s.verdict, reason=s.reason) for n, s in streams.items()}
    )
    all_streams: dict[str, StreamAlignment] = {}
    if mapped and video:
        all_streams["video"] = replace(video, verdict=judged_video.verdict, reason=judged_video.reason)
        if mapped.sound:
            all_streams["sound"] = sound_stream(mapped.sound, recording.flashes, contacts_of(picture), span)
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


# -- maps ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _FirstMap:
    """The video's first map, what it rests on, and why it is no better; ``route`` as in VideoMapped."""

    line: ClockMap
    route: str
    fit: VideoFit
    pairing: Pairing
    sound: SoundFit | None
    why: str = ""


def _first_map(recording: Recording, picture: VideoRecord) -> _FirstMap:
    """Tie the video to the host: by flashes, else by contacts, else - unverified - by what the capture says."""
    flashes = recording.flashes
    fit = fit_flashes(picture.brightness, flashes, _lateness_s(recording.frames, picture))
    if fit.line is not None:
        arrival_s = _sound_arrival_s(recording)
        sound = fit_sound(picture.contacts, flashes, fit.line, arrival_s) if picture.sound is not None else None
        return _FirstMap(line=fit.line, route="flash", fit=fit, pairing=fit.pairing, sound=sound)
    no_flash = fit.pairing.reason if len(flashes.light_s) else "the capture has no log of flashes"
    pairing, line = fit_contacts(picture.contacts, recording.sensors)
    if line is not None:
        sound = SoundFit(line=line, method="contacts", pairing=pairing, av_skew_s=0.0, av_skew_sd_s=math.nan)
        return _FirstMap(line=line, route="contacts", fit=fit, pairing=pairing, sound=sound, why=no_flash)
    line, assumption = _unverified_line(recording)
    if picture.sound is None:
        no_contact = "it has no sound"
    elif pairing.n_reference == 0:
        no_contact = f"{pairing.n_target} sounds like one were heard, and no sensor answers them"
    else:
        no_contact = pairing.reason
    why = f"no flash ties it to the clock ({no_flash}), no clap or stomp to the sensors ({no_contact}); {assumption}"
    return _FirstMap(line=line, route="none", fit=fit, pairing=fit.pairing, sound=None, why=why)


def _fit_all(recording: Recording, first: _FirstMap, answers: Mapping[str, ResponseLatencies]) -> JointFit:
    if first.route == "flash":
        return fit_jointly(first.line, recording.flashes.latency_sd_s, first.sound, answers)
    return fit_jointly(without_rate(first.line) if answers else first.line, 0.0, first.sound, answers)


def _mapped(first: _FirstMap, joint: JointFit) -> VideoMapped:
    """Return the video's and the sound's final maps."""
    line, sound = (joint.video, first.sound) if first.route != "none" else (first.line, None)
    if sound is not None and joint.sound is not None:
        sound = replace(sound, line=joint.sound, av_skew_s=joint.skew_s, av_skew_sd_s=joint.skew_sd_s)
    return VideoMapped(line=line, route=first.route, fit=first.fit, sound=sound)


def _moved(contacts: Contacts, joint: JointFit) -> Contacts:
    """Return contacts at the times that the final maps give them."""
    if joint.sound is None:
        return contacts
    width = float(joint.sound.half_width_s(contacts.pts_s).max())
    return replace(contacts, host_s=joint.sound(contacts.pts_s) - joint.acoustic_s, ci95_s=width)


def _lateness_s(frames: FrameStamps | None, picture: VideoRecord) -> FloatArray | None:
    """Return how late each frame of the capture's own video was stamped; the frames it had to drop tell that too."""
    if frames is None or len(frames.written.pts_s) != len(picture.brightness.pts_s) or not frames.dated_by_arrival:
        return None
    late_s = frame_lateness_s(frames.arrival_s - frames.arrival_s[0], frames.epoch)
    return late_s[np.isfinite(frames.pts_s)]


def _sound_arrival_s(recording: Recording) -> float | None:
    """Return when presentation time 0 arrived, in session seconds; None where the sound is not the capture's own."""
    if recording.frames is None or not recording.own_sound:
        return None
    written = recording.frames.written
    return float(np.median(written.arrival_s - written.pts_s))


def _unverified_line(recording: Recording) -> tuple[ClockMap, str]:
    """Return the map that is assumed where nothing ties the video to the sensors."""
    unknown = ClockMap.independent(
        offset_s=recording.file_zero_s, rate=0.0, reference_s=0.0, offset_sd_s=math.nan, rate_sd=math.nan
    )
    if recording.frames is not None and len(recording.frames.written.pts_s) > 2:
        written = recording.frames.written
        line = replace(unknown, offset_s=float(np.min(written.arrival_s - written.pts_s)))
        return line, "it is laid where its frames arrived, the camera's delay unknown"
    return unknown, "its first instant (PTS 0) is taken for the zero of the sensors' clock, which nothing confirms"


def contacts_of(picture: VideoRecord | None) -> tuple[Contact, ...]:
    """Return the contacts heard, none where there is no video."""
    return picture.contacts if picture else ()


def _contacts(
    recording: Recording, mapped: _FirstMap | None
) -> tuple[dict[ContactKind, list[int]], dict[ContactKind, Contacts]]:
    """Return the contacts that count, by kind: their indices, and their times on the host clock."""
    picture = recording.video
    if picture is None or mapped is None or mapped.sound is None:
        return {}, {}
    # The contact itself, not its sound's arrival at the microphone.
    host_s = mapped.sound.line(np.array([c.time_s for c in picture.contacts])) - mapped.sound.acoustic.value_s
    chosen: dict[ContactKind, list[int]] = {}
    heard: dict[ContactKind, Contacts] = {}
    for kind in CONTACT_KINDS:
        cues = recording.cues.get(kind, np.zeros(0))
        if len(cues):
            known = answered_cues(cues, kind, picture.contacts, host_s)
        else:
            known = answered_by_sensors(kind, picture.contacts, host_s, recording.sensors)
        besides = emg_confirmed_contacts(kind, cues, known, picture.contacts, host_s, recording.sensors)
        indices = sorted(known + besides, key=lambda j: host_s[j])
        if indices:
            pts = np.array([picture.contacts[i].time_s for i in indices])
            width = float(mapped.sound.line.half_width_s(pts).max())
            chosen[kind] = indices
            heard[kind] = Contacts(
                host_s=host_s[indices],
                pts_s=pts,
                index=np.array(indices, dtype=np.int64),
                ci95_s=width,
                n_made=max(len(cues), len(indices)),
            )
    return chosen, heard


def _span(
    sensors: Mapping[str, SensorRecord], picture: VideoRecord | None, mapped: VideoMapped | None
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
    video: StreamAlignment | None,
    closure: Closure | None,
    span: tuple[float, float],
    lateness_s: float | None,
    unanswered: int,
) -> Judgement:
    if video is None:
        return Judgement(verdict=Verdict.FAIL, reason="the capture has no video; give one with --video")
    if span[1] <= span[0]:
        return Judgement(
            verdict=Verdict.FAIL,
            reason=f"the video and the sensors do not overlap in time: {span[0] - span[1]:.1f} s lie between them",
        )
    if closure is not None and not closure.closes:
        return Judgement(
            verdict=Verdict.FAIL,
            reason=(
                f"the two routes disagree: by flash and arrival the sensors answer {1e3 * closure.gap_s:+.0f} ms off "
                f"what their model and a clap allow ({1e3 * closure.allowed_s:.0f} ms); one pairing is wrong"
            ),
        )
    by_flashes = video.method == "flashes"
    if by_flashes and unanswered >= _MANY_CONTACTS:
        return Judgement(
            verdict=Verdict.FAIL,
            reason=f"{unanswered} claps and stomps are heard, and hardly a sensor answers them where the flashes put "
            "them: flashes, video and sensors are not of one recording, or not on one clock",
        )
    if lateness_s is not None and by_flashes and lateness_s < -video.error_ci95_s - 0.002:
        return Judgement(
            verdict=Verdict.FAIL,
            reason=f"by its flashes the frames were exposed {-1e3 * lateness_s:.0f} ms after they had arrived; "
            "the flashes' times or their pairing are wrong",
        )
    return Judgement(verdict=video.verdict, reason=video.reason)
