"""One capture to one session: read, align, lay on the grid, write - or refuse."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from dataset.capture.reader import Capture
from dataset.media.sequence import as_one_video
from dataset.pose.model_file import pose_model as network_file
from dataset.session.file import write_session
from dataset.support import clock
from dataset.support.errors import OutputExistsError, VideoError
from dataset.support.labels import is_session_name
from dataset.support.outputs import cannot_write, check_writable
from dataset.support.threads import release_memory
from sync.align import Alignment, align
from sync.build_session import build_session
from sync.quality.gates import Verdict
from sync.read_capture import read_recording
from sync.recording_types import Progress, Recording
from sync.report.evidence import contact_evidence, sensor_evidence
from sync.result import Evidence, SyncResult


def run_capture(
    capture_path: Path,
    out: Path,
    *,
    video: Path | Sequence[Path] | None = None,
    pose: bool = True,
    pose_model: Path | None = None,
    allow_unverified: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> SyncResult:
    """Synchronise one capture and write its session and its report into ``out``.

    Parameters
    ----------
    capture_path : Path
        The capture's folder.
    out : Path
        Folder of sessions.
    video : Path or sequence of Path, optional
        A video in place of the capture's own; several are the parts of one recording, in order.
    pose : bool
        Look for the person; without it the session has no keypoints.
    pose_model : Path, optional
        A ``.task`` file in place of the built-in network.
    allow_unverified : bool
        Write the session, marked FAIL, also where the verdict is FAIL.
    workers : int, optional
        Threads that decode and look for the person; one a core by default. Whoever works on several captures at
        once gives each one. The result does not depend on it.
    progress : callable, optional
        Shows progress; see :func:`dataset.support.console.progress`.

    Returns
    -------
    SyncResult
        Where the verdict is FAIL and ``allow_unverified`` is not given, only the report was written.

    Raises
    ------
    CaptureError
        There is no readable, closed capture, or it holds no sensor values.
    VideoError
        The video cannot be decoded, or shows no person.
    InputError
        There is no such ``pose_model``.
    MissingDependencyError
        The pose network cannot be had or loaded.
    OutputExistsError
        The session exists; it is never overwritten. The report of a run that was refused gives way to the new one.
    """
    cv2.setNumThreads(1)  # threads of its own would get in the way of ours
    with Capture.open(capture_path) as capture:
        name = session_name(capture)
        session_path, report_path = out / f"{name}.h5", out / f"{name}.html"
        # A report alone is that of a refused run: whoever mends the cause runs again into the same folder.
        if session_path.exists():
            raise OutputExistsError(
                f"{session_path} exists", "sessions are never overwritten", "move it or choose another --out"
            )
        check_writable(out)
        given = (video,) if isinstance(video, Path) else tuple(video or ())
        with as_one_video(given or _videos_of(capture)) as one:
            return _run(
                capture, session_path, report_path, video=one, pose=pose, pose_model=pose_model,
                allow_unverified=allow_unverified, workers=workers, progress=progress,
            )  # fmt: skip


def _videos_of(capture: Capture) -> tuple[Path, ...]:
    """Return the capture's videos; an attached one must be where and what it was when it was attached."""
    videos = capture.videos
    for attachment in capture.attachments():
        path = capture.path_of(attachment)
        if path not in videos:
            continue
        if not path.is_file():
            raise VideoError(f"no video at {path}", "it was attached from there and is gone", "name it with --video")
        if path.stat().st_size != attachment.size:
            raise VideoError(
                f"the attached video {path} has changed",
                f"it has {path.stat().st_size} bytes and had {attachment.size}",
                "name the right file with --video",
            )
    return videos


def session_name(capture: Capture) -> str:
    """Return ``sub-<ID>_ses-<STAMP>``: from the capture's folders, else from its subject and when it was closed."""
    if is_session_name(capture.name):
        return capture.name
    closed = capture.closed_utc
    return f"sub-{capture.subject}_ses-{clock.stamp() if closed is None else f'{closed:%Y%m%dT%H%M%S}'}"


def _run(
    capture: Capture,
    session_path: Path,
    report_path: Path,
    *,
    video: Path | None,
    pose: bool,
    pose_model: Path | None,
    allow_unverified: bool,
    workers: int | None,
    progress: Progress | None,
) -> SyncResult:
    if pose and video is not None:
        network_file(pose_model)  # one that cannot be had is told before minutes of work, not after
    zero_ns, recording = read_recording(capture, video, progress, workers=workers, pose=pose, pose_model=pose_model)
    alignment = align(recording)
    release_memory()
    session = build_session(
        capture, zero_ns, recording, alignment, pose=pose, pose_model=pose_model, workers=workers, progress=progress
    )
    accepted = alignment.verdict != Verdict.FAIL or allow_unverified
    result = SyncResult(
        capture=capture.folder,
        session=session,
        session_path=session_path if accepted else None,
        report_path=report_path,
        video_path=video,
        verdict=alignment.verdict,
        reasons=alignment.reasons,
        streams=session.sync,
        evidence=_evidence(recording, alignment),
    )
    _write(result)
    return result


def _write(result: SyncResult) -> None:
    """Write the report and, where it was accepted, the session; on failure neither stays."""
    from sync.report import write_report  # matplotlib is slow to import

    try:
        write_report(result.report_path, result)
        if result.session_path is not None:
            write_session(result.session_path, result.session)
    except BaseException as error:
        result.report_path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise cannot_write(result.report_path.parent, error) from error
        raise


def _evidence(recording: Recording, alignment: Alignment) -> Evidence:
    picture, mapped, closure = recording.video, alignment.video, alignment.closure
    none, nowhere = np.zeros(0), np.zeros(0, dtype=np.int64)
    frame_time_s = brightness = detected_s = none
    detected_frame, pairs = nowhere, np.zeros((0, 2), dtype=np.int64)
    shutter = None
    if picture is not None and mapped is not None:
        frame_time_s, brightness = mapped.line(picture.brightness.pts_s), picture.brightness.level
        if mapped.fit is not None:
            detected_s = mapped.line(np.array([f.time_s for f in mapped.fit.detected]))
            detected_frame = np.array([f.frame for f in mapped.fit.detected], dtype=np.int64)
            pairs, shutter = mapped.fit.pairing.pairs, mapped.fit.shutter
    return Evidence(
        frame_time_s=frame_time_s,
        brightness=brightness,
        flash_detected_s=detected_s,
        flash_detected_frame=detected_frame,
        flash_host_s=recording.flashes.light_s,
        flash_pairs=pairs,
        contacts=tuple(
            contact_evidence(picture.sound, picture.contacts[i], kind, float(at))
            for kind, heard in alignment.contacts.items()
            for i, at in zip(heard.index, heard.host_s, strict=True)
            if picture is not None and picture.sound is not None
        ),
        sensors={
            name: sensor_evidence(d, *alignment.responses[name], alignment.contacts)
            for name, d in recording.sensors.items()
        },
        readout_s=shutter.readout_s if shutter else math.nan,
        exposure_s=shutter.exposure_s if shutter else math.nan,
        closure_s=closure.gap_s if closure else math.nan,
        closure_allowed_s=closure.allowed_s if closure else math.nan,
        flash_lit_s=tuple(mapped.line(f.frame_time_s) for f in mapped.fit.detected) if mapped and mapped.fit else (),
        flash_lit=tuple(f.lit for f in mapped.fit.detected) if mapped and mapped.fit else (),
    )


__all__ = ["Progress", "SyncResult", "run_capture", "session_name"]
