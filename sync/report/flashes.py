"""Flashes: when each was sent and detected, and the frames around it."""

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
    texts = [_counts(n_sent, n_seen, n_paired if accepted else None)]
    if accepted and math.isfinite(evidence.readout_s):
        texts.append(
            "The partly lit frames measure the rolling shutter: the camera reads its rows out in "
            f"{abs(evidence.readout_s) * 1e3:.1f} ms and exposes each for {evidence.exposure_s * 1e3:.1f} ms. This "
            "gives each onset to a fraction of a frame."
        )
    events = tuple(_events(result, thumbnails))
    return Section(
        title="Flashes",
        texts=tuple(texts),
        image=figures.brightness_figure(
            evidence.frame_time_s, evidence.brightness, evidence.flash_host_s, evidence.flash_detected_s
        ),
        alt="Mean brightness of the picture over time, with the flashes sent and the onsets detected",
        events=events,
        table=_table(result) if accepted and n_sent else None,
        note=_note(len(thumbnails.flashes.pairs), n_paired) if events else "",
    )


def _counts(n_sent: int, n_seen: int, n_paired: int | None) -> str:
    """Return in words how many flashes were sent, detected and matched; ``n_paired`` is None where none is certain."""
    if n_paired is None:
        return (
            f"{n_sent} flashes were sent and {n_seen} were detected in the video, but they could not be matched with "
            "certainty. The detected lights are shown below."
        )
    if n_sent == n_seen == n_paired:
        return f"{n_sent} flashes were sent: all {n_sent} matched." if n_sent > 1 else "1 flash was sent and matched."
    return (
        f"{n_sent} flashes were sent and {n_seen} were detected in the video: {n_paired} matched, "
        f"{n_sent - n_paired} sent but not detected, {n_seen - n_paired} detected but not sent."
    )


def _note(n_shown: int, n_paired: int) -> str:
    shown = ""
    if 0 < n_shown < n_paired:
        shown = f"Of {n_paired} paired flashes, {n_shown} are shown: the first, the last and the largest residuals. "
    return (
        f"{shown}Numbers are frames. The striped picture shows how brightly each band of rows was lit in each frame: "
        "black is unlit, white fully lit, blue unknown. In the onset's frame, the bands read after it are lit."
    )


def _events(result: SyncResult, thumbnails: Thumbnails) -> list[Event]:
    evidence, chosen = result.evidence, thumbnails.flashes
    events = []
    for row in chosen.pairs:
        sent, seen = (int(i) for i in evidence.flash_pairs[row])
        text = (
            f"sent {evidence.flash_host_s[sent]:.3f} s, detected {_seen_s(result, row):.3f} s, residual "
            f"{milliseconds(float(result.streams['video'].residual_s[row]), signed=True)} ms"
        )
        events.append(Event(title=f"Flash {sent + 1}", text=text, pictures=_strip(result, thumbnails, seen)))
    for sent in chosen.missed:
        at_s = float(evidence.flash_host_s[sent])
        pictures = _frames(result, thumbnails, frame_at(result, at_s))
        events.append(Event(title=f"✖ Flash {sent + 1}", text=f"sent {at_s:.3f} s, not detected", pictures=pictures))
    for seen in chosen.false:
        text = f"detected {evidence.flash_detected_s[seen]:.3f} s, matches no flash that was sent"
        events.append(Event(title=f"✖ Light {seen + 1}", text=text, pictures=_strip(result, thumbnails, seen)))
    return events


def _seen_s(result: SyncResult, row: int) -> float:
    """Return the most likely onset of a matched flash: its time sent minus its residual."""
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
        seen = ("not detected", "-", "-")
        if row is not None:
            residual = milliseconds(float(result.streams["video"].residual_s[row]), signed=True)
            frame = str(int(evidence.flash_detected_frame[evidence.flash_pairs[row, 1]]))
            seen = (f"{_seen_s(result, row):.4f}", residual, frame)
        rows.append((f"flash {sent + 1}", f"{evidence.flash_host_s[sent]:.4f}", *seen))
    left_out = f", the first and last {half} of {n}" if n > _MOST_ROWS else ""
    return Table(
        head=("flash", "sent (s)", "detected (s)", "residual (ms)", "first lit frame"), rows=tuple(rows),
        summary=f"All flashes in numbers{left_out}",
    )  # fmt: skip
