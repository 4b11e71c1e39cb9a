"""EDF+ files (16 bit) of the aligned grid by edfio; gaps, events and exercises are annotations."""

from __future__ import annotations

import datetime
from pathlib import Path

import edfio

from dataset.exporters.edf_signals import gaps_of, label_of, physical_range, without_gaps
from dataset.exporters.options import ExportOptions, Grid, file_stems, grid_of
from dataset.session.types import Session
from dataset.support.errors import InputError


def export(sessions: list[Session], folder: Path, options: ExportOptions) -> None:
    """Write ``<session>.edf``: the sEMG on the grid; keypoints do not belong into EDF."""
    for session, stem in zip(sessions, file_stems(sessions), strict=True):
        grid = grid_of(session)
        if not len(grid.emg):
            raise InputError(f"{stem} has no aligned rows", "an EDF file needs at least one", "use csv or nwb")
        signals = [
            edfio.EdfSignal(
                without_gaps(grid.emg[:, c]),
                grid.rate_hz,
                label=label_of(name, c),
                physical_dimension=unit_of(session.channels.unit[c]),
                physical_range=physical_range(grid.emg[:, c]),
            )
            for c, name in enumerate(session.channels.name)
        ]
        edfio.Edf(
            signals,
            patient=edfio.Patient(code=session.subject),
            recording=recording_of(session),
            data_record_duration=1.0 / grid.rate_hz,
            annotations=annotations_of(session, grid),
        ).write(folder / f"{stem}.edf")


def unit_of(unit: str) -> str:
    """Return a unit of at most 8 ASCII characters."""
    return unit.replace("µ", "u").encode("ascii", "replace").decode()[:8]


def recording_of(session: Session) -> edfio.Recording:
    """Return the header's recording field with the date, if it is one that EDF can hold."""
    date = datetime.datetime.fromisoformat(session.created_utc).date()
    return edfio.Recording(startdate=date if 1985 <= date.year < 2085 else None)


def annotations_of(session: Session, grid: Grid) -> list[edfio.EdfAnnotation]:
    """Return gaps, exercises and events on the file's time, which begins at the grid's first row."""
    found = [edfio.EdfAnnotation(start, length, f"gap {name}") for start, length, name in gaps_of(session, grid)]
    rows = zip(session.exercises.name, session.exercises.start_s, session.exercises.stop_s, strict=True)
    found += [edfio.EdfAnnotation(a - grid.start_s, b - a, f"exercise {name}") for name, a, b in rows]
    events = zip(session.events.time_s, session.events.kind, session.events.label, strict=True)
    found += [edfio.EdfAnnotation(t - grid.start_s, None, f"{kind} {label}".strip()) for t, kind, label in events]
    return sorted(found, key=lambda one: one.onset)
