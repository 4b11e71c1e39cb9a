"""What the report shows after the table of streams: one section a kind of evidence."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from dataset.exercises import exercise_title
from dataset.muscles import channel_from_name
from dataset.video import iter_frames
from sync.report import figures
from sync.report.events import build_events
from sync.report.lag import build_lag
from sync.report.parts import Section, Table, Thumbnail
from sync.result import SyncResult

#: Thumbnails shown of flashes, and of keypoints.
_MOST_FLASHES = 4
_POSE_FRAMES = 6


def build_sections(result: SyncResult) -> tuple[Section, ...]:
    """Return the sections for which there is something to show."""
    thumbnails = _Thumbnails(result)
    built = (
        _flashes(result, thumbnails),
        *build_events(result),
        _residuals(result),
        _responses(result),
        _preview(result, thumbnails),
        build_lag(result.session),
        _arrivals(result),
    )
    return tuple(section for section in built if section is not None)


class _Thumbnails:
    """The frames that the sections show, decoded in one pass."""

    def __init__(self, result: SyncResult) -> None:
        evidence = result.evidence
        self.flash_frames = _spread(evidence.flash_detected_frame[evidence.flash_pairs[:, 1]], _MOST_FLASHES)
        self.pose_rows = _pose_rows(result)
        wanted = [*self.flash_frames.tolist(), *(frame for _, frame in self.pose_rows)]
        self.images: dict[int, NDArray[np.uint8]] = {}
        if wanted and result.video_path is not None:
            frames = iter_frames(result.video_path, indices=np.array(sorted(set(wanted)), dtype=np.int64))
            self.images = {frame.index: frame.image for frame in frames}


def _pose_rows(result: SyncResult) -> list[tuple[int, int]]:
    """Return (row of the pose table, frame) of a few frames spread over the exercises, else over the session."""
    pose, video = result.session.pose, result.session.video
    if pose is None or video is None or pose.keypoints_2d is None:
        return []
    found = np.flatnonzero(np.isfinite(pose.keypoints_2d).any(axis=(1, 2)))
    exercises = result.session.exercises
    if len(found) and len(exercises.name):
        middle_s = 0.5 * (exercises.start_s + exercises.stop_s)
        time_s = video.frame_time_s[np.clip(pose.frame_index[found], 0, len(video.frame_time_s) - 1)]
        found = found[np.unique([int(np.argmin(np.abs(time_s - t))) for t in middle_s])]
    return [(int(row), int(pose.frame_index[row])) for row in _spread(found, _POSE_FRAMES)]


def _flashes(result: SyncResult, thumbnails: _Thumbnails) -> Section | None:
    evidence = result.evidence
    if not len(evidence.frame_time_s):
        return None
    n_sent, n_seen, n_matched = (
        len(evidence.flash_host_s),
        len(evidence.flash_detected_s),
        len(evidence.flash_pairs),
    )
    texts = [f"{n_sent} flashes were sent, {n_seen} were seen in the picture, {n_matched} were paired."]
    if math.isfinite(evidence.readout_s):
        texts.append(
            "The partly lit frames tell the camera's shutter: it reads its rows in "
            f"{abs(evidence.readout_s) * 1e3:.1f} ms and exposes each for {evidence.exposure_s * 1e3:.1f} ms. That is "
            "how an onset is known to a part of a frame."
        )
    shown = tuple(
        Thumbnail(
            image=figures.frame_uri(thumbnails.images[frame]),
            caption=f"{evidence.frame_time_s[frame]:.2f} s, frame {frame}",
        )
        for frame in thumbnails.flash_frames.tolist()
        if frame in thumbnails.images
    )
    return Section(
        title="Flashes",
        texts=tuple(texts),
        image=figures.brightness_figure(
            evidence.frame_time_s, evidence.brightness, evidence.flash_host_s, evidence.flash_detected_s
        ),
        alt="Mean brightness of the picture over time, with the flashes sent and the onsets seen",
        frames=shown,
        note="The first frame that is lit, at least in part, of each flash." if shown else "",
    )


def _residuals(result: SyncResult) -> Section | None:
    evidence = result.evidence
    shown: list[tuple[str, NDArray[np.float64], NDArray[np.float64]]] = []
    for name, times in (("video", evidence.flash_host_s), ("sound", evidence.flash_host_s)):
        stream = result.streams.get(name)
        if stream is None or not len(stream.residual_s) or stream.matches[:, 0].max(initial=-1) >= len(times):
            continue
        shown.append((name, times[stream.matches[:, 0]], stream.residual_s))
    for kind in ("clap", "stomp"):
        pairs = [_response_residuals(result, channel) for channel, s in evidence.sensors.items() if s.contact == kind]
        if any(len(times) for times, _ in pairs):
            times, residual_s = (np.concatenate(column) for column in zip(*pairs, strict=True))
            shown.append((f"sEMG after {kind}s", times, residual_s))
    if not shown:
        return None
    texts = ["How far each matched event lies from the fitted map."]
    if math.isfinite(evidence.closure_s):
        texts.append(
            "Flash with arrival, and clap with sound, are two routes that share no constant: they close to "
            f"{evidence.closure_s * 1e3:.1f} ms, and {evidence.closure_allowed_s * 1e3:.1f} ms is allowed."
        )
    return Section(
        title="Residuals of every event",
        texts=tuple(texts),
        image=figures.residual_figure(shown),
        alt="Residual in milliseconds of every matched flash, beep and response over session time",
    )


def _response_residuals(result: SyncResult, channel: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return session time and residual of each contact that ``channel`` answered."""
    sensor = result.evidence.sensors[channel]
    times = np.array([c.time_s for c in result.evidence.contacts if c.kind == sensor.contact])
    response_s = _constant(result, channel, "response_s")
    if not math.isfinite(response_s) or sensor.answered.max(initial=-1) >= len(times):
        return np.zeros(0), np.zeros(0)
    return times[sensor.answered], np.asarray(sensor.each_s - response_s)


def _responses(result: SyncResult) -> Section | None:
    panels = []
    for channel, sensor in result.evidence.sensors.items():
        stream = result.streams.get(channel)
        if stream is None:
            continue
        response_s = _constant(result, channel, "response_s")
        source = str(stream.constants.get("delay_source", ""))
        note = f"{response_s * 1e3:+.0f} ± {stream.error_ci95_s * 1e3:.0f} ms" if math.isfinite(response_s) else source
        traces = [(t, v - np.median(v)) for t, v in zip(sensor.response_time_s, sensor.response, strict=True) if len(v)]
        panels.append((channel, traces, response_s, stream.error_ci95_s, note or "no event"))
    if not any(traces for _, traces, *_ in panels):
        return None
    return Section(
        title="Claps and stomps in the sEMG",
        texts=(
            "Each grey line is one contact: arms about claps, legs about stomps. Red is the contact's sound, blue the "
            "centroid of the response, response_s, with its 95 % interval.",
        ),
        image=figures.response_figure(panels),
        alt="sEMG of each channel about every contact",
        note="A burst leads or lags its contact by an unknown physiological amount, so the sensor's own delay is the "
        "response less a stated prior; both are stored, and the prior is the same for every capture.",
    )


def _preview(result: SyncResult, thumbnails: _Thumbnails) -> Section | None:
    session = result.session
    if not len(session.aligned.time_s):
        return None
    frames = []
    for row, frame in thumbnails.pose_rows:
        if frame in thumbnails.images and session.pose is not None and session.pose.keypoints_2d is not None:
            keypoints, confidence = session.pose.keypoints_2d[row], session.pose.confidence[row]
            image = figures.frame_uri(thumbnails.images[frame], keypoints=keypoints, confidence=confidence)
            frames.append(Thumbnail(image=image, caption=_frame_caption(result, frame)))
    share = float(session.aligned.emg_valid.mean()) if session.aligned.emg_valid.size else 0.0
    texts = [f"{len(session.aligned.time_s)} grid times at {session.rate_hz:g} Hz; {share:.1%} of the sEMG is there."]
    if session.aligned.keypoints_2d is not None:
        seen = float(np.isfinite(session.aligned.keypoints_2d).any(axis=(1, 2)).mean())
        texts.append(f"The person was found at {seen:.1%} of the grid times. Blue is the subject's left, orange right.")
    return Section(
        title=f"The grid at {session.rate_hz:g} Hz",
        texts=(" ".join(texts),),
        image=figures.grid_figure(session.aligned, session.channels.name, session.channels.unit, session.exercises),
        alt="sEMG of every channel on the common grid, exercises shaded",
        frames=tuple(frames),
    )


def _frame_caption(result: SyncResult, frame: int) -> str:
    video, exercises = result.session.video, result.session.exercises
    time_s = float(video.frame_time_s[frame]) if video is not None else 0.0
    during = np.flatnonzero((exercises.start_s <= time_s) & (time_s < exercises.stop_s))
    name = f", {exercise_title(exercises.name[int(during[0])])}" if len(during) else ""
    return f"{time_s:.1f} s{name}"


def _arrivals(result: SyncResult) -> Section | None:
    sensors = result.evidence.sensors
    if not sensors:
        return None
    rows = tuple(
        (
            channel_from_name(channel).label,
            str(len(sensor.arrival_s)),
            f"{sensor.rate_hz:.4f}" if math.isfinite(sensor.rate_hz) else "-",
            f"± {sensor.rate_ci95_ppm:.0f}" if math.isfinite(sensor.rate_ci95_ppm) else "-",
            str(sensor.n_lost),
            str(len(sensor.gaps_s)),
            f"{float(np.max(np.diff(sensor.gaps_s, axis=1))):.2f}" if len(sensor.gaps_s) else "-",
            f"{_percentile_ms(sensor.lateness_s, 50)} / {_percentile_ms(sensor.lateness_s, 95)} / "
            f"{_percentile_ms(sensor.lateness_s, 100)}",
            str(sensor.n_malformed),
            str(sensor.n_out_of_range),
        )
        for channel, sensor in sensors.items()
    )
    return Section(
        title="Arrivals, rates and gaps",
        texts=("How late each value came against its sensor's own ticks. Gaps stay open: nothing is filled in.",),
        image=figures.arrivals_figure([(c, s.arrival_s, s.lateness_s) for c, s in sensors.items()]),
        alt="Lateness of every value over session time",
        table=Table(
            head=("channel", "values", "rate (Hz)", "ppm", "lost", "gaps", "longest (s)", "late p50 / p95 / max (ms)",
                  "malformed", "out of range"),
            rows=rows,
        ),
    )  # fmt: skip


def _percentile_ms(values_s: NDArray[np.float64], q: float) -> str:
    return f"{1e3 * float(np.percentile(values_s, q)):.0f}" if len(values_s) else "-"


def _constant(result: SyncResult, channel: str, name: str) -> float:
    value = result.streams[channel].constants.get(name, math.nan) if channel in result.streams else math.nan
    return float(value)


def _spread(values: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return at most ``most`` of the values, spread evenly over them."""
    if len(values) <= most:
        return values
    return np.asarray(values[np.linspace(0, len(values) - 1, most).round().astype(int)], dtype=np.int64)
