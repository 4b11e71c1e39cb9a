"""Our estimator on a synthetic session: the same function that aligns a capture."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from benchmarks.alignment.estimate import Estimate, OffsetEstimate, SensorEstimate, VideoEstimate
from benchmarks.alignment.synthetic import SyntheticSensor, SyntheticSession
from dataset.capture.types import Sensor
from dataset.media.sound import Sound
from dataset.sensors.decode import Samples
from dataset.sensors.profile import Delay, Gaps, Profile, find_profile
from dataset.sensors.stream import FILE, Stream
from dataset.support.arrays import FloatArray
from sync.align import Alignment, align
from sync.clock.sensor_clock import sensor_clock
from sync.events.contacts import ContactKind, detect_contacts
from sync.events.flashes import Brightness
from sync.fit.clock_map import Z95
from sync.fit.flash_fit import host_flashes
from sync.quality.gates import Verdict
from sync.quality.stream_alignment import DelaySource, SensorConstants
from sync.recording_types import FrameStamps, Recording, SensorRecord, VideoRecord

#: Profile of a wireless sensor of raw sEMG at 1 kHz, as a laboratory would write it.
_RAW = Profile(
    name="raw-emg",
    title="Raw sEMG, 1 kHz",
    source="synthetic",
    stream=Stream(characteristics=(FILE,), format="<d", rate_hz=1000.0, unit="uV"),
    gaps=Gaps(late_s=0.15, suspected_loss_s=0.25, stale_s=0.5, reconnect_s=3.0),
    delay=Delay(prior_s=0.05, prior_sd_s=0.03),
)


def estimate(session: SyntheticSession) -> Estimate:
    """Align ``session`` and return the accepted results; none if the session's verdict is FAIL."""
    zero_s = min(float(s.arrival_s[0]) for s in session.sensors.values())
    recording = recording_of(session, zero_s)
    clock_s = {name: data.clock.time_s + zero_s for name, data in recording.sensors.items()}
    alignment = align(recording)
    reason = "; ".join(alignment.reasons)
    if alignment.verdict == Verdict.FAIL or alignment.video is None:
        return Estimate(clock_s=clock_s, reason=reason)
    video = None
    if alignment.streams["video"].verdict != Verdict.FAIL:
        line = alignment.video.line
        ends = session.frame_pts_s[[0, -1]]
        video = VideoEstimate(
            offset_s=line.offset_s + zero_s,
            rate=line.rate,
            half_width_s=line.half_width_s(np.array([ends[0], ends.mean(), ends[1]])),
        )
    sensors, offsets = {}, {}
    contact_s = _contact_s(alignment, session.frame_pts_s, zero_s)
    for name in session.sensors:
        stream = alignment.streams[name]
        constants = stream.constants
        if stream.verdict == Verdict.FAIL or not isinstance(constants, SensorConstants):
            continue
        twin_s = constants.left_right_ci95_s
        offsets[name] = OffsetEstimate(
            offset_s=stream.map.offset_s,
            half_width_s=Z95 * stream.map.offset_sd_s,
            source=str(constants.delay_source),
            left_right_half_width_s=math.nan if twin_s is None else twin_s,
        )
        if constants.delay_source is DelaySource.MEASURED:
            film_s = np.zeros(0) if contact_s is None else contact_s + constants.response_s
            film_ci95_s = constants.film_ci95_s
            sensors[name] = SensorEstimate(
                response_s=constants.response_s,
                half_width_s=stream.error_ci95_s,
                film_s=film_s,
                film_half_width_s=math.nan if film_ci95_s is None else film_ci95_s,
            )
    return Estimate(video=video, sensors=sensors, offsets=offsets, clock_s=clock_s, reason=reason)


def _contact_s(alignment: Alignment, frame_pts_s: FloatArray, zero_s: float) -> FloatArray | None:
    """Return the host times of contacts whose sound is at the first, middle and last frame's time in the film."""
    made = next(iter(alignment.contacts.values()), None)
    if alignment.video is None or alignment.video.sound is None or made is None:
        return None
    sound = alignment.video.sound.line
    acoustic_s = float(sound(made.pts_s[0]) - made.host_s[0])
    ends = frame_pts_s[[0, -1]]
    return np.asarray(sound(np.array([ends[0], ends.mean(), ends[1]])) - acoustic_s + zero_s)


def recording_of(session: SyntheticSession, zero_s: float) -> Recording:
    """Return the session as a recording, in seconds after ``zero_s``."""
    sound = Sound(samples=session.sound, rate_hz=round(session.sound_rate_hz), start_s=session.sound_start_s)
    frames = None
    if np.isfinite(session.frame_arrival_s).all():
        frames = FrameStamps(
            arrival_s=session.frame_arrival_s - zero_s,
            pts_s=session.frame_pts_s,
            epoch=np.zeros(len(session.frame_pts_s), dtype=np.int64),
        )
    flashes = host_flashes(
        session.flash_log_s - zero_s,
        session.flash_log_uncertainty_s,
        [session.flash_source] * len(session.flash_log_s),
    )
    return Recording(
        sensors={
            name: _sensor_data(slot, name, sensor, zero_s)
            for slot, (name, sensor) in enumerate(session.sensors.items(), start=1)
        },
        flashes=flashes,
        cues={ContactKind(kind): cue_s - zero_s for kind, cue_s in session.cue_s.items()},
        video=VideoRecord(
            path=Path(f"{session.stratum}-{session.seed}"),
            brightness=Brightness(pts_s=session.frame_pts_s, tiles=session.tiles),
            contacts=detect_contacts(sound),
            sound=sound,
            width=1280,
            height=720,
        ),
        frames=frames,
    )


def _sensor_data(slot: int, name: str, sensor: SyntheticSensor, zero_s: float) -> SensorRecord:
    arrival_s: FloatArray = sensor.arrival_s - zero_s
    profile = find_profile("anr-m40") if sensor.nominal_hz < 100 else _RAW
    return SensorRecord(
        sensor=Sensor(slot=slot, channel=name, muscle=sensor.muscle, side=sensor.side, profile=profile),
        profile=profile,
        samples=Samples(
            arrival_ns=np.round(sensor.arrival_s * 1e9).astype(np.int64),
            epoch=sensor.epoch,
            value=sensor.value,
            n_malformed=0,
            n_out_of_range=0,
        ),
        arrival_s=arrival_s,
        clock=sensor_clock(arrival_s, sensor.epoch, sensor.nominal_hz, sensor.counter),
    )
