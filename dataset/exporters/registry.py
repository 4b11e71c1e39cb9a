"""Formats of export by name, and one function that writes sessions in any of them: whole, or not at all."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path

from dataset.exporters.options import Exporter, ExportFormat, ExportOptions, without_sound
from dataset.session.file import find_sessions, read_session
from dataset.support.errors import MissingDependencyError, OutputExistsError
from dataset.support.outputs import cannot_write

MODULES = {
    ExportFormat.CSV: "dataset.exporters.csv_tables",
    ExportFormat.PARQUET: "dataset.exporters.parquet_tables",
    ExportFormat.BIDS: "dataset.exporters.bids",
    ExportFormat.NWB: "dataset.exporters.nwb",
    ExportFormat.EDF: "dataset.exporters.edf",
    ExportFormat.C3D: "dataset.exporters.c3d",
}


def exporter_of(name: ExportFormat) -> Exporter:
    """Return the exporter of a format.

    Raises
    ------
    MissingDependencyError
        The library that writes the format is not installed.
    """
    try:
        exporter: Exporter = importlib.import_module(MODULES[name]).export
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"{error.name} is not installed",
            f"it writes {name} files",
            "pip install 'muscles-in-action[export]'",
        ) from error
    return exporter


def export_sessions(name: ExportFormat, paths: list[Path], out: Path, options: ExportOptions) -> list[Path]:
    """Write the sessions in ``paths`` to the new folder ``out``.

    Raises
    ------
    OutputExistsError
        ``out`` exists.

    Returns
    -------
    list of Path
        The files of the export.
    """
    if out.exists():
        raise OutputExistsError(f"{out} exists", "an export goes into a new folder", "choose another --out")
    export = exporter_of(name)
    sessions = [read_session(path) for path in find_sessions(paths)]
    if not options.sound:
        sessions = [without_sound(session) for session in sessions]
    part = out.with_name(out.name + ".part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        export(sessions, part, options)
        part.rename(out)
    except OSError as error:
        raise cannot_write(out.parent, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return sorted(path for path in out.rglob("*") if path.is_file())
