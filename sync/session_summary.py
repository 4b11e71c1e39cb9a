"""Summary of a session: its contents and the quality of its alignment, as JSON or text."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dataset.session.types import Session
from sync.quality.stream_alignment import SensorConstants
from sync.result import stream_dict


def session_as_dict(session: Session) -> dict[str, Any]:
    """Return what ``mia-sync show --json`` prints."""
    aligned = session.aligned
    return {
        "session": str(session.path) if session.path else None,
        "subject": session.subject,
        "session_uuid": session.session_uuid,
        "created_utc": session.created_utc,
        "zero_host_ns": session.zero_host_ns,
        "verdict": session.verdict,
        "verdict_reason": session.verdict_reason,
        "rate_hz": session.rate_hz,
        "channels": list(session.channels.name),
        "n_rows": len(aligned.time_s),
        "duration_s": len(aligned.time_s) / session.rate_hz,
        "n_segments": len(set(aligned.segment.tolist()) - {-1}),
        "emg_valid": {
            name: float(np.mean(aligned.emg_valid[:, i])) if len(aligned.time_s) else 0.0
            for i, name in enumerate(session.channels.name)
        },
        "keypoints_found": keypoints_found(session),
        "exercises": {
            name: int(sum(label == name for label in aligned.exercise))
            for name in dict.fromkeys(label for label in aligned.exercise if label)
        },
        "calibration": calibration_of(session),
        "streams": {name: stream_dict(sync) for name, sync in session.sync.items()},
    }


def calibration_of(session: Session) -> dict[str, dict[str, float | None]] | None:
    """Return each channel's level at rest and at maximum, None if not measured; None if no channel was."""
    if session.calibration is None:
        return None
    pairs = zip(session.calibration.rest_counts, session.calibration.mvc_counts, strict=True)
    return {
        name: {"rest_counts": _finite(rest), "mvc_counts": _finite(maximum)}
        for name, (rest, maximum) in zip(session.channels.name, pairs, strict=True)
    }


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def keypoints_found(session: Session) -> float | None:
    """Return the share of grid times with the person detected; None without keypoints."""
    for points in (session.aligned.keypoints_2d, session.aligned.keypoints_3d):
        if points is not None:
            return float(np.mean(np.isfinite(points).any(axis=(1, 2)))) if len(points) else 0.0
    return None


def session_as_text(session: Session) -> str:
    """Return what ``mia-sync show`` prints."""
    facts = session_as_dict(session)
    found = facts["keypoints_found"]
    lines = [
        f"{session.name}: subject {session.subject}, {session.verdict}",
        f"  {session.verdict_reason}",
        f"  {facts['n_rows']} rows at {session.rate_hz:g} Hz ({facts['duration_s']:.1f} s), {facts['n_segments']} runs",
        "  keypoints: " + ("none" if found is None else f"{found:.1%} of the grid"),
        "  exercises: " + (", ".join(f"{n} ({k} rows)" for n, k in facts["exercises"].items()) or "none"),
    ]
    for name, levels in (facts["calibration"] or {}).items():
        rest, maximum = ("not measured" if v is None else f"{v:.4g}" for v in levels.values())
        unit = session.channels.unit[session.channels.name.index(name)]
        lines.append(f"  {name:18} rest {rest}, maximum {maximum} ({unit})")
    for name, sync in session.sync.items():
        numbers = f"offset {sync.offset_s + 0.0:+.4f} s  {_half_width(sync.offset_ci95_s)}"
        constants = SensorConstants.read(sync.constants)
        if math.isfinite(constants.response_s):
            numbers += f"  response {constants.response_s:+.4f} s  {_half_width(sync.error_ci95_s)}"
        if constants.film_ci95_s is not None and math.isfinite(constants.film_ci95_s):
            numbers += f"  against the film {_half_width(constants.film_ci95_s)}"
        lines.append(f"  {name:18} {sync.verdict:8} {numbers}  {sync.reason}")
    return "\n".join(lines + _comparisons(session))


def _half_width(value_s: float) -> str:
    return f"+-{1e3 * value_s:.1f} ms" if math.isfinite(value_s) else "+- unknown"


def _comparisons(session: Session) -> list[str]:
    """Return one line on how well muscles can be compared in time; none without offsets."""
    stated = []
    sensors = [SensorConstants.read(s.constants) for s in session.sync.values()]
    for what, widths in (
        ("left minus right of a muscle", [s.left_right_ci95_s for s in sensors]),
        ("any two", [s.between_sensors_ci95_s for s in sensors]),
    ):
        known = [w for w in widths if w is not None and math.isfinite(w)]
        if known:
            stated.append(f"{what} {_half_width(max(known))}")
    return (
        [f"  differences of offsets, at most: {', '.join(stated)} (the split into delay and burst is assumed)"]
        if stated
        else []
    )
