"""A BIDS data set: BIDS-EMG (1.11) as BDF+ by edfio, motion-BIDS for keypoints, and every sidecar."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import pandas as pd

from dataset.exporters.edf import annotations_of, recording_of, unit_of
from dataset.exporters.edf_signals import gaps_of, label_of, physical_range, without_gaps
from dataset.exporters.options import ExportOptions, Grid, grid_of
from dataset.session.types import Session
from dataset.support.errors import InputError
from dataset.support.version import software

BIDS_VERSION = "1.11.0"
TASK = "exercises"
#: Units that BIDS knows; others are "n/a" in channels.tsv, and stated in the description.
_UNITS = {"v": "V", "mv": "mV", "uv": "uV", "µv": "uV"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """A session's place: subject, visit and number of the run."""

    subject: str
    visit: str
    run: int

    @property
    def folder(self) -> Path:
        return Path(f"sub-{self.subject}", *([f"ses-{self.visit}"] if self.visit else []))

    @property
    def coordinates(self) -> str:
        return "_".join([*self.folder.parts, "coordsystem.json"])

    def name(self, suffix: str, *, tracking: bool = False) -> str:
        visit = f"_ses-{self.visit}" if self.visit else ""
        system = "_tracksys-video" if tracking else ""
        return f"sub-{self.subject}{visit}_task-{TASK}{system}_run-{self.run}_{suffix}"


def export(sessions: list[Session], folder: Path, options: ExportOptions) -> None:
    """Write all sessions into one data set; sessions of one subject and visit are its runs."""
    _json(folder / "dataset_description.json", {
        "Name": "Surface EMG and motion on one clock", "BIDSVersion": BIDS_VERSION, "DatasetType": "raw",
        "License": "n/a", "Authors": ["n/a"],
        "GeneratedBy": [{"Name": "muscles-in-action", "Version": software().rpartition(" ")[2]}],
    })  # fmt: skip
    virtual = "\nSome sessions are virtual data, not a person's.\n" if any(s.is_virtual for s in sessions) else ""
    (folder / "README").write_text(_README + virtual, encoding="utf-8")
    (folder / ".bidsignore").write_text("\n", encoding="utf-8")
    _participants(sessions, folder)
    taken: list[tuple[str, str]] = []
    for session in sessions:
        found = re.search(r"_ses-([A-Za-z0-9]+)$", session.name)
        place = (session.subject, found[1] if found else "")
        taken.append(place)
        run = _Run(subject=place[0], visit=place[1], run=taken.count(place))
        grid = grid_of(session)
        if not len(grid.emg):
            raise InputError(f"{session.name} has no aligned rows", "a BDF file needs at least one", "leave it out")
        _emg(session, grid, run, folder / run.folder / "emg")
        if options.joints and (grid.keypoints_3d is not None or grid.keypoints_2d is not None):
            _motion(grid, run, folder / run.folder / "motion", options)


_GRID = "Level on an even grid: cubic within runs without a gap; sensors faster than the grid were enveloped first"

_README = """Surface EMG and keypoints of the body on one clock, exported by muscles-in-action.

emg/ holds the sEMG on the session's common grid (BDF+, 24 bit). A gap is 0 there, and a row "gap" in events.tsv with
its channel. motion/ holds the keypoints at the same times: row k of both begins at the same instant. emg.json states
under "Synchronisation" how each stream was put on the clock, with the 95 % half-width of its error and its verdict.
"""


def _participants(sessions: list[Session], folder: Path) -> None:
    rows: dict[str, dict[str, object]] = {}
    for session in sessions:
        info = session.subject_info
        rows.setdefault(
            session.subject,
            {
                "participant_id": f"sub-{session.subject}",
                "age": info.get("age_years", "n/a"),
                "sex": str(info.get("sex", "n/a")) or "n/a",
                "height": info.get("height_m", "n/a"),
                "weight": info.get("mass_kg", "n/a"),
            },
        )
    _tsv(folder / "participants.tsv", pd.DataFrame(list(rows.values())))
    _json(folder / "participants.json", {
        "age": {"Description": "Age", "Units": "year"}, "sex": {"Description": "Sex as stated"},
        "height": {"Description": "Height", "Units": "m"}, "weight": {"Description": "Mass", "Units": "kg"},
    })  # fmt: skip


def _emg(session: Session, grid: Grid, run: _Run, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    channels = session.channels
    labels = [label_of(name, c) for c, name in enumerate(channels.name)]
    signals = [
        edfio.BdfSignal(
            without_gaps(grid.emg[:, c]), grid.rate_hz, label=labels[c],
            physical_dimension=unit_of(channels.unit[c]), physical_range=physical_range(grid.emg[:, c]),
        )
        for c in range(len(labels))
    ]  # fmt: skip
    edfio.Bdf(
        signals, patient=edfio.Patient(code=session.subject), recording=recording_of(session),
        data_record_duration=1.0 / grid.rate_hz, annotations=annotations_of(session, grid),
    ).write(folder / run.name("emg.bdf"))  # fmt: skip
    _json(folder / run.name("emg.json"), {
        "TaskName": TASK, "TaskDescription": "Exercises; see events.tsv",
        "EMGPlacementScheme": "Other",
        "EMGPlacementSchemeDescription": "As stated in placement_description of channels.tsv, or unknown",
        "EMGReference": "not stated by the recording", "SamplingFrequency": grid.rate_hz,
        "PowerLineFrequency": "n/a", "RecordingType": "continuous", "SoftwareFilters": {"Grid": {"Method": _GRID}},
        "RecordingDuration": len(grid.emg) / grid.rate_hz, "EMGChannelCount": len(labels),
        "Synchronisation": {
            "Verdict": session.verdict, "Reason": session.verdict_reason,
            "Map": "session_s = (1 + rate_ppm * 1e-6) * stream_s + offset_s", "StartInSession_s": grid.start_s,
            "Streams": {name: {k: _number(getattr(s, k)) for k in _SYNC} for name, s in session.sync.items()},
        },
        "Virtual": session.is_virtual,
    })  # fmt: skip
    units = [_UNITS.get(unit.lower(), "n/a") for unit in channels.unit]
    _tsv(folder / run.name("channels.tsv"), pd.DataFrame({
        "name": labels, "type": "EMG", "units": units,
        "signal_electrode": [f"E{c + 1}" for c in range(len(labels))], "reference": "n/a",
        "target_muscle": [f"{s} {m}".strip() or "n/a" for s, m in zip(channels.side, channels.muscle, strict=True)],
        "placement_description": [text or "not stated" for text in channels.placement],
        "sampling_frequency": grid.rate_hz,
        "description": [f"{n}, in {u}" for n, u in zip(channels.name, channels.unit, strict=True)],
    }))  # fmt: skip
    _tsv(folder / run.name("electrodes.tsv"), pd.DataFrame({
        "name": [f"E{c + 1}" for c in range(len(labels))], "x": "n/a", "y": "n/a", "z": "n/a",
        "type": [text or "n/a" for text in channels.electrode],
        "placement_description": [text or "not stated" for text in channels.placement],
    }))  # fmt: skip
    _json(folder / run.name("electrodes.json"), {
        "placement_description": {"Description": "Where the electrode was placed, as stated"},
    })  # fmt: skip
    _json(folder / run.coordinates, {
        "EMGCoordinateSystem": "Other", "EMGCoordinateUnits": "mm",
        "EMGCoordinateSystemDescription": "Coordinates were not measured; placements are stated in words",
    })  # fmt: skip
    events: list[tuple[Any, ...]] = [(a, length, "gap", name) for a, length, name in gaps_of(session, grid)]
    exercises = zip(session.exercises.name, session.exercises.start_s, session.exercises.stop_s, strict=True)
    events += [(a - grid.start_s, b - a, f"exercise {name}", "n/a") for name, a, b in exercises]
    marks = zip(session.events.time_s, session.events.kind, session.events.label, strict=True)
    events += [(t - grid.start_s, "n/a", f"{kind} {label}".strip(), "n/a") for t, kind, label in marks]
    events.sort(key=lambda row: row[0])
    _tsv(folder / run.name("events.tsv"), pd.DataFrame(events, columns=["onset", "duration", "trial_type", "channel"]))
    _json(folder / run.name("events.json"), {
        "trial_type": {"Description": "Kind and label of the event; `gap`: no sEMG of the channel, 0 in the file"},
        "channel": {"Description": "Channel of a gap"},
    })  # fmt: skip


_SYNC = ("method", "verdict", "reason", "offset_s", "rate_ppm", "offset_ci95_s", "rate_ci95_ppm", "error_ci95_s")


def _motion(grid: Grid, run: _Run, folder: Path, options: ExportOptions) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    columns: list[Any] = []
    rows: list[tuple[str, str, str, str, str]] = []
    for values, axes, unit, kind in ((grid.keypoints_3d, "xyz", "m", "3D"), (grid.keypoints_2d, "xy", "px", "2D")):
        if values is None:
            continue
        for joint, j in options.joints.items():
            for a, axis in enumerate(axes):
                columns.append(values[:, j, a])
                rows.append((f"{joint}_{kind}_{axis}", axis, "POS", joint, unit))
    table = pd.DataFrame(np.stack(columns, axis=1))
    table.to_csv(folder / run.name("motion.tsv", tracking=True), sep="\t", header=False, index=False, na_rep="n/a")
    _tsv(folder / run.name("channels.tsv", tracking=True),
         pd.DataFrame(rows, columns=["name", "component", "type", "tracked_point", "units"]))  # fmt: skip
    _json(folder / run.name("motion.json", tracking=True), {
        "TaskName": TASK, "SamplingFrequency": grid.rate_hz, "MotionChannelCount": len(rows),
        "POSChannelCount": len(rows), "TrackedPointsCount": len(options.joints),
        "TrackingSystemName": "video", "Description": "BODY_25 keypoints, y down",
    })  # fmt: skip


def _number(value: object) -> object:
    return "n/a" if isinstance(value, float) and not np.isfinite(value) else value


def _json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _tsv(path: Path, table: pd.DataFrame) -> None:
    table.to_csv(path, sep="\t", index=False, na_rep="n/a", encoding="utf-8", lineterminator="\n")
