"""The tables of a session, and the dictionary of their columns: name, unit, meaning."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

from dataset.exporters.options import ExportOptions
from dataset.session.schema import SYNC_CONSTANTS
from dataset.session.types import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Tables by name, and one row for each of their columns."""

    tables: dict[str, pd.DataFrame]
    dictionary: pd.DataFrame


def tables_of(session: Session, options: ExportOptions) -> Tables:
    """Return ``aligned``, ``emg`` (values as received), ``events``, ``exercises``, ``channels`` and ``sync``."""
    meaning: list[tuple[str, str, str, str]] = []
    tables = {
        "aligned": _aligned(session, options, meaning),
        "emg": _emg(session, meaning),
        "events": _record(session.events),
        "exercises": _record(session.exercises),
        "channels": _record(session.channels),
        "sync": _sync(session),
    }
    described = {(table, column) for table, column, _, _ in meaning}
    for name, table in tables.items():
        for column in table.columns:
            if (name, column) not in described:
                unit = "s" if column.endswith("_s") else "ppm" if column.endswith("_ppm") else ""
                text = SYNC_CONSTANTS.get(column, _MEANINGS.get(column, column.replace("_", " ")))
                meaning.append((name, column, unit, text.replace("`", "")))
    order = list(tables)
    meaning.sort(key=lambda row: order.index(row[0]))
    return Tables(tables=tables, dictionary=pd.DataFrame(meaning, columns=["table", "column", "unit", "description"]))


_MEANINGS = {
    "side": "left or right, the subject's own",
    "unit": "Unit of the channel's values",
    "time_s": "Session time",
    "start_s": "Start in session time",
    "stop_s": "End in session time",
    "offset_s": "session_s = (1 + rate_ppm * 1e-6) * stream_s + offset_s",
    "rate_ppm": "session_s = (1 + rate_ppm * 1e-6) * stream_s + offset_s",
    "error_ci95_s": "Largest half-width of the 95 % interval over the session",
    "verdict": "PASS, WARNING or FAIL: how well the stream is in step",
}


def _aligned(session: Session, options: ExportOptions, meaning: list[tuple[str, str, str, str]]) -> pd.DataFrame:
    aligned = session.aligned
    columns: dict[str, object] = {"time_s": aligned.time_s}
    said: list[tuple[str, str, str]] = [("time_s", "s", "Session time of the row")]
    for c, (name, unit) in enumerate(zip(session.channels.name, session.channels.unit, strict=True)):
        columns[name] = np.where(aligned.emg_valid[:, c], aligned.emg[:, c], np.nan)
        said.append((name, unit, "sEMG; blank in gaps"))
    columns |= {"segment": aligned.segment, "exercise": list(aligned.exercise)}
    said += [("segment", "", "Number of the contiguous stretch"), ("exercise", "", "Exercise at that time, or blank")]
    if aligned.frame_index is not None:
        columns["frame_index"] = aligned.frame_index
        said.append(("frame_index", "", "Index of the nearest video frame; -1 if there is none"))
    for values, axes, unit, what in (
        (aligned.keypoints_2d, "xy", "px", "in the picture, y down"),
        (aligned.keypoints_3d, "xyz", "m", "in space, y down"),
    ):
        if values is None:
            continue
        for joint, j in options.joints.items():
            for a, axis in enumerate(axes):
                column = f"{joint}_{axis}_{unit}"
                columns[column] = values[:, j, a]
                said.append((column, unit, f"Keypoint {joint}, {axis} {what}; blank where not found"))
    if aligned.confidence is not None:
        for joint, j in options.joints.items():
            columns[f"{joint}_confidence"] = aligned.confidence[:, j]
            said.append((f"{joint}_confidence", "1", f"Confidence of keypoint {joint}, 0 to 1"))
    meaning += [("aligned", *one) for one in said]
    return pd.DataFrame(columns)


def _emg(session: Session, meaning: list[tuple[str, str, str, str]]) -> pd.DataFrame:
    units = sorted(set(session.channels.unit))
    meaning += [
        ("emg", "channel", "", "Channel"),
        ("emg", "time_s", "s", "Session time of the centre of the value's averaging interval"),
        ("emg", "value", units[0] if len(units) == 1 else "see channels", "Value as received"),
        ("emg", "arrival_s", "s", "Arrival on the host clock, in session seconds"),
    ]
    parts = [
        pd.DataFrame({"channel": name, "time_s": s.time_s, "value": s.value, "arrival_s": s.arrival_s})
        for name, s in session.emg.items()
    ]
    empty = pd.DataFrame({"channel": [], "time_s": [], "value": [], "arrival_s": []})
    return pd.concat(parts, ignore_index=True) if parts else empty


def _record(record: object) -> pd.DataFrame:
    return pd.DataFrame({f.name: list(getattr(record, f.name)) for f in fields(record)})  # type: ignore[arg-type]


def _sync(session: Session) -> pd.DataFrame:
    skipped = ("constants", "matches", "residual_s", "epochs")
    rows = [
        {
            "stream": name,
            **{f.name: getattr(sync, f.name) for f in fields(sync) if f.name not in skipped},
            **dict(sync.constants),
        }
        for name, sync in session.sync.items()
    ]
    return pd.DataFrame(rows) if rows else pd.DataFrame({"stream": []})
