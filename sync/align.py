"""Align a recording: clock maps and verdicts from its evidence, as a pure function, for captures and simulations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from sync.events.contacts import ContactKind
from sync.events.emg_responses import Response
from sync.fit.contact_responses import Contacts, measure_limbs, trusted_answers
from sync.fit.contact_selection import choose_contacts, detected_contacts
from sync.fit.joint import JointFit
from sync.fit.video_map import VideoMapped, map_video, refine_maps
from sync.quality.closure import Closure, close_routes
from sync.quality.gates import Judgement, Verdict, judge_whole
from sync.quality.sensor_entry import align_sensors
from sync.quality.stream_alignment import StreamAlignment
from sync.quality.video_entry import judge_video, video_streams
from sync.recording_types import FrameStamps, Recording, SensorRecord

#: Up to this share of the sensors that could respond (two of eight) may do so by chance.
_BY_CHANCE = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """Result of aligning a recording: each stream's map, the evidence and the verdicts.

    Attributes
    ----------
    verdict : Verdict
    reasons : tuple of str
    streams : mapping of str to StreamAlignment
        ``video`` and ``sound`` where present, and every channel.
    video : VideoMapped or None
    contacts : mapping of ContactKind to Contacts
        The selected contacts, on the host clock.
    responses : mapping of channel to (kind, Response)
    closure : Closure or None
    span_s : (float, float)
        Time span that video and sensors share.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    streams: Mapping[str, StreamAlignment]
    video: VideoMapped | None
    contacts: Mapping[ContactKind, Contacts]
    responses: Mapping[str, tuple[ContactKind, Response]]
    closure: Closure | None
    span_s: tuple[float, float]


def align(recording: Recording) -> Alignment:
    """Map every stream onto the host clock by flashes, claps and stomps in one joint fit, and judge each map's error.

    The video is mapped by its flashes, else by contacts; the sensors' responses to contacts then refine all maps in
    one weighted least-squares fit (:mod:`sync.fit.joint`), and the gates judge each stream and the session.
    """
    sensors = recording.sensors
    mapped = map_video(recording, recording.video) if recording.video else None
    sound = mapped.sound if mapped else None
    detected, offset = detected_contacts(recording, sound)
    contacts = choose_contacts(recording, sound, offset)
    responses = measure_limbs(sensors, contacts, detected)
    joint: JointFit | None = None
    if mapped:
        mapped, joint = refine_maps(mapped, recording, trusted_answers(sensors, responses, contacts))
        contacts = {kind: made.refined(joint) for kind, made in contacts.items()}
    span_s = _shared_span_s(recording, mapped)
    # Where the two do not overlap, the sensors are judged over their own time.
    start_s, stop_s = span_s if span_s[1] > span_s[0] else _sensors_span_s(recording)
    of_sensors = align_sensors(sensors, responses, contacts, joint, start_s=start_s, stop_s=stop_s)
    n_answering = len(joint.constants) if joint else 0
    streams = video_streams(recording, mapped, span_s, tied=n_answering > 0) | of_sensors
    closure = close_routes(recording, mapped, responses, contacts, offset, span_s)
    of_video = judge_video(
        streams.get("video"),
        closure,
        span_s,
        _least_lateness_s(recording.frames, mapped),
        0 if offset is not None and offset.supported() else _n_unanswered(sensors, contacts, n_answering),
    )
    if "video" in streams:
        streams["video"] = replace(streams["video"], verdict=of_video.verdict, reason=of_video.reason)
    judged = {name: Judgement(verdict=stream.verdict, reason=stream.reason) for name, stream in of_sensors.items()}
    verdict, reasons = judge_whole(of_video, judged)
    return Alignment(
        verdict=verdict,
        reasons=tuple(reasons or ["all streams are aligned within the limits"]),
        streams=streams,
        video=mapped,
        contacts=contacts,
        responses=responses,
        closure=closure,
        span_s=span_s,
    )


def _shared_span_s(recording: Recording, mapped: VideoMapped | None) -> tuple[float, float]:
    """Return the time span that video and sensors share, in session seconds."""
    start, stop = _sensors_span_s(recording)
    # An assumed map says nothing about the overlap.
    if recording.video is not None and mapped is not None and mapped.route != "none":
        frames = mapped.line(recording.video.brightness.pts_s)
        start, stop = max(start, float(frames[0])), min(stop, float(frames[-1]))
    return start, stop


def _sensors_span_s(recording: Recording) -> tuple[float, float]:
    """Return the time span in which most sensors have values, in session seconds."""
    with_values = [d for d in recording.sensors.values() if len(d.clock.time_s) > 1]
    if not with_values:
        return 0.0, 0.0
    first, last = ([float(d.clock.time_s[at]) for d in with_values] for at in (0, -1))
    return float(np.median(first)), float(np.median(last))


def _n_unanswered(
    sensors: Mapping[str, SensorRecord], contacts: Mapping[ContactKind, Contacts], n_answering: int
) -> int:
    """Return the number of contacts that sensors could have responded to, if hardly any sensor does; else 0."""
    able = {kind: [n for n, d in sensors.items() if d.responds_to(kind) and d.varies] for kind in contacts}
    n_able = len({name for names in able.values() for name in names})
    if n_answering > _BY_CHANCE * n_able:
        return 0
    return sum(len(made.host_s) for kind, made in contacts.items() if able[kind])


def _least_lateness_s(frames: FrameStamps | None, mapped: VideoMapped | None) -> float | None:
    """Return the 5th percentile of the delay from exposure to arrival under the map; None without arrivals."""
    if mapped is None or frames is None:
        return None
    written = frames.written
    return float(np.percentile(written.arrival_s - mapped.line(written.pts_s), 5))
