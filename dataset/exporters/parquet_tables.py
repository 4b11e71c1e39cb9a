"""Parquet tables of sessions, one folder a session; unit and description are metadata of each column."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dataset.exporters.options import ExportOptions, file_stems
from dataset.exporters.tables import tables_of
from dataset.session.types import Session


def export(sessions: list[Session], folder: Path, options: ExportOptions) -> None:
    """Write ``<session>/{aligned,emg,events,exercises,channels,sync,dictionary}.parquet``; null means no value."""
    for session, stem in zip(sessions, file_stems(sessions), strict=True):
        (folder / stem).mkdir()
        made = tables_of(session, options)
        said = {(row.table, row.column): row for row in made.dictionary.itertuples()}
        for name, table in {**made.tables, "dictionary": made.dictionary}.items():
            plain = pa.Table.from_pandas(table, preserve_index=False)
            for i, field in enumerate(plain.schema):
                row = said.get((name, field.name))
                if row is not None:
                    field = field.with_metadata({"unit": str(row.unit), "description": str(row.description)})
                    plain = plain.cast(plain.schema.set(i, field))
            pq.write_table(plain, folder / stem / f"{name}.parquet")
