"""Arrays that lie in a temporary file: what grows with a recording's length need not stay in memory.

Where the folder of temporary files is itself in memory (a tmpfs), ``TMPDIR`` has to name another.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from dataset.support.arrays import BoolArray, FloatArray
from dataset.support.scratch import scratch_errors, scratch_file

T = TypeVar("T", bound=np.generic)

#: Numbers written, or rows moved, at once.
_NUMBERS, _ROWS = 1 << 17, 1024
#: Rows worked on at once where a column may be longer than memory.
BLOCK = 1 << 16


class _Spill(mmap.mmap):
    """The file behind a spilled array."""


def spilled(shape: tuple[int, ...], fill: float, dtype: type[np.generic] = np.float64) -> NDArray[Any]:
    """Return an array filled with one number, as ``numpy.full`` does, in a temporary file that goes with it.

    It is used like any other. What was touched of it stays in memory until :func:`let_go`.

    Raises
    ------
    DiskFullError
        There is no room for it.
    """
    n = math.prod(shape)
    if n == 0:
        return np.full(shape, fill, dtype=dtype)
    block = np.full(min(n, _NUMBERS), fill, dtype=dtype)
    with scratch_errors(), scratch_file() as file:
        # Written, and not just made long: on most file systems a full disk says so here, and not by a signal later.
        for first in range(0, n, _NUMBERS):
            file.write(block[: n - first].data)
        file.flush()
        mapped = _Spill(file.fileno(), n * block.itemsize)
    return np.ndarray(shape, dtype=dtype, buffer=mapped)


def blocks(*columns: NDArray[Any] | None, size: int = BLOCK) -> Iterator[slice]:
    """Yield the rows of columns of one length, so many at a time; what was looked at is let go after each."""
    n = next((len(column) for column in columns if column is not None), 0)
    for first in range(0, n, size):
        try:
            yield slice(first, min(n, first + size))
        finally:
            let_go(*columns)


def run_bounds(column: NDArray[Any]) -> list[tuple[int, int]]:
    """Return ``(first, stop)`` of each run of rows that have the same number."""
    edges = [0] if len(column) else []
    for rows in blocks(column):
        before = max(0, rows.start - 1)
        edges += (before + 1 + np.flatnonzero(np.diff(column[before : rows.stop]))).tolist()
    return list(pairwise([*edges, len(column)]))


def thinned(column: NDArray[T], most: int = BLOCK) -> NDArray[T]:
    """Return a copy of a column, of one longer than ``most`` every second value, every third and so on."""
    step = max(1, -(-len(column) // most))
    # Whole steps to a block, so that a block begins with a value that is wanted; copied, since views would keep all.
    pieces = (column[rows][::step].copy() for rows in blocks(column, size=step * max(1, BLOCK // step)))
    return np.concatenate([column[:0], *pieces])


def gathered(parts: Iterable[Sequence[NDArray[Any]]], dtypes: Sequence[type[np.generic]]) -> list[NDArray[Any]]:
    """Return columns put together from their parts, each in a temporary file: only one part is in memory at a time.

    Parameters
    ----------
    parts : iterable of sequences of ndarray
        Of each part one array for each column; each array's rows follow those of the part before.
    dtypes : sequence of types
        Of the columns, in order.

    Raises
    ------
    DiskFullError
        There is no room for them.
    """
    with scratch_errors(), ExitStack() as open_files:
        files = [open_files.enter_context(scratch_file()) for _ in dtypes]
        lengths = [0] * len(files)
        for part in parts:
            for i, (column, file, dtype) in enumerate(zip(part, files, dtypes, strict=True)):
                lengths[i] += len(column)
                file.write(np.ascontiguousarray(column, dtype=dtype).view(np.uint8).data)
        for file in files:
            file.flush()
        return [
            np.ndarray(n, dtype=dtype, buffer=_Spill(file.fileno(), n * np.dtype(dtype).itemsize))
            if n
            else np.zeros(0, dtype=dtype)
            for n, file, dtype in zip(lengths, files, dtypes, strict=True)
        ]


def let_go(*arrays: NDArray[np.generic] | None) -> None:
    """Take spilled arrays out of memory until they are looked at again; others are left as they are."""
    for array in arrays:
        base: object = array
        while isinstance(base, np.ndarray):
            base = base.base
        if isinstance(base, _Spill) and hasattr(mmap, "MADV_DONTNEED"):  # not on Windows
            base.madvise(mmap.MADV_DONTNEED)


def compacted(rows: FloatArray, keep: BoolArray) -> FloatArray:
    """Return the rows to keep, moved to the beginning of the same array: ``rows[keep]`` without a copy."""
    kept = np.flatnonzero(keep)
    if len(kept) < len(rows):
        for first in range(0, len(kept), _ROWS):
            piece = kept[first : first + _ROWS]
            rows[first : first + len(piece)] = rows[piece]
    return rows[: len(kept)]
