"""Sensor offsets: the measured response, its assumed split into delay and burst, and how well muscles compare."""

from __future__ import annotations

import math

from dataset.muscles import channel_from_name
from sync.quality.stream_alignment import DelaySource, SensorConstants
from sync.report.section import Section, Table, constant, milliseconds
from sync.result import SyncResult

_FROM = {
    DelaySource.MEASURED: "measured",
    DelaySource.ASSUMED: "assumed: sensors of its model",
    DelaySource.NONE: "assumed: prior of its model",
}


def offsets_section(result: SyncResult) -> Section | None:
    """Return the table of responses, bursts and offsets; None where no stream is a sensor's."""
    rows = []
    for name, stream in result.streams.items():
        if "delay_source" not in stream.constants:
            continue
        source = SensorConstants.read(stream.constants).delay_source
        response_s, burst_s = constant(result, name, "response_s"), constant(result, name, "burst_prior_s")
        measured = math.isfinite(response_s)
        rows.append((
            channel_from_name(name).label if channel_from_name(name).side else name,
            _half_width(constant(result, name, "film_ci95_s")),
            _with_interval(response_s, stream.error_ci95_s),
            _with_interval(burst_s, 1.96 * constant(result, name, "burst_prior_sd_s")) if measured else "-",
            _with_interval(stream.offset_s, stream.offset_ci95_s),
            _half_width(constant(result, name, "left_right_ci95_s")),
            _half_width(constant(result, name, "between_sensors_ci95_s")),
            _FROM[source],
        ))  # fmt: skip
    if not rows:
        return None
    return Section(
        title="Offsets, and how precisely muscles can be compared",
        texts=(
            "A clap or stomp measures the response: the time from the contact to the centroid of the sEMG burst. How "
            "well it is known against the contacts' sound in the film decides the verdict; against the host's clock it "
            "may be known less well, if nothing ties the film to that clock. The response is the sum of the sensor's "
            "delay and the lead or lag of the muscle's burst, and no event separates the two: the burst is assumed, "
            "from a prior and from what sensors of one model have in common. The offset is the burst minus the "
            "response; its interval includes the assumption.",
            *comparisons(result),
        ),
        table=Table(
            head=("sensor", "against the film (ms)", "response (ms)", "burst, assumed (ms)", "offset (ms)",
                  "vs. other side (ms)", "vs. any other sensor, at most (ms)", "response"),
            rows=tuple(rows),
        ),
        note="± is the half-width of the 95 % interval. Offset = burst - response.",
    )  # fmt: skip


def comparisons(result: SyncResult) -> list[str]:
    """Return what the offsets' intervals mean for comparing muscles; nothing where there is one sensor."""
    channels = [n for n, s in result.streams.items() if "delay_source" in s.constants]
    sides_s = [v for n in channels if math.isfinite(v := constant(result, n, "left_right_ci95_s"))]
    any_s = [v for n in channels if math.isfinite(v := constant(result, n, "between_sensors_ci95_s"))]
    texts = []
    if sides_s:
        texts.append(
            "Left and right of one muscle: only a difference of more than "
            f"{_range(sides_s)} shows which was active first. Their bursts are assumed to be similar, so most of the "
            "unknown cancels."
        )
    if any_s:
        texts.append(
            "Different muscles: only a difference of more than "
            f"{milliseconds(max(any_s), digits=0)} ms (the least certain pair) shows which was active first. Arms and "
            "legs respond to different contacts, and their bursts are assumed to have little in common."
        )
    return texts


def _range(values_s: list[float]) -> str:
    low, high = (milliseconds(v, digits=0) for v in (min(values_s), max(values_s)))
    return f"{high} ms" if low == high else f"{low} to {high} ms, by muscle"


def _with_interval(value_s: float, half_width_s: float) -> str:
    if not math.isfinite(value_s):
        return "-"
    return f"{milliseconds(value_s, signed=True)} ± {milliseconds(half_width_s)}"


def _half_width(value_s: float) -> str:
    return f"± {milliseconds(value_s)}" if math.isfinite(value_s) else "-"
