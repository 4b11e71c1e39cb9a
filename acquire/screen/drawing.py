"""Text drawn from dots: traces in braille, big words in half blocks. Pure functions."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

import numpy as np

#: Braille dots (Unicode block 2800) of a column with 0 to 4 dots lit from the bottom: left and right half of a cell.
_FILLED = (np.array([0x00, 0x40, 0x44, 0x46, 0x47]), np.array([0x00, 0x80, 0xA0, 0xB0, 0xB8]))

#: Letters five dots high, rows from the top, one binary number a row.
_FONT = {
    "A": "010 101 111 101 101", "B": "110 101 110 101 110", "C": "011 100 100 100 011", "D": "110 101 101 101 110",
    "E": "111 100 110 100 111", "F": "111 100 110 100 100", "G": "0111 1000 1011 1001 0111",
    "H": "101 101 111 101 101", "I": "1 1 1 1 1", "J": "001 001 001 101 010", "K": "1001 1010 1100 1010 1001",
    "L": "100 100 100 100 111", "M": "10001 11011 10101 10001 10001", "N": "1001 1101 1011 1001 1001",
    "O": "0110 1001 1001 1001 0110", "P": "110 101 110 100 100", "Q": "0110 1001 1001 1010 0101",
    "R": "110 101 110 101 101", "S": "011 100 010 001 110", "T": "111 010 010 010 010", "U": "101 101 101 101 111",
    "V": "101 101 101 101 010", "W": "10001 10001 10101 11011 10001", "X": "101 101 010 101 101",
    "Y": "101 101 010 010 010", "Z": "111 001 010 100 111",
    "0": "111 101 101 101 111", "1": "010 110 010 010 111", "2": "110 001 010 100 111", "3": "110 001 010 001 110",
    "4": "101 101 111 001 001", "5": "111 100 110 001 110", "6": "011 100 111 101 111", "7": "111 001 010 010 010",
    "8": "111 101 111 101 111", "9": "111 101 111 001 110", ".": "0 0 0 0 1", ":": "0 1 0 1 0", "-": "00 00 11 00 00",
    " ": "00 00 00 00 00", "'": "1 1 0 0 0", "/": "001 001 010 100 100",
}  # fmt: skip

#: Rows of text that big words take.
BIG_ROWS = 3


def big_text(text: str, width: int) -> list[str]:
    """Return ``text`` in letters of three rows, or one plain row in the middle where it does not fit.

    Parameters
    ----------
    text : str
    width : int
        Columns there are.
    """
    glyphs = [_FONT.get(letter, _FONT["-"]).split() for letter in text.upper()]
    rows = ["0".join(glyph[row] for glyph in glyphs) for row in range(5)]
    if not text or len(rows[0]) > width:
        return ["", text[:width], ""]
    rows.append("0" * len(rows[0]))
    return [
        "".join(" ▀▄█"[int(upper) + 2 * int(lower)] for upper, lower in zip(rows[top], rows[top + 1], strict=True))
        for top in (0, 2, 4)
    ]


def hint_lines(hint: str, width: int, *, indent: int) -> str:
    """Return a hint behind an arrow, wrapped so that none of it is cut."""
    lines = textwrap.wrap(hint, max(10, width - indent - 2), break_on_hyphens=False)
    return "\n".join(" " * indent + ("  " if n else "→ ") + line for n, line in enumerate(lines))


def braille_trace(values: Sequence[float | None], width: int, height: int, low: float, high: float) -> list[str]:
    """Return ``height`` rows of ``width`` characters: the newest values at the right, a filled curve.

    Parameters
    ----------
    values : sequence of float or None
        One a dot column, two dot columns a character; the last ``2 * width`` are drawn. None leaves a blank.
    low, high : float
        Values of the lowest and the highest dot.
    """
    shown = np.full(2 * width, np.nan)
    last = values[-2 * width :]
    if len(last):
        shown[-len(last) :] = [np.nan if value is None else value for value in last]
    n_dots = 4 * height
    span = high - low
    part = np.clip((shown - low) / span, 0.0, 1.0) if span > 0 else np.where(np.isnan(shown), np.nan, 0.0)
    lit = np.nan_to_num(np.rint(part * (n_dots - 1)) + 1, nan=0.0).astype(np.int64)  # dots from the bottom
    rows = []
    for row in range(height):
        inside = np.clip(lit - 4 * (height - 1 - row), 0, 4)
        cells = 0x2800 + _FILLED[0][inside[0::2]] + _FILLED[1][inside[1::2]]
        rows.append(cells.astype("<u4").tobytes().decode("utf-32-le"))
    return rows


def binned(values: Sequence[float], n_before: int, size: float) -> list[float]:
    """Return the largest value of each bin of ``size`` values; bins keep their edges as values come in.

    Parameters
    ----------
    n_before : int
        How many values came before the first of ``values``, so that a bin holds the same values next time.
    size : float
        Need not be whole: bins then differ by one value. Below 1 a value fills several bins.
    """
    first, last = math.ceil(n_before / size), math.ceil((n_before + len(values)) / size)
    if size < 1:
        return [values[at] for k in range(first, last) if (at := int(k * size) - n_before) < len(values)]
    edges = np.ceil(np.arange(first, last + 1) * size).astype(np.int64) - n_before
    edges = edges[(edges >= 0) & (edges < len(values))]
    if not len(edges):
        return []
    found: list[float] = np.maximum.reduceat(np.asarray(values, dtype=np.float64), edges).tolist()
    return found


def nice_range(values: Sequence[float], smallest_span: float) -> tuple[float, float]:
    """Return the lowest and highest value, spread to at least ``smallest_span`` about the lowest."""
    if not values:
        return 0.0, smallest_span
    low, high = min(values), max(values)
    return low, max(high, low + smallest_span)
