"""Arrays memory-mapped from temporary files: data that grows with a recording takes no anonymous memory.

They are plain NumPy arrays over :class:`numpy.memmap`. The kernel reclaims their pages by itself when memory
is needed, so nothing has to release them. If the folder of temporary files is itself in memory (a tmpfs),
set ``TMPDIR`` to another.
"""

from __future__ import annotations

import errno
import math
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from io import BufferedRandom
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from dataset.support.arrays import BoolArray, FloatArray
from dataset.support.errors import DiskFullError, InputError

T = TypeVar("T", bound=np.generic)

#: Numbers written, or rows moved, at a time.
_NUMBERS, _ROWS = 1 << 17, 1024
#: Rows processed at a time if a column may be larger than memory.
BLOCK = 1 << 16
_block: ContextVar[int] = ContextVar("block", default=BLOCK)

#: A file at its maximum size (EFBIG) is reported as a full disk.
_NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
_TOO_MANY = frozenset((errno.EMFILE, errno.ENFILE))


# -- making arrays ----------------------------------------------------------------------------------------------------


def full(shape: tuple[int, ...], fill: float, dtype: type[np.generic] = np.float64) -> NDArray[Any]:
    """Return an array filled with one number, as ``numpy.full`` does, in a temporary file that is deleted with it.

    Raises
    ------
    DiskFullError
        There is no space for it.
    """
    n = math.prod(shape)
    block = np.full(min(n, _NUMBERS), fill, dtype=dtype)
    with closing_quietly(temporary_file()) as file:
        # Written, not only extended: on most file systems a full disk is then reported here, not by a signal later.
        for first in range(0, n, _NUMBERS):
            append(file, block[: n - first])
        return mapped(file, dtype, shape)


def concatenate(parts: Iterable[Sequence[NDArray[Any]]], dtypes: Sequence[type[np.generic]]) -> list[NDArray[Any]]:
    """Concatenate columns from their parts, each in a temporary file: only one part is in memory at a time.

    Parameters
    ----------
    parts : iterable of sequences of ndarray
        For each part one array per column; its rows follow those of the previous part. The rows of a column
        have the same shape.
    dtypes : sequence of types
        Types of the columns, in order.

    Raises
    ------
    DiskFullError
        There is no space for them.
    """
    with ExitStack() as open_files:
        files = [open_files.enter_context(closing_quietly(temporary_file())) for _ in dtypes]
        lengths = [0] * len(files)
        row_shapes: list[tuple[int, ...]] = [()] * len(files)
        for n_parts, part in enumerate(parts):
            for i, (column, file, dtype) in enumerate(zip(part, files, dtypes, strict=True)):
                if n_parts and column.shape[1:] != row_shapes[i]:
                    raise ValueError(f"rows of shape {column.shape[1:]} cannot follow rows of shape {row_shapes[i]}")
                lengths[i] += len(column)
                row_shapes[i] = column.shape[1:]
                append(file, np.asarray(column, dtype=dtype))
        return [
            mapped(file, dtype, (n, *row_shape))
            for file, dtype, n, row_shape in zip(files, dtypes, lengths, row_shapes, strict=True)
        ]


def mapped(file: BufferedRandom, dtype: type[T], shape: tuple[int, ...]) -> NDArray[T]:
    """Map a temporary file as an array; the file may be closed afterwards.

    Parameters
    ----------
    file : binary file
        Native numbers, as many as the shape says.
    dtype : type
    shape : tuple of int
    """
    with temporary_file_errors():
        file.flush()
        if math.prod(shape) == 0:
            return np.zeros(shape, dtype=dtype)
        # A plain array over the map: slices of a memmap are slower, and results computed from one are memmaps too.
        return np.memmap(file, dtype=dtype, mode="r+", shape=shape).view(np.ndarray)


# -- working on long arrays -------------------------------------------------------------------------------------------


@contextmanager
def block_rows(rows: int) -> Iterator[None]:
    """Work on long columns so many rows at a time inside this context, in place of :data:`BLOCK`."""
    token = _block.set(rows)
    try:
        yield
    finally:
        _block.reset(token)


def block_size() -> int:
    """Return how many rows of a long column are worked on at once."""
    return _block.get()


def blocks(column: NDArray[Any], *, size: int | None = None) -> Iterator[slice]:
    """Yield the rows of a column, so many at a time; :func:`block_size` where none is given."""
    size = block_size() if size is None else size
    for first in range(0, len(column), size):
        yield slice(first, min(len(column), first + size))


def run_bounds(column: NDArray[Any]) -> list[tuple[int, int]]:
    """Return ``(first, stop)`` of each run of rows with the same number."""
    edges = [0] if len(column) else []
    for rows in blocks(column):
        before = max(0, rows.start - 1)
        edges += (before + 1 + np.flatnonzero(np.diff(column[before : rows.stop]))).tolist()
    return list(pairwise([*edges, len(column)]))


def decimate(column: NDArray[T], most: int = BLOCK) -> NDArray[T]:
    """Return every k-th value of a column, as a copy of at most ``most`` values; no filter is applied."""
    return column[:: max(1, -(-len(column) // most))].copy()


def compacted(rows: FloatArray, keep: BoolArray) -> FloatArray:
    """Move the rows to keep to the beginning of the same array and return them: ``rows[keep]`` without a copy."""
    kept = np.flatnonzero(keep)
    if len(kept) < len(rows):
        for first in range(0, len(kept), _ROWS):
            piece = kept[first : first + _ROWS]
            rows[first : first + len(piece)] = rows[piece]
    return rows[: len(kept)]


# -- temporary files --------------------------------------------------------------------------------------------------


def temporary_file() -> BufferedRandom:
    """Return an unnamed file, which is deleted when it is closed.

    Raises
    ------
    InputError, DiskFullError
        No temporary file can be created.
    """
    with temporary_file_errors():
        return tempfile.TemporaryFile()


def append(file: BufferedRandom, values: NDArray[Any]) -> None:
    """Write an array's numbers at the current position of a temporary file.

    Raises
    ------
    DiskFullError
        There is no space for them.
    """
    with temporary_file_errors():
        file.write(np.ascontiguousarray(values).reshape(-1).view(np.uint8).data)


@contextmanager
def closing_quietly(file: BufferedRandom) -> Iterator[BufferedRandom]:
    """Close a temporary file at the end, ignoring errors: a full disk was reported when its bytes were written."""
    try:
        yield file
    finally:
        with suppress(OSError):
            file.close()


@contextmanager
def temporary_file_errors() -> Iterator[None]:
    """Convert a failure to write a temporary file to an error with a hint.

    Raises
    ------
    DiskFullError
        There is no space.
    InputError
        The folder of temporary files is not usable.
    """
    try:
        yield
    except OSError as error:
        what = f"cannot write temporary files into {tempfile.tempdir or 'any of the usual folders'}"
        why = error.strerror or str(error)
        if error.errno in _NO_ROOM:
            hint = "free some space there, or set TMPDIR to a folder on a larger disk"
            raise DiskFullError(what, why, hint) from error
        if error.errno in _TOO_MANY:
            raise InputError(what, why, "allow more open files (ulimit -n 4096) and try again") from error
        raise InputError(what, why, "set TMPDIR to a writable folder") from error
