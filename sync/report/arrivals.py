"""Arrival of the sensors' values: rates with intervals, losses, lateness, and the longest gaps."""

from __future__ import annotations

import math

import numpy as np

from dataset.muscles import channel_from_name
from dataset.support.arrays import FloatArray
from dataset.support.disk_arrays import blocks, decimate
from sync.report import figures
from sync.report.section import Section, Table
from sync.result import SensorEvidence, SyncResult

_MOST_GAPS = 12


def arrivals_section(result: SyncResult) -> Section | None:
    """Return the section on arrivals; None where there is no sensor."""
    sensors = result.evidence.sensors
    if not sensors:
        return None
    rows = tuple(
        (
            channel_from_name(channel).label,
            str(len(sensor.arrival_s)),
            _rate(sensor),
            f"± {sensor.rate_ci95_ppm:.0f}" if math.isfinite(sensor.rate_ci95_ppm) else "-",
            str(sensor.n_lost),
            str(len(sensor.gaps_s)),
            f"{float(np.max(np.diff(sensor.gaps_s, axis=1))):.2f}" if len(sensor.gaps_s) else "-",
            _percentiles_ms(sensor.lateness_s),
            str(sensor.n_malformed),
            str(sensor.n_out_of_range),
        )
        for channel, sensor in sensors.items()
    )
    return Section(
        title="Arrivals and rates",
        texts=("Lateness of each value relative to its sensor's own clock.",),
        image=figures.arrivals_figure([(c, s.arrival_s, s.lateness_s) for c, s in sensors.items()]),
        alt="Lateness of every value over session time",
        table=Table(
            head=("channel", "values", "rate (Hz)", "ppm", "lost", "gaps", "longest (s)", "late p50 / p95 / max (ms)",
                  "malformed", "out of range"),
            rows=rows,
        ),
    )  # fmt: skip


def gaps_section(result: SyncResult) -> Section | None:
    """Return the gaps of all sensors; None where there is no sensor."""
    sensors = result.evidence.sensors
    if not sensors:
        return None
    gaps = sorted(
        ((float(b - a), float(a), float(b), channel) for channel, s in sensors.items() for a, b in s.gaps_s),
        reverse=True,
    )
    if not gaps:
        return Section(title="Gaps", texts=("No sensor has a gap.",))
    listed = f"the {_MOST_GAPS} longest are listed" if len(gaps) > _MOST_GAPS else "all are listed"
    return Section(
        title="Gaps",
        texts=(
            f"{len(gaps)} gaps, {sum(g[0] for g in gaps):.1f} s in total; {listed}, and the timeline above shows where "
            "they are. Gaps are left empty.",
        ),
        table=Table(
            head=("channel", "last value before (s)", "first value after (s)", "length (s)"),
            rows=tuple(
                (channel_from_name(channel).label, f"{a:.2f}", f"{b:.2f}", f"{length:.2f}")
                for length, a, b, channel in gaps[:_MOST_GAPS]
            ),
        ),
    )


def _rate(sensor: SensorEvidence) -> str:
    if not math.isfinite(sensor.rate_hz):
        return "-"
    if not math.isfinite(sensor.rate_ci95_ppm):
        return f"{sensor.rate_hz:.4f}"
    return f"{sensor.rate_hz:.4f} ± {sensor.rate_hz * sensor.rate_ci95_ppm * 1e-6:.4f}"


def _percentiles_ms(values_s: FloatArray) -> str:
    """Return the median, the 95th percentile and the most; of a long column the percentiles of every few."""
    if not len(values_s):
        return "- / - / -"
    most_s = max(float(values_s[rows].max()) for rows in blocks(values_s))
    return " / ".join(f"{1e3 * float(s):.0f}" for s in (*np.percentile(decimate(values_s), (50, 95)), most_s))
