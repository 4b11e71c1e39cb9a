"""Rows of numbers kept in a temporary file: what grows with a recording's length takes no memory."""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from dataset.support.scratch import close_quietly, scratch_errors, scratch_file

T = TypeVar("T", bound=np.generic)


class RowFile(Generic[T]):
    """Rows of one shape in a temporary file, appended at its end and read piece by piece.

    They come back bit for bit. The file goes with the object.

    Parameters
    ----------
    row_shape : tuple of int
        Shape of a row; empty for single numbers.
    dtype : type
        Of its numbers.
    """

    def __init__(self, row_shape: tuple[int, ...], dtype: type[T]) -> None:
        self._file = scratch_file()
        self._row_shape = row_shape
        self._dtype = np.dtype(dtype)
        self._row_bytes = math.prod(row_shape) * self._dtype.itemsize
        self._n = 0
        weakref.finalize(self, close_quietly, self._file)

    def __len__(self) -> int:
        return self._n

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of all rows together."""
        return (self._n, *self._row_shape)

    @property
    def dtype(self) -> np.dtype[T]:
        """Type of the numbers."""
        return self._dtype

    def append(self, rows: NDArray[T]) -> None:
        """Add rows, shape (N, *row_shape), at the end.

        Raises
        ------
        DiskFullError
            There is no room for them.
        """
        if rows.shape[1:] != self._row_shape or rows.dtype != self._dtype:
            raise ValueError(f"rows of {rows.shape[1:]} {rows.dtype} do not go with {self._row_shape} {self._dtype}")
        with scratch_errors():
            self._file.seek(self._n * self._row_bytes)
            self._file.write(np.ascontiguousarray(rows).reshape(-1).view(np.uint8).data)
            self._file.flush()
        self._n += len(rows)

    def __getitem__(self, piece: slice) -> NDArray[T]:
        """Return the rows of a slice, a copy; steps other than 1 are not served."""
        first, stop, step = piece.indices(self._n)
        if step != 1:
            raise ValueError("rows are read without steps")
        rows = np.empty((max(0, stop - first), *self._row_shape), dtype=self._dtype)
        self._file.seek(first * self._row_bytes)
        if self._file.readinto(rows.reshape(-1).view(np.uint8).data) != rows.nbytes:
            raise OSError("a temporary file was cut off")
        return rows

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return all rows at once, always a copy."""
        if copy is False:
            raise ValueError("rows in a file come as a copy")
        rows = self[:]
        return rows if dtype is None else rows.astype(dtype, copy=False)


def in_blocks(rows: NDArray[T] | RowFile[T], n: int) -> Iterator[NDArray[T]]:
    """Yield the rows in order, ``n`` at a time."""
    for first in range(0, len(rows), n):
        yield rows[first : first + n]
