"""Checks of a capture's database: plain STRICT tables, no view or trigger, each value of its column's type.

STRICT tables refuse values of a wrong type when they are written. A damaged or edited file may hold them all the same,
and a view or a trigger in place of a table runs whatever its author wrote.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dataset.capture import schema

_TYPES: dict[str, type] = {"INTEGER": int, "TEXT": str, "BLOB": bytes}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: its type, and whether it may be NULL."""

    name: str
    type: type
    nullable: bool

    def fault(self, value: Any) -> str:
        """Return what is wrong with a value; empty if nothing is."""
        if value is None:
            return "" if self.nullable else "is NULL"
        if type(value) is not self.type:
            return f"is of type {type(value).__name__}, not {self.type.__name__}"
        return ""


def _columns() -> dict[str, tuple[Column, ...]]:
    found = {}
    for table, inside in re.findall(r"CREATE TABLE (\w+)\((.*?)\) STRICT", schema.SQL, re.DOTALL):
        words = [column.split() for column in inside.split(",")]
        found[table] = tuple(
            Column(name, _TYPES[kind], nullable=not more) for name, kind, *more in words
        )  # PRIMARY KEY and NOT NULL: never NULL
    return found


COLUMNS = _columns()


def structure_fault(db: sqlite3.Connection) -> str:
    """Return what is not as :data:`schema.SQL` makes it; empty if nothing.

    Raises
    ------
    sqlite3.DatabaseError
        The file is damaged.
    """
    kinds = {name: kind for kind, name in db.execute("SELECT type, name FROM sqlite_master WHERE type != 'index'")}
    missing = [table for table in schema.TABLES if table not in kinds]
    if missing:
        return f"it lacks the table(s) {', '.join(missing)}"
    for name, kind in kinds.items():
        if kind != "table":
            return f"it holds the {kind} {str(name)[:40]!r}"
    plain = {name: strict for _, name, kind, _, _, strict in db.execute("PRAGMA main.table_list") if kind == "table"}
    for table in schema.TABLES:
        if not plain.get(table):
            return f"{table} is not a plain STRICT table"
        there = {row[1]: row for row in db.execute(f"PRAGMA main.table_xinfo({table})")}
        for column in COLUMNS[table]:
            row = there.get(column.name)
            if row is None:
                return f"the table {table} lacks the column {column.name}"
            if _TYPES.get(str(row[2]).upper()) is not column.type or row[6] != 0:
                return f"the column {column.name} of the table {table} is not as a recorder makes it"
    return ""


def checked_rows(table: str, names: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """Yield rows after checking the type of each value.

    Raises
    ------
    ValueError
        A value is of another type than its column.
    """
    by_name = {column.name: column for column in COLUMNS[table]}
    columns = [by_name[name] for name in names]
    for n, row in enumerate(rows):
        for column, value in zip(columns, row, strict=True):
            if type(value) is not column.type and (fault := column.fault(value)):
                raise ValueError(f"{column.name} in row {n} of the table {table} {fault}")
        yield row
