"""Every event by itself: the frames of the flashes, the sound of the contacts, and the numbers of both."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from dataset.muscles import channel_from_name
from dataset.video import iter_frames
from sync.report import figures
from sync.report.parts import Section, Table, Thumbnail
from sync.result import ContactEvidence, SyncResult

#: Flashes shown with the frames about their onset, contacts shown with their sound, and rows of a table, at most.
_MOST_STRIPS = 3
_MOST_CONTACTS = 12
_MOST_ROWS = 40
_ABOUT = (-1, 0, 1, 2)


def build_events(result: SyncResult) -> tuple[Section, ...]:
    """Return a section on the flashes one by one and one on the contacts, as far as there are any."""
    built = (_flash_by_flash(result), _contact_by_contact(result))
    return tuple(section for section in built if section is not None)


def _flash_by_flash(result: SyncResult) -> Section | None:
    evidence, stream = result.evidence, result.streams.get("video")
    if not len(evidence.flash_host_s) and not len(evidence.flash_detected_s):
        return None
    seen_of = {int(i): int(j) for i, j in evidence.flash_pairs}
    residual: dict[int, float] = {}
    if stream is not None and len(stream.residual_s) == len(evidence.flash_pairs):
        residual = {int(i): float(r) for (i, _), r in zip(evidence.flash_pairs, stream.residual_s, strict=True)}
    rows = []
    for i, sent in enumerate(evidence.flash_host_s):
        j = seen_of.get(i)
        seen = "not seen" if j is None else f"{evidence.flash_detected_s[j]:.3f}"
        frame = "-" if j is None else str(int(evidence.flash_detected_frame[j]))
        off = f"{1e3 * residual[i]:+.1f}" if i in residual else "-"
        rows.append((f"flash {i + 1}", f"{sent:.3f}", seen, frame, off))
    unpaired = sorted(set(range(len(evidence.flash_detected_s))) - set(seen_of.values()))
    rows += [
        ("not sent", "-", f"{evidence.flash_detected_s[j]:.3f}", str(int(evidence.flash_detected_frame[j])), "-")
        for j in unpaired
    ]
    note = "Whole frames: first lit frame of each. Residuals are against the fitted map, sub-frame."
    if len(rows) > _MOST_ROWS:
        note += f" The first and last {_MOST_ROWS // 2} of {len(rows)} are shown."
        rows = [*rows[: _MOST_ROWS // 2], *rows[-_MOST_ROWS // 2 :]]
    return Section(
        title="Flash by flash",
        frames=_strips(result, residual),
        table=Table(head=("event", "sent (s)", "seen (s)", "frame", "residual (ms)"), rows=tuple(rows)),
        note=note,
    )


def _strips(result: SyncResult, residual: dict[int, float]) -> tuple[Thumbnail, ...]:
    """Return the frames about the onset of a few flashes: the first, the last, and the one furthest off."""
    evidence = result.evidence
    if result.video_path is None or not len(evidence.flash_pairs):
        return ()
    pairs = [(int(i), int(j)) for i, j in evidence.flash_pairs]
    worst = max(pairs, key=lambda p: abs(residual.get(p[0], 0.0)))
    chosen = list(dict.fromkeys([pairs[0], worst, pairs[-1]]))[:_MOST_STRIPS]
    first = {j: int(evidence.flash_detected_frame[j]) for _, j in chosen}
    wanted = sorted({
        frame + step for frame in first.values() for step in _ABOUT if 0 <= frame + step < len(evidence.frame_time_s)
    })  # fmt: skip
    images = {f.index: f.image for f in iter_frames(result.video_path, indices=np.array(wanted, dtype=np.int64))}
    strips = []
    for i, j in chosen:
        for step in _ABOUT:
            frame = first[j] + step
            if frame in images:
                when = "onset" if step == 0 else f"{step:+d} frame{'s' if abs(step) > 1 else ''}"
                strips.append(Thumbnail(image=figures.frame_uri(images[frame]), caption=f"flash {i + 1}, {when}"))
    return tuple(strips)


def _contact_by_contact(result: SyncResult) -> Section | None:
    contacts = result.evidence.contacts
    if not contacts:
        return None
    answers = _answers(result, contacts)
    kinds = sorted({c.kind for c in contacts})
    channels = {k: [n for n, s in result.evidence.sensors.items() if s.contact == k] for k in kinds}
    rows = []
    for k, contact in enumerate(contacts):
        told = [answers[k][n] for n in channels[contact.kind] if n in answers[k]]
        rows.append((
            f"{contact.kind} {sum(c.kind == contact.kind for c in contacts[: k + 1])}",
            f"{contact.time_s:.3f}",
            f"{len(told)} of {len(channels[contact.kind])}",
            f"{1e3 * float(np.median(told)):+.0f}" if told else "-",
            ", ".join(
                f"{channel_from_name(n).label} {1e3 * answers[k][n]:+.0f}"
                for n in channels[contact.kind] if n in answers[k]
            ) or "-",
        ))  # fmt: skip
    note = (
        "Residual: a sensor's answer to this contact less its response_s. What all sensors share is the person's lead."
    )
    if len(rows) > _MOST_ROWS:
        note += f" The first and last {_MOST_ROWS // 2} of {len(rows)} are shown."
        rows = [*rows[: _MOST_ROWS // 2], *rows[-_MOST_ROWS // 2 :]]
    shown = _chosen(contacts)
    return Section(
        title="Contact by contact",
        texts=("The sound of each contact, its onset marked, and above it the answers of the sensors, each to scale.",),
        image=figures.contact_figure([
            (f"{contacts[k].kind} at {contacts[k].time_s:.1f} s", contacts[k].sound_time_s, contacts[k].sound,
             _traces(result, contacts, k)) for k in shown
        ]),
        alt="Sound envelope of each contact with the sensors' answers",
        table=Table(
            head=("event", "heard (s)", "answered", "median residual (ms)", "residual of each (ms)"), rows=tuple(rows)
        ),
        note=note,
    )  # fmt: skip


def _chosen(contacts: Sequence[ContactEvidence]) -> list[int]:
    if len(contacts) <= _MOST_CONTACTS:
        return list(range(len(contacts)))
    return sorted({round(v) for v in np.linspace(0, len(contacts) - 1, _MOST_CONTACTS)})


def _answers(result: SyncResult, contacts: Sequence[ContactEvidence]) -> list[dict[str, float]]:
    """Return, for each contact, the residual of each channel that answered it."""
    number = {kind: [k for k, c in enumerate(contacts) if c.kind == kind] for kind in {c.kind for c in contacts}}
    answers: list[dict[str, float]] = [{} for _ in contacts]
    for channel, sensor in result.evidence.sensors.items():
        stream = result.streams.get(channel)
        response_s = float(stream.constants.get("response_s", math.nan)) if stream is not None else math.nan
        if not math.isfinite(response_s):
            continue
        for index, each in zip(sensor.answered, sensor.each_s, strict=True):
            of_kind = number.get(sensor.contact, [])
            if int(index) < len(of_kind):
                answers[of_kind[int(index)]][channel] = float(each) - response_s
    return answers


def _traces(result: SyncResult, contacts: Sequence[ContactEvidence], k: int) -> list[tuple[np.ndarray, np.ndarray]]:
    kind = contacts[k].kind
    index = sum(c.kind == kind for c in contacts[:k])
    return [
        (s.response_time_s[index], s.response[index])
        for s in result.evidence.sensors.values()
        if s.contact == kind and index < len(s.response)
    ]
