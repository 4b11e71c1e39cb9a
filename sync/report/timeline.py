"""Session at a glance: exercises, events, the video, and where each sensor has values."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from dataset.muscles import channel_from_name
from dataset.support.arrays import FloatArray, IntArray
from sync.report import figures
from sync.report.section import Section, constant
from sync.report.thumbnails import pairs_count
from sync.result import SyncResult


def timeline_section(result: SyncResult) -> Section | None:
    """Return the timeline; None where there is neither a video nor a sensor."""
    evidence = result.evidence
    presence: list[tuple[str, FloatArray]] = []
    if len(evidence.frame_time_s):
        presence.append(("video", np.array([[evidence.frame_time_s[0], evidence.frame_time_s[-1]]])))
    for channel, sensor in evidence.sensors.items():
        presence.append((channel_from_name(channel).label, _present(sensor.arrival_s, sensor.gaps_s)))
    if not presence:
        return None
    pairs = evidence.flash_pairs if pairs_count(result) else evidence.flash_pairs[:0]
    events = [
        ("flashes sent", evidence.flash_host_s, _among(len(evidence.flash_host_s), pairs[:, 0])),
        ("flashes detected", evidence.flash_detected_s, _among(len(evidence.flash_detected_s), pairs[:, 1])),
    ]
    for kind in ("clap", "stomp"):
        times = np.array([c.time_s for c in evidence.contacts if c.kind == kind])
        answered = [
            s.answered
            for channel, s in evidence.sensors.items()
            if s.contact == kind and math.isfinite(constant(result, channel, "response_s"))
        ]
        events.append(
            (
                f"{kind}s",
                times,
                _among(len(times), np.concatenate(answered) if answered else np.zeros(0, dtype=np.int64)),
            )
        )
    return Section(
        title="Session at a glance",
        texts=(
            "Bars show where there are frames or values; a break is a gap. A blue mark is an event that was matched, "
            "or that a sensor responded to; a red cross is one that was not.",
        ),
        image=figures.timeline_figure(presence, [e for e in events if len(e[1])], result.session.exercises),
        alt="Exercises, flashes, claps and stomps, and the spans in which the video and each sensor have values",
    )


def _present(arrival_s: FloatArray, gaps_s: FloatArray) -> FloatArray:
    """Return the stretches, shape (K, 2), that have values."""
    if not len(arrival_s):
        return np.zeros((0, 2))
    starts = np.concatenate([arrival_s[:1], gaps_s[:, 1]])
    stops = np.concatenate([gaps_s[:, 0], arrival_s[-1:]])
    return np.column_stack([starts, stops])


def _among(n: int, chosen: IntArray) -> NDArray[np.bool_]:
    return np.asarray(np.isin(np.arange(n), chosen), dtype=np.bool_)
