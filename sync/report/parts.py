"""What a section of the report is made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumbnail:
    """One frame of the video and what it shows."""

    image: str
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A small table: the first column is text, the others numbers."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One section of the report."""

    title: str
    texts: tuple[str, ...] = ()
    image: str = ""
    alt: str = ""
    frames: tuple[Thumbnail, ...] = ()
    table: Table | None = None
    note: str = ""
