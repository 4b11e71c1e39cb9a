"""Synchronise one capture into one session: read, align, resample to the grid, and write or refuse."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np

from dataset.capture.manifest import differing_files
from dataset.capture.reader import Capture
from dataset.media.sequence import as_one_video
from dataset.pose.model_file import pose_model as network_file
from dataset.session.file import write_session
from dataset.support import clock
from dataset.support.errors import CaptureError, OutputExistsError, VideoError
from dataset.support.files import sha256_of
from dataset.support.labels import is_session_name
from dataset.support.outputs import cannot_write, check_writable
from sync.align import Alignment, align
from sync.build_session import build_session
from sync.options import SyncOptions
from sync.quality.gates import Verdict
from sync.read_capture import read_recording
from sync.recording_types import Progress, Recording
from sync.report.evidence import contact_evidence, sensor_evidence
from sync.result import Evidence, SyncResult


def run_capture(
    capture_path: Path, out: Path, options: SyncOptions = SyncOptions(), progress: Progress | None = None
) -> SyncResult:
    """Synchronise one capture and write its session and its report into ``out``.

    Parameters
    ----------
    capture_path : Path
        The capture's folder.
    out : Path
        Folder of sessions.
    options : SyncOptions
    progress : callable, optional
        Shows progress; see :func:`dataset.support.console.progress`.

    Returns
    -------
    SyncResult
        If the verdict is FAIL and ``options.allow_unverified`` is not set, only the report was written.

    Raises
    ------
    CaptureError
        The capture is missing, unreadable or not closed, or has no sensor values.
    VideoError
        The video cannot be decoded, or shows no person.
    InputError
        ``options.pose_model`` does not exist.
    MissingDependencyError
        The pose network cannot be downloaded or loaded.
    OutputExistsError
        The session exists; it is never overwritten. The report of a refused run is overwritten.
    """
    cv2.setNumThreads(1)  # OpenCV's own threads would compete with ours
    with Capture.open(capture_path) as capture:
        name = session_name(capture)
        session_path, report_path = out / f"{name}.h5", out / f"{name}.html"
        # A report without a session is from a refused run, which may be repeated in the same folder.
        if session_path.exists():
            raise OutputExistsError(
                f"{session_path} exists", "sessions are never overwritten", "move it or choose another --out"
            )
        check_writable(out)
        _check_unchanged(capture)
        with as_one_video(options.video or _videos_of(capture)) as video:
            return _run(capture, session_path, report_path, video, options, progress)


def _check_unchanged(capture: Capture) -> None:
    """Compare the capture's own files with its manifest: damage must not become a result."""
    for name, problem in differing_files(capture.folder, capture.manifest):
        raise CaptureError(
            f"{capture.folder / name} {'is missing' if problem == 'missing' else 'has changed since it was closed'}",
            "its SHA-256 is not that of the manifest" if problem == "changed" else "the manifest lists it",
            "take it from a backup. If you changed it yourself, remove manifest.json and run: mia-record recover",
        )


def _videos_of(capture: Capture) -> tuple[Path, ...]:
    """Return the capture's videos; an attached one must exist unchanged at its path."""
    videos = capture.videos
    for attachment in capture.attachments():
        path = capture.path_of(attachment)
        if path not in videos:
            continue
        if not path.is_file():
            raise VideoError(
                f"no video at {path}", "it was attached there and no longer exists", "give its new path with --video"
            )
        if path.stat().st_size != attachment.size:
            raise VideoError(
                f"the attached video {path} has changed",
                f"it has {path.stat().st_size} bytes and had {attachment.size} when attached",
                "give the right file with --video",
            )
        if sha256_of(path) != attachment.sha256:
            raise VideoError(
                f"the attached video {path} has changed",
                "its SHA-256 is not the one it had when attached",
                "take it from a backup, or give another file with --video",
            )
    return videos


def session_name(capture: Capture) -> str:
    """Return ``sub-<ID>_ses-<STAMP>``, from the capture's folders, else from its subject and closing time."""
    if is_session_name(capture.name):
        return capture.name
    closed = capture.closed_utc
    return f"sub-{capture.subject}_ses-{clock.stamp() if closed is None else f'{closed:%Y%m%dT%H%M%S}'}"


def _run(
    capture: Capture,
    session_path: Path,
    report_path: Path,
    video: Path | None,
    options: SyncOptions,
    progress: Progress | None,
) -> SyncResult:
    if options.pose and video is not None:
        network_file(options.pose_model)  # report a missing network before minutes of work, not after
    zero_ns, recording = read_recording(capture, video, options, progress)
    alignment = align(recording)
    session = build_session(capture, zero_ns, recording, alignment, options, progress)
    accepted = alignment.verdict != Verdict.FAIL or options.allow_unverified
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
    """Write the report and, if accepted, the session; if either fails, neither is kept.

    The session is written first and named last, so that a run that is killed can be repeated.
    """
    from sync.report import write_report  # matplotlib is slow to import

    try:
        if result.session_path is None:
            write_report(result.report_path, result)
        else:
            write_session(result.session_path, result.session, first=lambda: write_report(result.report_path, result))
    except OSError as error:
        raise cannot_write(result.report_path.parent, error) from error


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
