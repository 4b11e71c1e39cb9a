"""The calibration's section: each channel's level at rest and at maximum, and what its recording reached of it."""

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
            f"At maximum no higher than at rest: {', '.join(below)}. Either the marks are on other intervals, or the "
            "sensor does not see its muscle; do not normalise by these."
        )
    return Section(
        title="Rest and maximum",
        texts=tuple(texts),
        table=Table(head=("channel", "rest", "maximum", "95 % of the session lies below", "unit"), rows=tuple(rows)),
        note="Stored beside the counts, which stay as they are. Rest: median level over the marked rests, without "
        f"{MARGIN_S:g} s at their ends, where {LEAST_REST_S:g} s or more is left. Maximum: highest mean over "
        f"{MAXIMUM_OVER_S:g} s of the marked contractions. A dash: not measured.",
    )


def _shown(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "-"
