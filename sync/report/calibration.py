"""The section on calibration: each channel's level at rest, at maximum, and in the session."""

from __future__ import annotations

import math

import numpy as np

from dataset.muscles import channel_from_name
from sync.calibration import LEAST_REST_S, MARGIN_S, MAXIMUM_OVER_S
from sync.report.section import Section, Table
from sync.result import SyncResult


def calibration_section(result: SyncResult) -> Section | None:
    """Return the table of levels; None where nothing was measured."""
    session = result.session
    if session.calibration is None:
        return None
    rest, maximum = session.calibration.rest_counts, session.calibration.mvc_counts
    rows, below = [], []
    for i, name in enumerate(session.channels.name):
        label = channel_from_name(name).label
        emg = session.aligned.emg[:, i]
        values = emg[np.isfinite(emg)]
        high = float(np.percentile(values, 95)) if len(values) else math.nan
        rows.append((label, _shown(rest[i]), _shown(maximum[i]), _shown(high), session.channels.unit[i]))
        if maximum[i] <= rest[i]:
            below.append(label)
    texts = []
    if below:
        texts.append(
            f"Maximum not above rest: {', '.join(below)}. Either the intervals are marked wrongly, or the sensor does "
            "not measure its muscle; do not normalise by these values."
        )
    return Section(
        title="Rest and maximum",
        texts=tuple(texts),
        table=Table(head=("channel", "rest", "maximum", "95th percentile of the session", "unit"), rows=tuple(rows)),
        note="Stored in addition to the counts, which are unchanged. Rest: median level over the marked rests, without "
        f"{MARGIN_S:g} s at each end, where at least {LEAST_REST_S:g} s remain. Maximum: highest mean over "
        f"{MAXIMUM_OVER_S:g} s of the marked contractions. A dash: not measured.",
    )


def _shown(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "-"
