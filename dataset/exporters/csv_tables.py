"""CSV tables of sessions, UTF-8, one folder a session, with a data dictionary; numbers are written exactly."""

from __future__ import annotations

from pathlib import Path

from dataset.exporters.options import ExportOptions, file_stems
from dataset.exporters.tables import tables_of
from dataset.session.types import Session


def export(sessions: list[Session], folder: Path, options: ExportOptions) -> None:
    """Write ``<session>/{aligned,emg,events,exercises,channels,sync,dictionary}.csv``; blank means no value."""
    for session, stem in zip(sessions, file_stems(sessions), strict=True):
        (folder / stem).mkdir()
        made = tables_of(session, options)
        for name, table in {**made.tables, "dictionary": made.dictionary}.items():
            table.to_csv(folder / stem / f"{name}.csv", index=False, encoding="utf-8", lineterminator="\n")
