"""Video map onto the host clock: from flashes, else from contacts, else assumed; refined by the joint fit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from dataset.support.arrays import FloatArray
from sync.fit.clock_map import ClockMap
from sync.fit.contact_fit import fit_contacts, without_rate
from sync.fit.flash_fit import VideoFit, fit_flashes, frame_lateness_s
from sync.fit.joint import JointFit, ResponseLatencies, fit_jointly
from sync.fit.match import Pairing
from sync.fit.priors import AV_SKEW
from sync.fit.rolling_shutter import ShutterFit
from sync.fit.sound_fit import SoundFit, fit_sound
from sync.recording_types import FrameStamps, Recording, VideoRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoMapped:
    """The video's and the sound's maps and their evidence.

    Attributes
    ----------
    line : ClockMap
    route : {"flash", "contacts", "none"}
    fit : VideoFit
        Result of the flashes, even if they were not used.
    pairing : Pairing
        Of flashes, or of contacts with bursts.
    sound : SoundFit or None
    why : str
        Why the flashes were not used; if the route is none, also why contacts were not, and what is assumed.
    """

    line: ClockMap
    route: str
    fit: VideoFit
    pairing: Pairing
    sound: SoundFit | None
    why: str = ""

    @property
    def shutter(self) -> ShutterFit | None:
        """The camera's shutter, if the map was fitted to flashes."""
        return self.fit.shutter if self.route == "flash" else None


def map_video(recording: Recording, video: VideoRecord) -> VideoMapped:
    """Map the video onto the host clock by flashes, else by contacts, else (unverified) by frame arrivals or PTS 0."""
    flashes = recording.flashes
    fit = fit_flashes(video.brightness, flashes, _lateness_s(recording.frames, video))
    if fit.line is not None:
        arrival_s = _sound_arrival_s(recording)
        sound = fit_sound(video.contacts, flashes, fit.line, arrival_s) if video.sound is not None else None
        return VideoMapped(line=fit.line, route="flash", fit=fit, pairing=fit.pairing, sound=sound)
    no_flash = fit.pairing.reason if len(flashes.light_s) else "the capture has no flash log"
    pairing, line = fit_contacts(video.contacts, recording.sensors)
    if line is not None:
        sound = SoundFit(
            line=line, method="contacts", pairing=pairing, av_skew_s=AV_SKEW.value_s, av_skew_sd_s=AV_SKEW.sd_s
        )
        return VideoMapped(line=line, route="contacts", fit=fit, pairing=pairing, sound=sound, why=no_flash)
    line, assumption = _unverified_line(recording)
    if video.sound is None:
        no_contact = "the video has no sound"
    elif pairing.n_reference == 0:
        no_contact = f"{pairing.n_target} similar sounds were detected, but no sensor responds to them"
    else:
        no_contact = pairing.reason
    why = f"no flash aligns the video ({no_flash}), and no clap or stomp does ({no_contact}); {assumption}"
    return VideoMapped(line=line, route="none", fit=fit, pairing=fit.pairing, sound=None, why=why)


def refine_maps(
    first: VideoMapped, recording: Recording, answers: Mapping[str, ResponseLatencies]
) -> tuple[VideoMapped, JointFit]:
    """Refine the video's and the sound's first maps by a joint fit with the sensors' responses."""
    if first.route == "flash":
        joint = fit_jointly(first.line, recording.flashes.latency_sd_s, first.sound, answers)
    else:
        joint = fit_jointly(without_rate(first.line) if answers else first.line, 0.0, first.sound, answers)
    if first.route == "none":
        return first, joint
    sound = first.sound
    if sound is not None and joint.sound is not None:
        sound = replace(sound, line=joint.sound)
        if first.route == "flash":  # contacts alone measure no skew: it stays the prior's
            sound = replace(sound, av_skew_s=joint.skew_s, av_skew_sd_s=joint.skew_sd_s)
    return replace(first, line=joint.video, sound=sound), joint


def _lateness_s(frames: FrameStamps | None, video: VideoRecord) -> FloatArray | None:
    """Return how late each frame of the capture's own video was stamped, using its dropped frames as well."""
    if frames is None or len(frames.written.pts_s) != len(video.brightness.pts_s) or not frames.dated_by_arrival:
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
    """Return the map that is assumed if no evidence aligns the video with the sensors, and the assumption in words."""
    unknown = ClockMap.independent(
        offset_s=recording.file_zero_s, rate=0.0, reference_s=0.0, offset_sd_s=math.nan, rate_sd=math.nan
    )
    if recording.frames is not None and len(recording.frames.written.pts_s) > 2:
        written = recording.frames.written
        line = replace(unknown, offset_s=float(np.min(written.arrival_s - written.pts_s)))
        return line, "its map is assumed from frame arrivals, with an unknown camera delay"
    return unknown, "its start (PTS 0) is assumed to be the zero of the sensors' clock, which is not verified"
