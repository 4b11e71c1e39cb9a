"""Read a capture into a recording: decoded sensors with their clocks, the video's brightness and sound, flash log."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np

from dataset.capture.reader import Capture
from dataset.media.sound import Sound, read_sound
from dataset.media.video import probe_video
from dataset.media.video_pass import Consumer, run_video_pass
from dataset.muscles import in_order_of_the_body
from dataset.pose.tracker import PoseCollector
from dataset.sensors.decode import decode
from dataset.support.arrays import FloatArray, IntArray
from dataset.support.disk_arrays import blocks, concatenate
from dataset.support.errors import CaptureError
from dataset.support.threads import default_workers
from sync.clock.sensor_clock import sensor_clock
from sync.clock.stamps import LONGEST_S
from sync.events.contacts import Contact, detect_contacts
from sync.events.flashes import BrightnessCollector
from sync.fit.flash_fit import host_flashes
from sync.fit.pose_frames import PoseFramePlan, predict_pose_frames
from sync.options import SyncOptions
from sync.recording_types import CONTACT_KINDS, FlashLog, FrameStamps, Progress, Recording, SensorRecord, VideoRecord


def read_recording(
    capture: Capture,
    video: Path | None,
    options: SyncOptions = SyncOptions(),
    progress: Progress | None = None,
) -> tuple[int, Recording]:
    """Read a capture: decode sensors, recover their clocks, and detect flashes and contacts in its video.

    Parameters
    ----------
    capture : Capture
    video : Path or None
        The video to use: the capture's own, another, or none.
    options : SyncOptions
        With ``pose``, keypoints are detected in the frames that will be needed, if these can be predicted.
    progress : callable, optional

    Returns
    -------
    zero_ns : int
        Host time of the session's zero: the first sensor's first arrival.
    recording : Recording

    Raises
    ------
    CaptureError
        It has no sensor values.
    VideoError
        The video cannot be decoded.
    MissingDependencyError
        The pose network cannot be downloaded or loaded.
    """
    zero_ns, sensors = _read_sensors(capture)
    frames = _frame_stamps(capture, zero_ns) if video is not None and capture.video_path == video else None
    flashes = _host_flashes(capture, zero_ns)
    workers = default_workers() if options.workers is None else options.workers
    picture = None
    if video is not None:
        ahead = None
        if options.pose and frames is not None:
            with progress("predicting frames", None) if progress else nullcontext():
                ahead = predict_pose_frames(video, frames, flashes, sensors, workers)
        picture = _read_picture(capture, video, progress, workers, ahead, options.pose_model)
    recording = Recording(
        sensors=sensors,
        flashes=flashes,
        cues={kind: _event_times_s(capture, f"{kind}_cue", zero_ns) for kind in CONTACT_KINDS},
        video=picture,
        frames=frames,
        own_sound=frames is not None and len(capture.audio_blocks().arrival_ns) > 0,
        file_zero_s=-zero_ns * 1e-9 if capture.meta.get("host_clock") == "file" else 0.0,
    )
    return zero_ns, recording


def _read_sensors(capture: Capture) -> tuple[int, dict[str, SensorRecord]]:
    decoded = [(s, s.profile, decode(s.profile, capture.notification_blocks(s.slot))) for s in capture.sensors]
    firsts = [int(s.arrival_ns[0]) for _, _, s in decoded if len(s.arrival_ns)]
    if not firsts:
        raise CaptureError(f"the capture {capture.folder} has no sensor values", "no notification could be decoded")
    zero_ns = min(firsts)
    last_ns = max(int(s.arrival_ns[-1]) for _, _, s in decoded if len(s.arrival_ns))
    if (last_ns - zero_ns) * 1e-9 > LONGEST_S:
        # Checked before arrays over this span are allocated.
        raise CaptureError(
            f"the values of {capture.folder} span {(last_ns - zero_ns) * 1e-9 / 86400:.1f} days",
            f"the first is at {zero_ns * 1e-9:.3f} s of the host clock and the last at {last_ns * 1e-9:.3f} s",
            "its clock was set, or its times are in another unit: import the table again",
        )
    exact = capture.meta.get("host_clock") == "file"
    data: dict[str, SensorRecord] = {}
    for sensor, profile, samples in decoded:
        arrival_s = _after_s(samples.arrival_ns, zero_ns)
        clock = sensor_clock(
            arrival_s, samples.epoch, profile.stream.rate_hz, samples.counter, samples.counter_modulo, exact=exact
        )
        data[sensor.channel] = SensorRecord(
            sensor=sensor, profile=profile, samples=samples, arrival_s=arrival_s, clock=clock
        )
    return zero_ns, {channel: data[channel] for channel in in_order_of_the_body(data)}


def _after_s(arrival_ns: IntArray, zero_ns: int) -> FloatArray:
    """Return arrivals in seconds after the zero."""
    pieces = (((arrival_ns[rows] - zero_ns) * 1e-9,) for rows in blocks(arrival_ns))
    return concatenate(pieces, (np.float64,))[0]


def _read_picture(
    capture: Capture,
    path: Path,
    progress: Progress | None,
    workers: int,
    ahead: PoseFramePlan | None,
    pose_model: Path | None,
) -> VideoRecord:
    meta = probe_video(path)
    stage = "brightness and keypoints" if ahead else "brightness"
    bar = progress(stage, meta.n_frames or None) if progress else nullcontext(None)
    collecting = PoseCollector(ahead.frames, ahead.file_pts_ns, pose_model) if ahead else nullcontext(None)
    # Sound is decoded and analysed in parallel with the picture if there is a thread for it.
    with (
        ThreadPoolExecutor(1, thread_name_prefix="sound") as beside,
        bar as advance,
        collecting as collector,
        BrightnessCollector() as levels,
    ):
        listening = beside.submit(_listen, path) if meta.has_sound and workers > 1 else None
        consumers: list[Consumer] = [levels, collector] if collector else [levels]
        run_video_pass(path, consumers, workers=workers, progress=advance)
        brightness = levels.brightness()
        sound, contacts = listening.result() if listening else _listen(path) if meta.has_sound else (None, ())
        pose = collector.pose() if collector else None
    file_pts_ns = np.round(brightness.pts_s * 1e9).astype(np.int64)
    if pose and ahead:
        # Indexed among the frames that could be decoded: some may be damaged.
        times_ns = ahead.file_pts_ns[pose.frame_index]
        pose = replace(pose, frame_index=np.searchsorted(file_pts_ns, times_ns).astype(np.int64))
    return VideoRecord(
        path=path,
        brightness=replace(brightness, pts_s=_exact_pts_s(capture, path, brightness.pts_s)),
        contacts=contacts,
        sound=sound,
        width=meta.width,
        height=meta.height,
        file_pts_ns=file_pts_ns,
        pose=pose,
    )


def _listen(path: Path) -> tuple[Sound | None, tuple[Contact, ...]]:
    sound = read_sound(path)
    return sound, detect_contacts(sound) if sound is not None else ()


def _exact_pts_s(capture: Capture, path: Path, pts_s: FloatArray) -> FloatArray:
    """Return presentation times from the ``frame`` table, where MKV rounded them to a millisecond."""
    if capture.video_path != path:
        return pts_s
    of_table = capture.frames().pts_ns
    stored_s = np.sort(of_table[of_table >= 0]) * 1e-9
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


def _host_flashes(capture: Capture, zero_ns: int) -> FlashLog:
    events = capture.events("flash")
    return host_flashes(
        np.array([(e.t_ns - zero_ns) * 1e-9 for e in events]),
        np.array([e.uncertainty_ns * 1e-9 for e in events]),
        [e.source for e in events],
    )


def _event_times_s(capture: Capture, kind: str, zero_ns: int) -> FloatArray:
    return np.array([(e.t_ns - zero_ns) * 1e-9 for e in capture.events(kind)], dtype=np.float64)
