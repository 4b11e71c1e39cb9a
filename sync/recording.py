"""What a capture says, in memory and in seconds of its session: all that aligning needs, and nothing of files."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from dataset.arrays import FloatArray, IntArray
from dataset.capture import Capture
from dataset.errors import CaptureError
from dataset.muscles import in_order_of_the_body
from dataset.profiles import Samples, decode
from dataset.profiles.stored import profile_of
from dataset.sound import Sound, read_sound
from dataset.spilled import put_away
from dataset.video import probe_video
from dataset.workers import default_workers, release_memory
from sync.arrivals import SensorClock, sensor_clock
from sync.detect.contact import Contact, detect_contacts
from sync.detect.flash import read_brightness
from sync.fit import HostFlashes, host_flashes
from sync.parts import Picture, Progress
from sync.sensors import SensorData

CONTACT_KINDS = ("clap", "stomp")
#: So alike are delays from presentation time to arrival where the one is the other.
_DATED_BY_ARRIVAL_S = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameStamps:
    """When the frames of the capture's own video arrived, dropped ones included.

    Attributes
    ----------
    arrival_s : ndarray, shape (N,)
        Host time in session seconds.
    pts_s : ndarray, shape (N,)
        Presentation time in the file; NaN where the frame was dropped.
    epoch : ndarray of int64, shape (N,)
        Goes up where the camera was opened again.
    """

    arrival_s: FloatArray
    pts_s: FloatArray
    epoch: IntArray

    @property
    def written(self) -> FrameStamps:
        """The frames that are in the file."""
        rows = np.isfinite(self.pts_s)
        return FrameStamps(arrival_s=self.arrival_s[rows], pts_s=self.pts_s[rows], epoch=self.epoch[rows])

    @property
    def dated_by_arrival(self) -> bool:
        """Whether presentation times are arrivals, so that a late arrival is a frame dated too late."""
        written = self.written
        if len(written.pts_s) == 0:
            return False
        behind_s = written.arrival_s - written.pts_s
        return float(np.ptp(np.percentile(behind_s, (5, 95)))) < _DATED_BY_ARRIVAL_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One capture's evidence.

    Attributes
    ----------
    sensors : mapping of channel to SensorData
    flashes : HostFlashes
        As the host logged them.
    cues : mapping of {"clap", "stomp"} to ndarray
        Session times at which each was asked for.
    picture : Picture or None
        The video file's side.
    frames : FrameStamps or None
        Where the video is the capture's own.
    own_sound : bool
        The video's sound was recorded by us, in step with its frames.
    file_zero_s : float
        Session time of presentation time 0 where nothing but a convention tells it.
    """

    sensors: Mapping[str, SensorData]
    flashes: HostFlashes
    cues: Mapping[str, FloatArray] = field(default_factory=dict)
    picture: Picture | None = None
    frames: FrameStamps | None = None
    own_sound: bool = False
    file_zero_s: float = 0.0


def read_recording(
    capture: Capture, video: Path | None, progress: Progress | None = None, *, workers: int | None = None
) -> tuple[int, Recording]:
    """Read a capture and detect what its video shows and sounds.

    Parameters
    ----------
    capture : Capture
    video : Path or None
        The video to use; the capture's own, another, or none.
    progress : callable, optional
    workers : int, optional
        Threads; one a core by default.

    Returns
    -------
    zero_ns : int
        Host time of the session's zero: the first sensor's first arrival.
    recording : Recording

    Raises
    ------
    CaptureError
        It holds no sensor values.
    VideoError
        The video cannot be decoded.
    """
    zero_ns, sensors = _read_sensors(capture)
    picture = _read_picture(capture, video, progress, workers) if video is not None else None
    frames = _frame_stamps(capture, zero_ns) if video is not None and capture.video_path == video else None
    recording = Recording(
        sensors=sensors,
        flashes=_host_flashes(capture, zero_ns),
        cues={kind: _event_times_s(capture, f"{kind}_cue", zero_ns) for kind in CONTACT_KINDS},
        picture=picture,
        frames=frames,
        own_sound=frames is not None and len(capture.audio_blocks().arrival_ns) > 0,
        file_zero_s=-zero_ns * 1e-9 if capture.meta.get("host_clock") == "file" else 0.0,
    )
    release_memory()
    return zero_ns, recording


def _read_sensors(capture: Capture) -> tuple[int, dict[str, SensorData]]:
    decoded = []
    for sensor in capture.sensors:
        profile = profile_of(capture, sensor)
        decoded.append((sensor, profile, decode(profile, capture.notifications(sensor.slot))))
    firsts = [int(s.arrival_ns[0]) for _, _, s in decoded if len(s.arrival_ns)]
    if not firsts:
        raise CaptureError(f"the capture {capture.folder} holds no sensor values", "no notification could be decoded")
    zero_ns = min(firsts)
    data: dict[str, SensorData] = {}
    for sensor, profile, samples in decoded:
        arrival_s: FloatArray = np.asarray((samples.arrival_ns - zero_ns) * 1e-9, dtype=np.float64)
        clock = sensor_clock(arrival_s, samples.epoch, profile.stream.rate_hz, samples.counter, samples.counter_modulo)
        samples, clock = _lightened(samples, clock)
        data[sensor.channel] = SensorData(
            sensor=sensor, profile=profile, samples=samples, arrival_s=arrival_s, clock=clock
        )
    return zero_ns, {channel: data[channel] for channel in in_order_of_the_body(data)}


def _lightened(samples: Samples, clock: SensorClock) -> tuple[Samples, SensorClock]:
    """Return both with what only the clock was made from, or holds twice, out of memory: half of all columns."""
    arrival_ns, epoch, *of_epochs = put_away(
        samples.arrival_ns, samples.epoch, *(a for e in clock.epochs for a in (e.index, e.time_s, e.lateness_s))
    )
    epochs = tuple(
        replace(e, index=of_epochs[3 * k], time_s=of_epochs[3 * k + 1], lateness_s=of_epochs[3 * k + 2])
        for k, e in enumerate(clock.epochs)
    )
    return replace(samples, arrival_ns=arrival_ns, epoch=epoch), replace(clock, epochs=epochs)


def _read_picture(capture: Capture, path: Path, progress: Progress | None, workers: int | None) -> Picture:
    meta = probe_video(path)
    workers = default_workers() if workers is None else workers
    bar = progress("brightness", meta.n_frames or None) if progress else nullcontext(None)
    # Sound is decoded and listened to beside the picture where there is a thread for it.
    with ThreadPoolExecutor(1, thread_name_prefix="sound") as beside, bar as advance:
        listening = beside.submit(_listen, path) if meta.has_sound and workers > 1 else None
        brightness = read_brightness(path, advance, workers=workers)
        sound, contacts = listening.result() if listening else _listen(path) if meta.has_sound else (None, ())
    return Picture(
        path=path,
        brightness=replace(brightness, pts_s=_exact_pts_s(capture, path, brightness.pts_s)),
        contacts=contacts,
        sound=sound,
        width=meta.width,
        height=meta.height,
        file_pts_ns=np.round(brightness.pts_s * 1e9).astype(np.int64),
    )


def _listen(path: Path) -> tuple[Sound | None, tuple[Contact, ...]]:
    sound = read_sound(path)
    return sound, detect_contacts(sound) if sound is not None else ()


def _exact_pts_s(capture: Capture, path: Path, pts_s: FloatArray) -> FloatArray:
    """Return presentation times from the ``frame`` table, where MKV rounded them to a millisecond."""
    if capture.video_path != path:
        return pts_s
    stored = capture.frames().pts_ns
    stored_s = np.sort(stored[stored >= 0]) * 1e-9
    if len(stored_s) == 0:
        return pts_s
    right = np.clip(np.searchsorted(stored_s, pts_s), 0, len(stored_s) - 1)
    left = np.maximum(right - 1, 0)
    nearest = np.where(np.abs(stored_s[left] - pts_s) < np.abs(stored_s[right] - pts_s), left, right)
    exact = stored_s[nearest]
    return np.asarray(np.where(np.abs(exact - pts_s) < 0.0015, exact, pts_s), dtype=np.float64)


def _frame_stamps(capture: Capture, zero_ns: int) -> FrameStamps | None:
    frames = capture.frames()
    if len(frames.arrival_ns) == 0 or not np.any(frames.pts_ns >= 0):
        return None
    pts_s: FloatArray = np.where(frames.pts_ns >= 0, frames.pts_ns * 1e-9, np.nan)
    return FrameStamps(
        arrival_s=np.asarray((frames.arrival_ns - zero_ns) * 1e-9, dtype=np.float64), pts_s=pts_s, epoch=frames.epoch
    )


def _host_flashes(capture: Capture, zero_ns: int) -> HostFlashes:
    events = capture.events("flash")
    return host_flashes(
        np.array([(e.t_ns - zero_ns) * 1e-9 for e in events]),
        np.array([e.uncertainty_ns * 1e-9 for e in events]),
        [e.source for e in events],
    )


def _event_times_s(capture: Capture, kind: str, zero_ns: int) -> FloatArray:
    return np.array([(e.t_ns - zero_ns) * 1e-9 for e in capture.events(kind)], dtype=np.float64)
