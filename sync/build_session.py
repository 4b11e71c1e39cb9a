"""Build a session from clock maps: sEMG and keypoints resampled to the grid, tables of events, and provenance."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset.capture.reader import Capture
from dataset.capture.types import Event
from dataset.media.sequence import describe_files, file_names
from dataset.pose import extract_pose
from dataset.pose.tracker import of_frames
from dataset.session.schema import SUBJECT_ATTRIBUTES
from dataset.session.types import (
    VIRTUAL_NOTE,
    Aligned,
    ChannelTable,
    EmgStream,
    EventTable,
    ExerciseTable,
    Pose,
    Session,
    VideoInfo,
)
from dataset.support import clock
from dataset.support.arrays import BoolArray, FloatArray, IntArray
from dataset.support.disk_arrays import blocks, concatenate
from dataset.support.errors import VideoError
from dataset.support.on_demand import OnDemand
from dataset.support.stored_path import stored_path
from dataset.support.version import software
from sync import resample
from sync.align import Alignment
from sync.calibration import calibrate
from sync.fit.video_map import VideoMapped
from sync.options import SyncOptions
from sync.quality.gates import Verdict
from sync.quality.sensor_entry import session_times
from sync.quality.stream_alignment import stream_entry
from sync.recording_types import Progress, Recording, SensorRecord, VideoRecord


def build_session(
    capture: Capture,
    zero_ns: int,
    recording: Recording,
    alignment: Alignment,
    options: SyncOptions,
    progress: Progress | None,
) -> Session:
    """Build the session of an aligned recording; see :func:`sync.pipeline.run_capture`."""
    sensors, streams = recording.sensors, alignment.streams
    picture, mapped, span = recording.video, alignment.video, alignment.span_s
    times = {n: session_times(d, streams[n]) for n, d in sensors.items()}
    usable = {n: streams[n].verdict != Verdict.FAIL for n in sensors}
    start, stop = span
    if any(usable.values()):
        # A value's time is its arrival minus the sensor's delay: the grid ends where the values end.
        stop = min(stop, max(float(times[n][-1]) for n in sensors if usable[n]))
    grid_s = resample.grid_times(start, stop)
    emg = resample.emg_on_grid(grid_s, OnDemand(sensors, lambda n: _runs(sensors[n], times[n]) if usable[n] else None))
    exercises = _exercises(capture, zero_ns)
    events = _event_table(capture.events(), zero_ns)
    used = [n for n in sensors if usable[n]]
    measured = calibrate(events, list(sensors), OnDemand(used, lambda n: _runs(sensors[n], times[n])))
    seen = _look(grid_s, picture, mapped, options, progress)
    # A segment continues while any sensor has values and the person is visible: one sensor's gap is in the mask, and
    # breaking at every sensor's losses would leave no whole window of a long recording. A moment without any value
    # does not break it either: a table may lack a row in all of its columns.
    rows = resample.close_short_gaps(np.asarray(np.isfinite(emg).any(axis=1), dtype=bool)) & seen.rows
    aligned = Aligned(
        time_s=grid_s,
        emg=emg,
        emg_valid=np.isfinite(emg),
        segment=resample.number_runs(rows),
        exercise=resample.exercise_at(grid_s, exercises),
        keypoints_2d=seen.keypoints.get("keypoints_2d"),
        keypoints_3d=seen.keypoints.get("keypoints_3d"),
        confidence=seen.keypoints.get("confidence"),
        frame_index=seen.frame_index,
    )
    return Session(
        subject=capture.subject,
        session_uuid=str(uuid.uuid4()),
        created_utc=clock.utc_iso(),
        zero_host_ns=zero_ns,
        verdict=str(alignment.verdict),
        verdict_reason="; ".join(alignment.reasons),
        rate_hz=resample.RATE_HZ,
        channels=_channel_table(sensors),
        emg={
            n: EmgStream(
                time_s=times[n], value=d.samples.value, arrival_s=d.arrival_s, index_inferred=d.clock.index_inferred
            )
            for n, d in sensors.items()
        },
        events=events,
        exercises=exercises,
        sync={name: stream_entry(stream) for name, stream in streams.items()},
        aligned=aligned,
        provenance=_provenance(capture, mapped, seen.pose, picture, measured.provenance),
        subject_info=_subject_info(capture),
        calibration=measured.calibration,
        video=seen.video,
        pose=seen.pose,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """Video data of the session: keypoints on the grid and where the person is visible.

    Attributes
    ----------
    rows : ndarray of bool, shape (T,)
        Where the person is visible, or hidden only for a moment; True everywhere if there is no video.
    frame_index : ndarray of int64, shape (T,), or None
    keypoints : dict of ndarray
        On the grid; empty without pose detection.
    """

    rows: BoolArray
    video: VideoInfo | None = None
    pose: Pose | None = None
    frame_index: IntArray | None = None
    keypoints: dict[str, FloatArray] = field(default_factory=dict)


def _look(
    grid_s: FloatArray,
    picture: VideoRecord | None,
    mapped: VideoMapped | None,
    options: SyncOptions,
    progress: Progress | None,
) -> _Seen:
    if picture is None or mapped is None:
        return _Seen(rows=np.ones(len(grid_s), dtype=bool))
    frame_time_s = mapped.line(picture.brightness.pts_s)
    file, sha256 = describe_files(picture.path)
    video = VideoInfo(
        frame_time_s=frame_time_s,
        frame_index=np.arange(len(frame_time_s), dtype=np.int64),
        file=file,
        sha256=sha256,
        width=picture.width,
        height=picture.height,
    )
    frame_index = resample.nearest_frame(grid_s, frame_time_s)
    rows: BoolArray = frame_index >= 0
    found, keypoints = None, {}
    if options.pose and len(grid_s):
        already = picture.pose.frame_index if picture.pose else None
        wanted = resample.frames_to_look_at(grid_s, frame_time_s, already)
        found = _find_pose(picture, wanted, options, progress)
        keypoints = resample.pose_on_grid(grid_s, frame_time_s, found)
        rows = rows & np.asarray(np.isfinite(keypoints["keypoints_2d"]).any(axis=(1, 2)), dtype=bool)
    return _Seen(
        rows=resample.close_short_gaps(rows), video=video, pose=found, frame_index=frame_index, keypoints=keypoints
    )


def _subject_info(capture: Capture) -> dict[str, str | float]:
    info: dict[str, str | float] = {k: v for k in ("take", "setup_id") if (v := capture.meta.get(k, ""))}
    typed = next((detail for _, _, what, detail in capture.log() if what == "subject"), {})
    info |= {k: v for k, v in typed.items() if k in SUBJECT_ATTRIBUTES and isinstance(v, str | float)}
    if capture.is_virtual:
        info["notes"] = VIRTUAL_NOTE
    return info


def _runs(d: SensorRecord, time_s: FloatArray) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
    """Return a sensor's credible values with their runs; a value out of range leaves a gap, as a lost one does."""
    if d.all_credible:
        return time_s, d.samples.value, d.clock.run

    def broken() -> Iterator[tuple[IntArray]]:
        n_before = 0
        for rows in blocks(d.clock.run):
            n_breaks = n_before + np.cumsum(~d.credible(rows))
            yield (d.clock.run[rows] + n_breaks,)
            n_before = int(n_breaks[-1])

    (run,) = concatenate(broken(), (np.int64,))
    time_s, value, run = d.only_credible(time_s, d.samples.value, run)
    return time_s, value, run


def _find_pose(picture: VideoRecord, wanted: IntArray, options: SyncOptions, progress: Progress | None) -> Pose:
    """Return the keypoints of the needed frames: those detected while the video was decoded; the rest, detected now."""
    found = [picture.pose] if picture.pose else []
    missing = np.setdiff1d(wanted, picture.pose.frame_index) if picture.pose else wanted
    if len(missing) or not found:
        bar = progress("keypoints", len(missing)) if progress else nullcontext(None)
        with bar as advance:
            found.append(
                extract_pose(
                    picture.path, frame_indices=missing, frame_times_ns=picture.file_pts_ns,
                    model=options.pose_model, workers=options.workers, progress=advance,
                )
            )  # fmt: skip
    pose = of_frames(wanted, *found)
    if pose.keypoints_2d is None or not np.isfinite(pose.keypoints_2d).any():
        raise VideoError(
            f"no person was found in {picture.path}",
            f"none of {len(wanted)} frames shows a person",
            "film the whole body, or turn off keypoints with --no-pose",
        )
    return pose


def _channel_table(sensors: Mapping[str, SensorRecord]) -> ChannelTable:
    listed = [d.sensor for d in sensors.values()]
    return ChannelTable(
        name=tuple(sensors),
        muscle=tuple(s.muscle for s in listed),
        side=tuple(s.side for s in listed),
        unit=tuple(d.profile.stream.unit for d in sensors.values()),
        profile=tuple(s.profile.name for s in listed),
        serial=tuple(s.serial for s in listed),
        placement=tuple(s.placement for s in listed),
        electrode=tuple(s.electrode for s in listed),
    )


def _event_table(events: tuple[Event, ...], zero_ns: int) -> EventTable:
    return EventTable(
        time_s=np.array([(e.t_ns - zero_ns) * 1e-9 for e in events], dtype=np.float64),
        uncertainty_s=np.array([e.uncertainty_ns * 1e-9 for e in events], dtype=np.float64),
        kind=tuple(e.kind for e in events),
        label=tuple(e.label for e in events),
        source=tuple(e.source for e in events),
    )


def _exercises(capture: Capture, zero_ns: int) -> ExerciseTable:
    """Pair each start with the stop that follows; without one it ends at the next start, or is left out if last."""
    found: list[tuple[str, float, float]] = []
    begun: Event | None = None
    for event in capture.events("exercise_start", "exercise_stop"):
        if begun is not None:
            found.append((begun.label, (begun.t_ns - zero_ns) * 1e-9, (event.t_ns - zero_ns) * 1e-9))
        begun = event if event.kind == "exercise_start" else None
    return ExerciseTable(
        name=tuple(f[0] for f in found),
        start_s=np.array([f[1] for f in found], dtype=np.float64),
        stop_s=np.array([f[2] for f in found], dtype=np.float64),
    )


def _provenance(
    capture: Capture,
    mapped: VideoMapped | None,
    pose: Pose | None,
    picture: VideoRecord | None,
    calibration: Mapping[str, Any] | None,
) -> tuple[dict[str, Any], ...]:
    version = software()
    folder = stored_path(capture.folder.absolute())
    steps: list[dict[str, Any]] = [
        {
            "step": "record", "version": capture.meta.get("software", ""), "capture": folder,
            "capture_uuid": capture.meta.get("capture_uuid", ""), "host_clock": capture.meta.get("host_clock", ""),
        },
        {"step": "arrivals", "version": version, "method": "stamps as given" if capture.meta.get("host_clock") == "file"
         else "lower envelope on an inferred index"},
    ]  # fmt: skip
    if picture is not None and mapped is not None:
        steps.append({"step": "video map", "version": version, "route": mapped.route, "video": file_names(picture.path),
                      "offset_s": mapped.line.offset_s, "rate_ppm": mapped.line.rate * 1e6})  # fmt: skip
    if pose is not None:
        steps.append({"step": "keypoints", "version": version, "backend": pose.backend,
                      "model_sha256": pose.model_sha256, "n_frames": len(pose.frame_index)})  # fmt: skip
    steps.append({"step": "grid", "version": version, "rate_hz": resample.RATE_HZ, "sEMG": "cubic within runs",
                  "keypoints": "cubic through the nearest frames, at their own times"})  # fmt: skip
    if calibration is not None:
        steps.append({**calibration, "version": version})
    return tuple(steps)
