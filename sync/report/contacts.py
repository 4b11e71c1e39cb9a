"""Claps and stomps: the sound of each, the sensors' responses to it, and each channel over all of them."""

from __future__ import annotations

import math

import numpy as np

from dataset.muscles import channel_from_name
from sync.quality.stream_alignment import DelaySource, SensorConstants
from sync.report import figures
from sync.report.section import Section, Table, Thumbnail, constant, milliseconds, telling
from sync.result import ContactEvidence, SyncResult

_ENDS, _WORST = 2, 2
_MOST_ROWS = 48
#: Heading of a panel whose response was not measured: where its delay is taken from.
_NO_RESPONSE = {
    DelaySource.MEASURED: "no response",
    DelaySource.ASSUMED: "delay assumed",
    DelaySource.NONE: "delay from prior",
}


def contacts_section(result: SyncResult) -> Section | None:
    """Return each contact in sound and sEMG; None where none was detected."""
    contacts = result.evidence.contacts
    if not contacts:
        return None
    pictures, texts = [], []
    for kind in ("clap", "stomp"):
        detected = [c for c in contacts if c.kind == kind]
        if not detected:
            continue
        residuals = _residuals(result, kind, len(detected))
        worst_s = np.array([max((abs(r) for r in row.values()), default=math.nan) for row in residuals])
        unanswered = [f"{c.time_s:.1f} s" for c, row in zip(detected, residuals, strict=True) if not row]
        texts.append(
            f"{len(detected)} {kind}s were used; "
            + (f"no sensor responded at {', '.join(unanswered[:8])}" if unanswered else "a sensor responded to each")
            + ("." if len(unanswered) <= 8 else f" and {len(unanswered) - 8} more.")
        )
        rows = telling(worst_s, ends=_ENDS, worst=_WORST)
        note = f"{len(rows)} of {len(detected)} {kind}s: the first, the last and the largest residuals"
        shown = [(detected[i], _answers(result, kind, i)) for i in rows]
        pictures.append(Thumbnail(image=figures.contact_figure(shown), caption=note))
    return Section(
        title="Claps and stomps, one by one",
        texts=(
            " ".join(texts),
            "Left: the sound's envelope; the onset is red, its interval shaded. Right: the sensors' values around it, "
            "each scaled to its own peak; a blue mark is the centroid of the response.",
        ),
        figures=tuple(pictures),
        table=_table(result, contacts),
        note="Residual: the sensor's response latency for this contact minus that over all contacts. A dash: the "
        "response was not clear enough to use.",
    )


def responses_section(result: SyncResult) -> Section | None:
    """Return each channel over all contacts; None where no channel has values about one."""
    panels = []
    for channel, sensor in result.evidence.sensors.items():
        stream = result.streams.get(channel)
        if stream is None:
            continue
        response_s = constant(result, channel, "response_s")
        if math.isfinite(response_s):
            note = f"{response_s * 1e3:+.0f} ± {stream.error_ci95_s * 1e3:.0f} ms"
        else:
            note = _NO_RESPONSE[SensorConstants.read(stream.constants).delay_source]
        traces = [(t, v - np.median(v)) for t, v in zip(sensor.response_time_s, sensor.response, strict=True) if len(v)]
        panels.append((channel, traces, response_s, stream.error_ci95_s, note))
    if not any(traces for _, traces, *_ in panels):
        return None
    return Section(
        title="Claps and stomps in the sEMG",
        texts=(
            "Each grey line is one contact: claps for arms, stomps for legs. Red is the sound of the contact, blue the "
            "centroid of the response (response_s) with its 95 % interval.",
        ),
        image=figures.response_figure(panels),
        alt="sEMG of each channel around each contact",
        note="A burst leads or lags its contact by an unknown physiological amount, so the split of the response into "
        "burst and sensor delay is assumed; the section on offsets states how well it is known.",
    )


def _residuals(result: SyncResult, kind: str, n: int) -> list[dict[str, float]]:
    """Return for each contact of a kind the residual of each channel that responded to it."""
    found: list[dict[str, float]] = [{} for _ in range(n)]
    for channel, sensor in result.evidence.sensors.items():
        response_s = constant(result, channel, "response_s")
        if sensor.contact != kind or not math.isfinite(response_s):
            continue
        for index, latency_s in zip(sensor.answered.tolist(), sensor.latency_s.tolist(), strict=True):
            if index < n:
                found[index][channel] = latency_s - response_s
    return found


def _answers(result: SyncResult, kind: str, index: int) -> list[figures.Answer]:
    """Return every channel's values around one contact, and the centroid of its response or NaN."""
    answers: list[figures.Answer] = []
    for channel, sensor in result.evidence.sensors.items():
        if sensor.contact != kind or index >= len(sensor.response):
            continue
        at = np.flatnonzero(sensor.answered == index)
        latency_s = float(sensor.latency_s[at[0]]) if len(at) else math.nan
        answers.append((channel, sensor.response_time_s[index], sensor.response[index], latency_s))
    return answers


def _table(result: SyncResult, contacts: tuple[ContactEvidence, ...]) -> Table:
    channels = [c for c in result.evidence.sensors if c in result.streams]
    rows = []
    for kind in ("clap", "stomp"):
        detected = [c for c in contacts if c.kind == kind]
        for number, (contact, of) in enumerate(
            zip(detected, _residuals(result, kind, len(detected)), strict=True), start=1
        ):
            cells = (
                milliseconds(of[c], signed=True) if c in of
                else "-" if result.evidence.sensors[c].contact == kind else ""
                for c in channels
            )  # fmt: skip
            rows.append(
                (f"{kind} {number}", f"{contact.time_s:.3f}", f"± {milliseconds(contact.uncertainty_s)}", *cells)
            )
    half = _MOST_ROWS // 2
    left_out = f", the first and last {half} of {len(rows)}" if len(rows) > _MOST_ROWS else ""
    listed = rows if not left_out else rows[:half] + rows[-half:]
    return Table(
        head=("contact", "session time (s)", "onset (ms)", *(f"{channel_from_name(c).label} (ms)" for c in channels)),
        rows=tuple(listed),
        summary=f"All contacts with the residual of each sensor's response{left_out}",
    )
