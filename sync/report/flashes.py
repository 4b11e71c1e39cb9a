"""The flashes: when each was sent and seen, and what the picture showed then."""

from __future__ import annotations

import math

import numpy as np

from dataset.support.arrays import FloatArray
from sync.report import figures
from sync.report.section import Event, Section, Table, Thumbnail, milliseconds
from sync.report.thumbnails import ABOUT_FLASH, Thumbnails, frame_at, pairs_count
from sync.result import SyncResult

_STRIP_PX = 120
_MOST_ROWS = 60
_FRAME_NAME = {-1: "before", 0: "onset", 1: "after"}


def flashes_section(result: SyncResult, thumbnails: Thumbnails) -> Section | None:
    """Return the section on flashes; None where there is no video."""
    evidence = result.evidence
    if not len(evidence.frame_time_s):
        return None
    n_sent, n_seen = len(evidence.flash_host_s), len(evidence.flash_detected_s)
    accepted = pairs_count(result)
    n_paired = len(evidence.flash_pairs) if accepted else 0
    told = (
        f"{n_paired} were paired: {n_sent - n_paired} sent ones were not seen, {n_seen - n_paired} seen ones not sent."
    )
    refused = "none was paired with certainty. What was taken for a flash is shown below."
    texts = [f"{n_sent} flashes were sent, {n_seen} were seen in the picture; {told if accepted else refused}"]
    if accepted and math.isfinite(evidence.readout_s):
        texts.append(
            "The partly lit frames tell the camera's shutter: it reads its rows in "
            f"{abs(evidence.readout_s) * 1e3:.1f} ms and exposes each for {evidence.exposure_s * 1e3:.1f} ms. That is "
            "how an onset is known to a part of a frame."
        )
    events = tuple(_events(result, thumbnails))
    return Section(
        title="Flashes",
        texts=tuple(texts),
        image=figures.brightness_figure(
            evidence.frame_time_s, evidence.brightness, evidence.flash_host_s, evidence.flash_detected_s
        ),
        alt="Mean brightness of the picture over time, with the flashes sent and the onsets seen",
        events=events,
        table=_table(result) if accepted and n_sent else None,
        note=_note(len(thumbnails.flashes.pairs), n_paired) if events else "",
    )


def _note(n_shown: int, n_paired: int) -> str:
    shown = ""
    if 0 < n_shown < n_paired:
        shown = f"Of {n_paired} paired flashes, {n_shown} are pictured: the first, the last and the largest residuals. "
    return (
        f"{shown}Numbers are frames. Striped picture: how far each band of rows was lit, frame by frame; black is "
        "unlit, white fully lit, blue where the flash does not show. In the onset's frame, bands read after it are lit."
    )


def _events(result: SyncResult, thumbnails: Thumbnails) -> list[Event]:
    evidence, chosen = result.evidence, thumbnails.flashes
    events = []
    for row in chosen.pairs:
        sent, seen = (int(i) for i in evidence.flash_pairs[row])
        text = (
            f"sent {evidence.flash_host_s[sent]:.3f} s, seen {_seen_s(result, row):.3f} s, residual "
            f"{milliseconds(float(result.streams['video'].residual_s[row]), signed=True)} ms"
        )
        events.append(Event(title=f"Flash {sent + 1}", text=text, pictures=_strip(result, thumbnails, seen)))
    for sent in chosen.missed:
        at_s = float(evidence.flash_host_s[sent])
        pictures = _frames(result, thumbnails, frame_at(result, at_s))
        events.append(Event(title=f"✖ Flash {sent + 1}", text=f"sent {at_s:.3f} s, not seen", pictures=pictures))
    for seen in chosen.false:
        text = f"seen {evidence.flash_detected_s[seen]:.3f} s, paired with no flash that was sent"
        events.append(Event(title=f"✖ Light {seen + 1}", text=text, pictures=_strip(result, thumbnails, seen)))
    return events


def _seen_s(result: SyncResult, row: int) -> float:
    """Return the most likely onset of a paired flash: what it was sent at less its residual."""
    return float(
        result.evidence.flash_host_s[result.evidence.flash_pairs[row, 0]] - result.streams["video"].residual_s[row]
    )


def _strip(result: SyncResult, thumbnails: Thumbnails, seen: int) -> tuple[Thumbnail, ...]:
    evidence = result.evidence
    frames = _frames(result, thumbnails, int(evidence.flash_detected_frame[seen]))
    if seen >= len(evidence.flash_lit):
        return frames
    lit: FloatArray = evidence.flash_lit[seen]
    if not np.isfinite(lit).any():
        return frames
    return (*frames, Thumbnail(image=figures.lit_uri(lit, height_px=_STRIP_PX), caption="rows lit"))


def _frames(result: SyncResult, thumbnails: Thumbnails, frame: int) -> tuple[Thumbnail, ...]:
    return tuple(
        Thumbnail(
            image=figures.frame_uri(thumbnails.images[frame + step], height_px=_STRIP_PX),
            caption=f"{_FRAME_NAME[step]}, {frame + step}",
        )
        for step in ABOUT_FLASH
        if frame + step in thumbnails.images
    )


def _table(result: SyncResult) -> Table:
    evidence = result.evidence
    row_of = {int(sent): row for row, (sent, _) in enumerate(evidence.flash_pairs)}
    n = len(evidence.flash_host_s)
    half = _MOST_ROWS // 2
    listed = range(n) if n <= _MOST_ROWS else [*range(half), *range(n - half, n)]
    rows = []
    for sent in listed:
        row = row_of.get(sent)
        seen = ("not seen", "-", "-")
        if row is not None:
            residual = milliseconds(float(result.streams["video"].residual_s[row]), signed=True)
            frame = str(int(evidence.flash_detected_frame[evidence.flash_pairs[row, 1]]))
            seen = (f"{_seen_s(result, row):.4f}", residual, frame)
        rows.append((f"flash {sent + 1}", f"{evidence.flash_host_s[sent]:.4f}", *seen))
    left_out = f", the first and last {half} of {n}" if n > _MOST_ROWS else ""
    return Table(
        head=("flash", "sent (s)", "seen (s)", "residual (ms)", "first lit frame"), rows=tuple(rows),
        summary=f"Every flash in numbers{left_out}",
    )  # fmt: skip
