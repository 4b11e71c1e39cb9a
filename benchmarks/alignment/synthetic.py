"""A random synthetic session with known truth: picture, sound, flash log, cues and sensors, as plain arrays.

It is based on physics alone and uses no code of the estimator or the recorder.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from benchmarks.alignment import acoustics
from benchmarks.alignment.camera import Camera, arrivals, draw_camera, film, frame_times, session_time
from benchmarks.alignment.script import KINDS, Script, write_script
from benchmarks.alignment.sensors import SensorTruth, SyntheticSensor, wear
from benchmarks.alignment.strata import STRATA, Stratum
from dataset.support.arrays import BoolArray, FloatArray

__all__ = ["SyntheticSensor", "SyntheticSession", "Truth", "make_session"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """True values of a session; all times are host times.

    Attributes
    ----------
    video_offset_s, video_rate : float
        ``host = (1 + video_rate) * pts + video_offset_s`` for the centre of the middle row's exposure.
    start_s, stop_s : float
        Start and end of the session.
    av_skew_s : float
        Lag of the file's sound behind its picture.
    sound_rate, sound_offset_s : float
        ``host = (1 + sound_rate) * file_s + sound_offset_s`` for the arrival of a sound at the microphone.
    acoustic_delay_s : float
        From a contact to its sound at the microphone.
    light_s : ndarray, shape (N,)
        Onset of the light of each logged flash; of each flash, if there is no log.
    light_visible : ndarray of bool, shape (N,)
    contact_s : dict of ndarray
        Per kind, the times of contacts.
    sensors : dict of SensorTruth
        By channel; ``response_s`` is measured from the contact itself.
    lit_bands : float
        Share of the picture's rows that the flashes light; a lamp in a corner does not show the shutter.
    readout_s, exposure_s, fps : float
    refuse : bool
        Whether a correct estimator has to refuse the video and all sensors.
    """

    video_offset_s: float
    video_rate: float
    start_s: float
    stop_s: float
    av_skew_s: float
    sound_rate: float
    sound_offset_s: float
    acoustic_delay_s: float
    light_s: FloatArray
    light_visible: BoolArray
    contact_s: dict[str, FloatArray]
    sensors: dict[str, SensorTruth]
    lit_bands: float
    readout_s: float
    exposure_s: float
    fps: float
    refuse: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticSession:
    """Data of one session that an estimator may use, and its truth.

    Attributes
    ----------
    stratum : str
    seed : int
    frame_pts_s : ndarray, shape (F,)
        Time of each frame in the file: the centre of its middle row's exposure.
    frame_arrival_s : ndarray, shape (F,)
        Host time of each frame's arrival; all NaN if the video is another device's file.
    tiles : ndarray of float32, shape (F, 16, 8)
        Mean luma, 0-255, of 16 bands along the readout and 8 tiles across.
    sound : ndarray of float32, shape (S,)
    sound_rate_hz, sound_start_s : float
        The first sample's file time.
    flash_log_s, flash_log_uncertainty_s : ndarray, shape (N,)
        The host's log; the light may be later than logged.
    flash_source : {"led box", "screen", "terminal"}
    cue_s : dict of ndarray
        Host times of the cues for each kind of contact; empty without cues.
    sensors : dict of SyntheticSensor
        By channel name.
    truth : Truth
    """

    stratum: str
    seed: int
    frame_pts_s: FloatArray
    frame_arrival_s: FloatArray
    tiles: NDArray[np.float32]
    sound: NDArray[np.float32]
    sound_rate_hz: float
    sound_start_s: float
    flash_log_s: FloatArray
    flash_log_uncertainty_s: FloatArray
    flash_source: str
    cue_s: dict[str, FloatArray]
    sensors: dict[str, SyntheticSensor]
    truth: Truth


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hearing:
    """Source of the sound, and its timing in the file relative to the picture."""

    skew_s: float
    rate: float
    body_delay_s: float
    box_delay_s: float


def make_session(stratum: str, seed: int) -> SyntheticSession:
    """Return session ``seed`` of ``stratum``, which is reproducible.

    Parameters
    ----------
    stratum : str
        A key of :data:`benchmarks.alignment.strata.STRATA`.
    seed : int
    """
    kind = STRATA[stratum]
    root = np.random.default_rng([zlib.crc32(stratum.encode()), seed])
    course, lens, ears, skin, clock = root.spawn(5)
    script = write_script(kind, course)
    # The host's clock starts at boot.
    zero_s = clock.uniform(100.0, 36_000.0)
    camera = draw_camera(kind, lens)
    written_s, true_s = frame_times(camera, script.length_s, lens)
    at_s = session_time(camera, true_s)
    worn = wear(kind, script, zero_s, skin)
    hearing = _Hearing(
        skew_s=float(np.clip(ears.normal(0.0, 0.02), -0.05, 0.05)),
        rate=camera.rate + ears.normal(0.0, 2e-6),
        body_delay_s=ears.uniform(1.0, 4.0) / acoustics.SOUND_M_S,
        box_delay_s=ears.uniform(0.5, 3.0) / acoustics.SOUND_M_S,
    )
    attached = clock.random() < kind.attached
    other = write_script(kind, course) if kind.swapped else script
    tiles, lit_bands = film(camera, other, at_s, lens)
    sound, rate_hz, sound_start_s = _record(other, camera, hearing, float(at_s[-1]), ears)
    log_shift_s, sensor_shift_s = _shifts(kind, clock)
    return SyntheticSession(
        stratum=stratum,
        seed=seed,
        frame_pts_s=written_s,
        frame_arrival_s=np.full(len(at_s), np.nan) if attached else arrivals(camera, at_s, lens) + zero_s,
        tiles=tiles,
        sound=sound,
        sound_rate_hz=rate_hz,
        sound_start_s=sound_start_s,
        flash_log_s=script.log_s + zero_s + log_shift_s,
        flash_log_uncertainty_s=script.log_uncertainty_s,
        flash_source=script.source,
        cue_s={k: script.cue_s[k] + zero_s for k in KINDS},
        sensors={name: _moved(sensor, sensor_shift_s) for name, (sensor, _) in worn.items()},
        truth=Truth(
            video_offset_s=zero_s + camera.start_s - (1 + camera.rate) * camera.pts0_s,
            video_rate=camera.rate,
            start_s=zero_s,
            stop_s=zero_s + script.length_s,
            av_skew_s=hearing.skew_s,
            sound_rate=hearing.rate,
            sound_offset_s=zero_s + camera.start_s - (1 + hearing.rate) * (camera.pts0_s + hearing.skew_s),
            acoustic_delay_s=hearing.body_delay_s,
            light_s=script.light_s + zero_s,
            light_visible=script.visible,
            contact_s={k: script.contact_s[k] + zero_s for k in KINDS},
            sensors={name: truth for name, (_, truth) in worn.items()},
            lit_bands=lit_bands,
            readout_s=camera.readout_s,
            exposure_s=camera.exposure_s,
            fps=camera.fps,
            refuse=kind.refuse,
        ),
    )


def _shifts(kind: Stratum, rng: Generator) -> tuple[float, float]:
    """Return the shifts of the flash log and of the sensors; one of them is not zero in a shifted session."""
    if kind.shift_s[1] == 0.0:
        return 0.0, 0.0
    shift_s = float(rng.uniform(*kind.shift_s) * rng.choice([-1.0, 1.0]))
    return (shift_s, 0.0) if rng.random() < 0.5 else (0.0, shift_s)


def _moved(sensor: SyntheticSensor, shift_s: float) -> SyntheticSensor:
    return SyntheticSensor(
        muscle=sensor.muscle, side=sensor.side, nominal_hz=sensor.nominal_hz, arrival_s=sensor.arrival_s + shift_s,
        epoch=sensor.epoch, value=sensor.value, counter=sensor.counter,
    )  # fmt: skip


def _record(
    script: Script, camera: Camera, hearing: _Hearing, length_s: float, rng: Generator
) -> tuple[NDArray[np.float32], float, float]:
    """Return the sound track, its rate and its first sample's file time."""
    rate_hz = float(rng.choice([16000.0, 16000.0, 16000.0, 44100.0, 48000.0])) if length_s < 300 else 16000.0
    start_s = camera.pts0_s + rng.uniform(-0.05, 0.05)

    def file_time(at_s: FloatArray) -> FloatArray:
        pts = camera.pts0_s + (at_s - camera.start_s) / (1 + hearing.rate)
        return pts + hearing.skew_s - start_s

    track = acoustics.Track(int(length_s * rate_hz), rate_hz, file_time, rng)
    if rng.random() < 0.7:
        acoustics.speak(track, length_s, rng)
    if rng.random() < 0.25:
        acoustics.play(track, length_s, rng)
    acoustics.bang(track, length_s, rng)
    loud = {"clap": 10 ** rng.uniform(-0.9, -0.1), "stomp": 10 ** rng.uniform(-1.1, -0.3)}
    for kind, make in (("clap", acoustics.clap), ("stomp", acoustics.stomp)):
        for at in script.contact_s[kind]:
            wave = make(rate_hz, rng) * loud[kind] * np.exp(rng.normal(0.0, 0.25))
            track.add(float(at) + hearing.body_delay_s, wave)
    if script.beeps:
        pitch, level = rng.uniform(2000, 3000), 10 ** rng.uniform(-1.6, -0.7)
        for at, length in zip(script.light_s, script.light_length_s, strict=True):
            track.add(float(at) + hearing.box_delay_s, level * acoustics.beep(rate_hz, pitch, float(length)))
    return np.clip(track.sound, -1.0, 1.0), rate_hz, start_s
