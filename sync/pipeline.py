"""One capture to one session: read, detect, match, fit, judge, lay on the grid, write - or refuse."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dataset import clock
from dataset.arrays import FloatArray
from dataset.capture import Capture
from dataset.errors import CaptureError, OutputExistsError
from dataset.outputs import cannot_write, check_writable
from dataset.profiles import decode
from dataset.profiles.profile import find_profile
from dataset.session import StreamSync
from dataset.session_file import write_session
from dataset.sound import read_sound
from dataset.video import probe_video
from sync.arrivals import sensor_clock
from sync.assemble import build_session
from sync.contacts_only import close_by_contacts, fit_contacts
from sync.detect.contact import Contact, detect_contacts
from sync.detect.flash import read_brightness
from sync.evidence import contact_evidence, sensor_evidence
from sync.fit import HostFlashes, Line, SoundFit, answered_cues, fit_flashes, fit_sound, frame_lateness_s, host_flashes
from sync.parts import Picture, Progress, VideoMapped
from sync.priors import ACOUSTIC
from sync.result import Evidence, SyncResult
from sync.sensors import Closure, Contacts, SensorData, close_routes, respond, sync_sensors
from sync.streams import sound_sync, video_sync
from sync.verdict import FAIL, Judgement, judge_whole

_SESSION_NAME = re.compile(r"sub-[A-Za-z0-9]+_ses-\d{8}T\d{6}")


def run_capture(
    capture_path: Path,
    out: Path,
    *,
    video: Path | None = None,
    pose: bool = True,
    pose_model: Path | None = None,
    allow_unverified: bool = False,
    progress: Progress | None = None,
) -> SyncResult:
    """Synchronise one capture and write its session and its report into ``out``.

    Parameters
    ----------
    capture_path : Path
        The capture's folder.
    out : Path
        Folder of sessions.
    video : Path, optional
        A video in place of the capture's own.
    pose : bool
        Look for the person; without it the session has no keypoints.
    pose_model : Path, optional
        A ``.task`` file in place of the built-in network.
    allow_unverified : bool
        Write the session, marked FAIL, also where the verdict is FAIL.
    progress : callable, optional
        Shows progress; see :func:`dataset.console.progress`.

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
    OutputExistsError
        The session exists; it is never overwritten. The report of a run that was refused gives way to the new one.
    """
    with Capture.open(capture_path) as capture:
        name = session_name(capture)
        session_path, report_path = out / f"{name}.h5", out / f"{name}.html"
        # A report alone is that of a refused run: whoever mends the cause runs again into the same folder.
        if session_path.exists():
            raise OutputExistsError(
                f"{session_path} exists", "sessions are never overwritten", "move it or choose another --out"
            )
        check_writable(out)
        return _run(
            capture, session_path, report_path, video=video, pose=pose, pose_model=pose_model,
            allow_unverified=allow_unverified, progress=progress,
        )  # fmt: skip


def session_name(capture: Capture) -> str:
    """Return ``sub-<ID>_ses-<STAMP>``: from the capture's folders, else from its subject and when it was closed."""
    if _SESSION_NAME.fullmatch(capture.name):
        return capture.name
    closed = re.sub(r"[-:]|\+.*$", "", str(capture.manifest.get("closed_utc", "")))
    return f"sub-{capture.subject}_ses-{closed or clock.stamp()}"


def _run(
    capture: Capture,
    session_path: Path,
    report_path: Path,
    *,
    video: Path | None,
    pose: bool,
    pose_model: Path | None,
    allow_unverified: bool,
    progress: Progress | None,
) -> SyncResult:
    zero_ns, sensors = _read_sensors(capture)
    video_path = video or capture.video_path
    picture = _read_picture(capture, video_path, progress) if video_path is not None else None
    flashes = _host_flashes(capture, zero_ns)
    mapped = _map_video(capture, zero_ns, picture, flashes, sensors) if picture else None
    contacts, heard = _contacts(capture, zero_ns, picture, mapped)
    responses = respond(sensors, heard)
    span = _span(sensors, picture, mapped)
    streams = sync_sensors(sensors, responses, heard, start_s=span[0], stop_s=span[1])
    closure = None
    if mapped and mapped.route == "flash" and mapped.sound:
        closure = close_routes(sensors, responses, heard) or close_by_contacts(
            contacts_of(picture), sensors, mapped.sound.line, span
        )
    judged_video = _judge_video(mapped, closure, span, _least_lateness_s(capture, zero_ns, picture, mapped))
    if mapped:
        mapped = replace(mapped, sync=replace(mapped.sync, verdict=judged_video.verdict, reason=judged_video.reason))
    verdict, reasons = judge_whole(
        judged_video, {n: Judgement(verdict=s.verdict, reason=s.reason) for n, s in streams.items()}
    )
    if not reasons:
        reasons = ["every stream is within its bounds"]
    all_streams: dict[str, StreamSync] = {}
    if mapped:
        all_streams["video"] = mapped.sync
        if mapped.sound:
            all_streams["sound"] = sound_sync(mapped.sound, flashes, contacts_of(picture), span)
    all_streams.update(streams)
    session = build_session(
        capture, zero_ns, sensors, picture, mapped, all_streams, span, verdict, reasons,
        pose=pose, pose_model=pose_model, progress=progress,
    )  # fmt: skip
    evidence = _evidence(picture, mapped, flashes, contacts, heard, sensors, responses, closure)
    accepted = verdict != FAIL or allow_unverified
    result = SyncResult(
        capture=capture.folder,
        session=session,
        session_path=session_path if accepted else None,
        report_path=report_path,
        video_path=video_path,
        verdict=verdict,
        reasons=tuple(reasons),
        streams=all_streams,
        evidence=evidence,
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


# -- reading ------------------------------------------------------------------------------------------------------


def _read_sensors(capture: Capture) -> tuple[int, dict[str, SensorData]]:
    """Return the session's zero, the first sensor's first arrival, and every sensor after it."""
    decoded = []
    for sensor in capture.sensors:
        profile = find_profile(sensor.profile)
        decoded.append((sensor, profile, decode(profile, capture.notifications(sensor.slot))))
    firsts = [int(s.arrival_ns[0]) for _, _, s in decoded if len(s.arrival_ns)]
    if not firsts:
        raise CaptureError(f"the capture {capture.folder} holds no sensor values", "no notification could be decoded")
    zero_ns = min(firsts)
    data: dict[str, SensorData] = {}
    for sensor, profile, samples in decoded:
        arrival_s: FloatArray = np.asarray((samples.arrival_ns - zero_ns) * 1e-9, dtype=np.float64)
        data[sensor.channel] = SensorData(
            sensor=sensor,
            profile=profile,
            samples=samples,
            arrival_s=arrival_s,
            clock=sensor_clock(arrival_s, samples.epoch, profile.stream.rate_hz),
        )
    return zero_ns, data


def _read_picture(capture: Capture, path: Path, progress: Progress | None) -> Picture:
    meta = probe_video(path)
    if progress:
        with progress("brightness", meta.n_frames or None) as advance:
            brightness = read_brightness(path, advance)
    else:
        brightness = read_brightness(path)
    brightness = replace(brightness, pts_s=_exact_pts_s(capture, path, brightness.pts_s))
    sound = read_sound(path) if meta.has_sound else None
    contacts = detect_contacts(sound) if sound is not None else ()
    return Picture(
        path=path, brightness=brightness, contacts=contacts, sound=sound, width=meta.width, height=meta.height
    )


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


def _host_flashes(capture: Capture, zero_ns: int) -> HostFlashes:
    events = capture.events("flash")
    return host_flashes(
        np.array([(e.t_ns - zero_ns) * 1e-9 for e in events]),
        np.array([e.uncertainty_ns * 1e-9 for e in events]),
        [e.source for e in events],
    )


# -- maps ---------------------------------------------------------------------------------------------------------


def _map_video(
    capture: Capture, zero_ns: int, picture: Picture, flashes: HostFlashes, sensors: dict[str, SensorData]
) -> VideoMapped:
    """Tie the video to the host: by flashes, else by contacts, else - unverified - by what the capture says."""
    pts = picture.brightness.pts_s
    fit = fit_flashes(picture.brightness, flashes, _lateness_s(capture, picture))
    if fit.line is not None:
        arrival_s = _sound_arrival_s(capture, zero_ns, picture)
        sound = fit_sound(picture.contacts, flashes, fit.line, arrival_s) if picture.sound is not None else None
        sync = video_sync(fit.line, fit.pairing, flashes, sound, pts, method="flashes", shutter=fit.shutter)
        return VideoMapped(line=fit.line, route="flash", fit=fit, sound=sound, sync=sync)
    no_flash = fit.pairing.reason if len(flashes.light_s) else "the capture has no log of flashes"
    pairing, line = fit_contacts(picture.contacts, sensors)
    if line is not None:
        sound = SoundFit(line=line, method="contacts", pairing=pairing, av_skew_s=0.0, av_skew_sd_s=math.nan)
        sync = video_sync(line, pairing, flashes, sound, pts, method="contacts", shutter=None, no_flash=no_flash)
        return VideoMapped(line=line, route="contacts", fit=fit, sound=sound, sync=sync)
    line, assumption = _unverified_line(capture, zero_ns, picture)
    if picture.sound is None:
        no_contact = "it has no sound"
    elif pairing.n_reference == 0:
        no_contact = f"{pairing.n_target} sounds like one were heard, and no sensor answers them"
    else:
        no_contact = pairing.reason
    why = f"no flash ties it to the clock ({no_flash}), no clap or stomp to the sensors ({no_contact}); {assumption}"
    sync = video_sync(line, fit.pairing, flashes, None, pts, method="assumed", shutter=None)
    return VideoMapped(line=line, route="none", fit=fit, sound=None, sync=replace(sync, verdict=FAIL, reason=why))


def _lateness_s(capture: Capture, picture: Picture) -> FloatArray | None:
    """Return how late each frame of the capture's own video was stamped; the frames it had to drop tell that too."""
    frames = capture.frames()
    written = frames.pts_ns >= 0
    if capture.video_path != picture.path or int(written.sum()) != len(picture.brightness.pts_s):
        return None
    stamp_s: FloatArray = np.asarray((frames.arrival_ns - frames.arrival_ns[0]) * 1e-9, dtype=np.float64)
    return frame_lateness_s(stamp_s, frames.epoch)[written]


def _sound_arrival_s(capture: Capture, zero_ns: int, picture: Picture) -> float | None:
    """Return when presentation time 0 arrived, in session seconds; None where the sound is not the capture's own."""
    frames = capture.frames()
    written = frames.pts_ns >= 0
    own = capture.video_path == picture.path and len(capture.audio_blocks().arrival_ns) > 0
    if not own or not written.any():
        return None
    return float(np.median(frames.arrival_ns[written] - frames.pts_ns[written]) - zero_ns) * 1e-9


def _unverified_line(capture: Capture, zero_ns: int, picture: Picture) -> tuple[Line, str]:
    """Return the map that is assumed where nothing ties the video to the sensors."""
    frames = capture.frames()
    written = frames.pts_ns >= 0
    if capture.video_path == picture.path and written.sum() > 2:
        late = (frames.arrival_ns[written] - zero_ns) * 1e-9 - frames.pts_ns[written] * 1e-9
        line = Line(offset_s=float(late.min()), rate=0.0, middle_s=0.0, height_sd_s=math.nan, rate_sd=math.nan)
        return line, "it is laid where its frames arrived, the camera's delay unknown"
    offset_s = -zero_ns * 1e-9 if capture.meta.get("host_clock") == "file" else 0.0
    line = Line(offset_s=offset_s, rate=0.0, middle_s=0.0, height_sd_s=math.nan, rate_sd=math.nan)
    return line, "its first instant (PTS 0) is taken for the zero of the sensors' clock, which nothing confirms"


def contacts_of(picture: Picture | None) -> tuple[Contact, ...]:
    """Return the contacts heard, none where there is no video."""
    return picture.contacts if picture else ()


def _contacts(
    capture: Capture, zero_ns: int, picture: Picture | None, mapped: VideoMapped | None
) -> tuple[dict[str, list[int]], dict[str, Contacts]]:
    """Return the contacts that count, by kind: their indices, and their times on the host clock."""
    if picture is None or mapped is None or mapped.sound is None:
        return {}, {}
    # The contact itself, not its sound's arrival at the microphone.
    host_s = mapped.sound.line(np.array([c.time_s for c in picture.contacts])) - ACOUSTIC.value_s
    chosen: dict[str, list[int]] = {}
    heard: dict[str, Contacts] = {}
    for kind in ("clap", "stomp"):
        cues = np.array([(e.t_ns - zero_ns) * 1e-9 for e in capture.events(f"{kind}_cue")])
        if len(cues):
            indices = answered_cues(cues, kind, picture.contacts, host_s)
        else:
            indices = [i for i, c in enumerate(picture.contacts) if c.kind == kind]
        if indices:
            pts = np.array([picture.contacts[i].time_s for i in indices])
            width = float(mapped.sound.line.half_width_s(pts).max())
            chosen[kind] = indices
            heard[kind] = Contacts(host_s=host_s[indices], ci95_s=width)
    return chosen, heard


def _span(sensors: dict[str, SensorData], picture: Picture | None, mapped: VideoMapped | None) -> tuple[float, float]:
    """Return the time that video and sensors share, in session seconds."""
    with_values = [d for d in sensors.values() if len(d.clock.time_s) > 1]
    start = float(np.median([d.clock.time_s[0] for d in with_values])) if with_values else 0.0
    stop = float(np.median([d.clock.time_s[-1] for d in with_values])) if with_values else 0.0
    if picture is not None and mapped is not None:
        frames = mapped.line(picture.brightness.pts_s)
        start, stop = max(start, float(frames[0])), min(stop, float(frames[-1]))
    return start, stop


def _least_lateness_s(
    capture: Capture, zero_ns: int, picture: Picture | None, mapped: VideoMapped | None
) -> float | None:
    """Return how long after their exposure nearly all frames arrived, by the map; None where no arrival is known."""
    frames = capture.frames()
    written = frames.pts_ns >= 0
    if mapped is None or picture is None or capture.video_path != picture.path or not np.any(written):
        return None
    exposed_s = mapped.line(np.asarray(frames.pts_ns[written] * 1e-9, dtype=np.float64))
    return float(np.percentile((frames.arrival_ns[written] - zero_ns) * 1e-9 - exposed_s, 5))


def _judge_video(
    mapped: VideoMapped | None, closure: Closure | None, span: tuple[float, float], lateness_s: float | None
) -> Judgement:
    if mapped is None:
        return Judgement(verdict=FAIL, reason="the capture has no video; give one with --video")
    if span[1] <= span[0]:
        return Judgement(verdict=FAIL, reason="the video and the sensors do not overlap in time")
    if closure is not None and not closure.closes:
        return Judgement(
            verdict=FAIL,
            reason=(
                f"the two routes disagree: by flash and arrival the sensors answer {1e3 * closure.gap_s:+.0f} ms off "
                f"what their model and a clap allow ({1e3 * closure.allowed_s:.0f} ms); one pairing is wrong"
            ),
        )
    if lateness_s is not None and mapped.route == "flash" and lateness_s < -mapped.sync.error_ci95_s - 0.002:
        return Judgement(
            verdict=FAIL,
            reason=f"by its flashes the frames were exposed {-1e3 * lateness_s:.0f} ms after they had arrived; "
            "the flashes' times or their pairing are wrong",
        )
    return Judgement(verdict=mapped.sync.verdict, reason=mapped.sync.reason)


def _evidence(
    picture: Picture | None,
    mapped: VideoMapped | None,
    flashes: HostFlashes,
    chosen: dict[str, list[int]],
    heard: dict[str, Contacts],
    sensors: dict[str, SensorData],
    responses: dict[str, Any],
    closure: Closure | None,
) -> Evidence:
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
        flash_host_s=flashes.light_s,
        flash_pairs=pairs,
        contacts=tuple(
            contact_evidence(picture.sound, picture.contacts[i], kind, float(at))
            for kind, indices in chosen.items()
            for i, at in zip(indices, heard[kind].host_s, strict=True)
            if picture is not None and picture.sound is not None
        ),
        sensors={n: sensor_evidence(d, responses[n][0], responses[n][1], heard) for n, d in sensors.items()},
        readout_s=shutter.readout_s if shutter else math.nan,
        exposure_s=shutter.exposure_s if shutter else math.nan,
        closure_s=closure.gap_s if closure else math.nan,
        closure_allowed_s=closure.allowed_s if closure else math.nan,
    )


__all__ = ["Progress", "SyncResult", "run_capture", "session_name"]
