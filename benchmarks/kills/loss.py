"""Loss of one killed recording: its recovered capture compared with the virtual rig's log of what it sent."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from acquire.maintenance.recover import Recovered, recover, verify
from acquire.virtual.devices.sent import read_sent
from dataset.capture.reader import Capture
from dataset.capture.schema import DATABASE, MANIFEST
from dataset.support.arrays import IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Losses of one kill.

    Attributes
    ----------
    recorded_s : float
        Time from the first stored value to the kill.
    sensors_s : tuple of float
        For each sensor, the time from its first value that was sent but not stored to the kill; 0 if none is missing.
    picture_s, frame_rows_s : float or None
        The same for frames that can be decoded and for rows of the ``frame`` table; None before the first frame.
    holes : int
        Values missing anywhere except at the end.
    events_lost : int
        Missing prompts that were given more than half a second before the kill.
    integrity : str
        Result of SQLite's integrity check, ``ok`` if the database is intact.
    closed : bool
        Whether the kill came after the recording was closed.
    mismatches : int
        Files that differ from the manifest after recovery.
    """

    recorded_s: float
    sensors_s: tuple[float, ...]
    picture_s: float | None
    frame_rows_s: float | None
    holes: int
    events_lost: int
    integrity: str
    closed: bool
    mismatches: int


def measure_loss(folder: Path, sent: Path, began_ns: int, killed_ns: int) -> Loss:
    """Recover ``folder`` and compare it with what was sent from ``began_ns`` until ``killed_ns``.

    If the recording was ended before the kill, ``killed_ns`` is that time: later data do not count as lost.
    """
    with contextlib.closing(sqlite3.connect(folder / DATABASE)) as db:
        (integrity,) = db.execute("PRAGMA integrity_check").fetchone()
    closed = (folder / MANIFEST).is_file()
    recovered: Recovered = recover(folder)
    values, frames_sent, prompts = _read(sent, began_ns, killed_ns)
    sensors_s, holes, first_ns = [], 0, killed_ns
    with Capture.open(folder) as capture:
        for sensor in capture.sensors:
            arrival = capture.notifications(sensor.slot).arrival_ns
            lost_s, n_holes = _tail(arrival, values.get(sensor.slot, np.zeros(0, dtype=np.int64)), killed_ns)
            sensors_s.append(lost_s)
            holes += n_holes
            if len(arrival):
                first_ns = min(first_ns, int(arrival[0]))
        frames = capture.frames()
        events = {e.t_ns for e in capture.events() if e.source == "schedule"}
    rows_s = picture_s = None
    if len(frames.arrival_ns):
        rows_s = _after(frames_sent, int(frames.arrival_ns[-1]), killed_ns)
        picture_s = _after(frames_sent, int(frames.arrival_ns[0]) + _last_picture_ns(folder), killed_ns)
    lost_events = [t for kind, t in prompts if t < killed_ns - 500_000_000 and kind != "flash"]
    return Loss(
        recorded_s=(killed_ns - first_ns) * 1e-9,
        sensors_s=tuple(sensors_s),
        picture_s=picture_s,
        frame_rows_s=rows_s,
        holes=holes,
        events_lost=sum(t not in events for t in lost_events),
        integrity=str(integrity),
        closed=closed or recovered.was_closed,
        mismatches=len(verify(folder)),
    )


def _read(sent: Path, began_ns: int, killed_ns: int) -> tuple[dict[int, IntArray], IntArray, list[tuple[str, int]]]:
    values: dict[int, list[int]] = {}
    prompts: list[tuple[str, int]] = []
    for what, which, at in read_sent(sent / "sensors"):
        if not began_ns <= int(at) <= killed_ns:
            continue
        if what == "value":
            values.setdefault(int(which), []).append(int(at))
        else:
            prompts.append((which, int(at)))
    frames = np.array(
        [int(at) for _, at in read_sent(sent / "camera") if began_ns <= int(at) <= killed_ns], dtype=np.int64
    )
    return {slot: np.array(times, dtype=np.int64) for slot, times in values.items()}, frames, prompts


def _tail(arrival: IntArray, sent: IntArray, killed_ns: int) -> tuple[float, int]:
    """Return the loss at the end in seconds, and how many values are missing before that."""
    if len(arrival) == 0 or len(sent) == 0:
        return (killed_ns - int(sent[0])) * 1e-9 if len(sent) else 0.0, 0
    # Values arrive after they are sent; on a busy machine the delay may exceed half the interval between values.
    first = max(0, int(np.searchsorted(sent, arrival[0], side="right")) - 1)
    last = max(0, int(np.searchsorted(sent, arrival[-1], side="right")) - 1)
    holes = max(0, last - first + 1 - len(arrival))
    return ((killed_ns - int(sent[last + 1])) * 1e-9 if last + 1 < len(sent) else 0.0), holes


def _after(sent: IntArray, last_kept_ns: int, killed_ns: int) -> float:
    """Return the seconds from the first frame sent after the last kept one to the kill."""
    later = sent[sent > last_kept_ns + 15_000_000]  # logged when sent, stamped on arrival; frames are 33 ms apart
    return (killed_ns - int(later[0])) * 1e-9 if len(later) else 0.0


def _last_picture_ns(folder: Path) -> int:
    """Return the PTS of the last frame that decodes; if none does, one frame before the first."""
    last_ns = -33_000_000
    with contextlib.suppress(av.error.FFmpegError), av.open(str(folder / "video.mkv")) as video:
        for frame in video.decode(video=0):
            if frame.time is not None:
                last_ns = round(frame.time * 1e9)
    return last_ns
