"""Residuals of all matched events, and the difference between the two alignment methods."""

from __future__ import annotations

import math

import numpy as np

from dataset.support.arrays import FloatArray
from sync.report import figures
from sync.report.section import Section, constant
from sync.result import SyncResult


def residuals_section(result: SyncResult) -> Section | None:
    """Return the section on residuals; None where no event was matched."""
    evidence = result.evidence
    shown: list[tuple[str, FloatArray, FloatArray]] = []
    for name, methods in (("video", ("flashes",)), ("sound", ("beeps",))):
        stream, times = result.streams.get(name), evidence.flash_host_s
        if stream is None or stream.method not in methods or not len(stream.residual_s):
            continue
        if stream.matches[:, 0].max(initial=-1) < len(times):
            shown.append((name, times[stream.matches[:, 0]], stream.residual_s))
    for kind in ("clap", "stomp"):
        pairs = [answers(result, channel) for channel, s in evidence.sensors.items() if s.contact == kind]
        if any(len(times) for times, _ in pairs):
            times, residual_s = (np.concatenate(column) for column in zip(*pairs, strict=True))
            shown.append((f"sEMG after {kind}s", times, residual_s))
    if not shown:
        return None
    texts = ["Distance of each matched event from the fitted clock map."]
    if math.isfinite(evidence.closure_s):
        closes = abs(evidence.closure_s) <= evidence.closure_allowed_s
        texts.append(
            f"{'✔' if closes else '✖'} Flashes with arrival times, and claps with sound, align video and sensors "
            f"independently: the two methods differ by {abs(evidence.closure_s) * 1e3:.0f} ms (limit "
            f"{evidence.closure_allowed_s * 1e3:.0f} ms)."
        )
    return Section(
        title="Residuals of all events",
        texts=tuple(texts),
        image=figures.residual_figure(shown),
        alt="Residual in milliseconds of every matched flash, beep and response over session time",
    )


def answers(result: SyncResult, channel: str) -> tuple[FloatArray, FloatArray]:
    """Return session time and residual of each contact that ``channel`` answered."""
    sensor = result.evidence.sensors[channel]
    times = np.array([c.time_s for c in result.evidence.contacts if c.kind == sensor.contact])
    response_s = constant(result, channel, "response_s")
    if not math.isfinite(response_s) or sensor.answered.max(initial=-1) >= len(times):
        return np.zeros(0), np.zeros(0)
    return times[sensor.answered], np.asarray(sensor.latency_s - response_s)
