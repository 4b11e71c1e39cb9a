"""NWB files by pynwb: sEMG as received and on the grid, events as an EventsTable, keypoints by ndx-pose."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import numpy as np
from ndx_pose import PoseEstimation, PoseEstimationSeries, Skeleton, Skeletons
from pynwb import NWBHDF5IO, NWBFile, TimeSeries
from pynwb.event import DurationVectorData, EventsTable
from pynwb.file import Subject

from dataset.exporters.options import ExportOptions, Grid, file_stems, grid_of
from dataset.session.file import group_name
from dataset.session.types import Session, provenance_lines

_SEX = {"f": "F", "female": "F", "m": "M", "male": "M"}


def export(sessions: list[Session], folder: Path, options: ExportOptions) -> None:
    """Write ``<session>.nwb``; time 0 is the session's zero."""
    for session, stem in zip(sessions, file_stems(sessions), strict=True):
        file = _file_of(session)
        _add_emg(file, session)
        grid = grid_of(session)
        if len(grid.emg):
            _add_grid(file, session, grid, options)
        _add_events(file, session)
        with NWBHDF5IO(str(folder / f"{stem}.nwb"), "w") as io:
            io.write(file)


def _file_of(session: Session) -> NWBFile:
    info = session.subject_info
    age = info.get("age_years")
    sync = {name: {"verdict": s.verdict, "offset_s": s.offset_s, "rate_ppm": s.rate_ppm,
                   "error_ci95_s": s.error_ci95_s, "reason": s.reason} for name, s in session.sync.items()}  # fmt: skip
    return NWBFile(
        session_description=f"Surface EMG and motion on one clock. Alignment: {session.verdict}, "
        f"{session.verdict_reason}. {info.get('notes', '')}".strip(),
        identifier=session.session_uuid,
        session_start_time=_start_of(session),
        session_id=session.name.replace("/", "-"),
        keywords=["electromyography", "human motion"],
        notes="How the streams are in step: " + json.dumps(sync),
        data_collection="\n".join(provenance_lines(session.provenance)),
        subject=Subject(
            subject_id=session.subject,
            species="Homo sapiens",
            sex=_SEX.get(str(info.get("sex", "")).lower(), "U"),
            age=f"P{float(age):g}Y"
            if age is not None and str(age).replace(".", "", 1).isdigit()
            else "P0D/",  # unknown
            description=str(info.get("notes", "")) or None,
        ),
    )


def _start_of(session: Session) -> datetime.datetime:
    start = datetime.datetime.fromisoformat(session.created_utc)
    return start if start.tzinfo else start.replace(tzinfo=datetime.UTC)


def _add_emg(file: NWBFile, session: Session) -> None:
    channels = session.channels
    for c, name in enumerate(channels.name):
        stream = session.emg.get(name)
        if stream is None or not len(stream.value):
            continue
        file.add_acquisition(
            TimeSeries(
                name=f"EMG_{_plain(name)}",
                data=stream.value,
                unit=channels.unit[c] or "unknown",
                timestamps=stream.time_s,
                description=f"sEMG as received. Channel {name}; muscle {channels.muscle[c]}; side {channels.side[c]}; "
                f"placement {channels.placement[c] or 'not stated'}; sensor {channels.profile[c]}.",
            )
        )


def _add_grid(file: NWBFile, session: Session, grid: Grid, options: ExportOptions) -> None:
    module = file.create_processing_module("behavior", "sEMG and keypoints on the common grid")
    for c, name in enumerate(session.channels.name):
        if not np.isfinite(grid.emg[:, c]).any():
            continue
        module.add(
            TimeSeries(
                name=f"aligned_{_plain(name)}", data=grid.emg[:, c], unit=session.channels.unit[c] or "unknown",
                starting_time=grid.start_s, rate=grid.rate_hz,
                description=f"sEMG of {name} on the common grid; NaN in gaps.",
            )
        )  # fmt: skip
    joints = options.joints
    for name, values, unit, what in (
        ("Keypoints3D", grid.keypoints_3d, "meters", "metres, y down"),
        ("Keypoints2D", grid.keypoints_2d, "pixels", "pixels of the picture, x right, y down"),
    ):
        if values is None:
            continue
        series = [
            PoseEstimationSeries(
                name=joint, data=values[:, j], unit=unit, reference_frame=what, starting_time=grid.start_s,
                rate=grid.rate_hz, confidence=np.isfinite(values[:, j]).all(axis=1).astype(np.float64),
                confidence_definition="1 where the keypoint was found, else 0",
                description=f"BODY_25 keypoint {joint}.",
            )
            for joint, j in joints.items()
        ]  # fmt: skip
        skeleton = Skeleton(name=f"BODY_25_{name}", nodes=list(joints))
        if "Skeletons" in module.data_interfaces:
            module["Skeletons"].add_skeletons(skeleton)
        else:
            module.add(Skeletons(skeletons=[skeleton]))
        module.add(
            PoseEstimation(
                name=name, pose_estimation_series=series, skeleton=skeleton, scorer="muscles-in-action",
                description=f"Keypoints on the common grid, {what}.",
                source_software=session.pose.backend if session.pose else "unknown",
            )
        )  # fmt: skip


def _add_events(file: NWBFile, session: Session) -> None:
    rows = [
        (float(t), np.nan, kind, label, source, float(u))
        for t, u, kind, label, source in zip(
            session.events.time_s, session.events.uncertainty_s, session.events.kind,
            session.events.label, session.events.source, strict=True,
        )
    ]  # fmt: skip
    exercises = zip(session.exercises.name, session.exercises.start_s, session.exercises.stop_s, strict=True)
    rows += [(float(a), float(b - a), "exercise", name, "", np.nan) for name, a, b in exercises]
    if not rows:
        return
    table = EventsTable(name="events", description="Events and exercises of the session")
    table.add_column(
        name="duration", description="Duration in seconds; NaN without one", data=[], col_cls=DurationVectorData
    )
    for name, text in (("kind", "Kind of event"), ("label", "Label"), ("source", "Source of the event")):
        table.add_column(name=name, description=text, data=[])
    table.add_column(name="uncertainty_s", description="Half-width of the 95 % interval of the time", data=[])
    for t, duration, kind, label, source, uncertainty in sorted(rows, key=lambda row: row[0]):
        table.add_row(timestamp=t, duration=duration, kind=kind, label=label, source=source, uncertainty_s=uncertainty)
    file.add_events_table(table)


def _plain(name: str) -> str:
    return group_name(name).replace(":", "-")
