"""Rows in a file come back as they went in, and a long recording's rows take no memory."""

from __future__ import annotations

import tracemalloc
import weakref

import numpy as np
import pytest

from dataset.support.row_file import RowFile, in_blocks


@pytest.mark.parametrize(("row_shape", "dtype"), [((3, 2), np.float32), ((), np.uint8), ((5,), np.float64)])
def test_rows_come_back_bit_for_bit(row_shape: tuple[int, ...], dtype: type[np.generic]) -> None:
    rows = np.random.default_rng(1).normal(0, 50, (1000, *row_shape)).astype(dtype)
    file = RowFile(row_shape, dtype)
    for first, stop in ((0, 1), (1, 1), (1, 600), (600, 1000)):
        file.append(rows[first:stop])
        np.testing.assert_array_equal(file[max(0, stop - 5) : stop], rows[max(0, stop - 5) : stop])
    assert (len(file), file.shape, file.dtype) == (1000, rows.shape, rows.dtype)
    for piece in (slice(None), slice(10, 20), slice(-7, None), slice(990, 2000), slice(30, 30), slice(40, 30)):
        np.testing.assert_array_equal(file[piece], rows[piece])
    np.testing.assert_array_equal(np.asarray(file), rows)
    assert np.asarray(file, dtype=np.float64).dtype == np.float64
    for source in (file, rows):
        np.testing.assert_array_equal(np.concatenate(list(in_blocks(source, 64))), rows)


def test_what_was_read_is_a_copy() -> None:
    file = RowFile((2,), np.float32)
    file.append(np.ones((4, 2), dtype=np.float32))
    file[:][:] = 7.0
    assert (file[:] == 1.0).all()


def test_an_array_in_any_order_is_taken() -> None:
    turned = np.arange(24.0).reshape(2, 3, 4).transpose(2, 1, 0)
    file = RowFile((3, 2), np.float64)
    file.append(turned)
    np.testing.assert_array_equal(file[:], turned)


def test_other_rows_and_steps_are_refused() -> None:
    file = RowFile((2,), np.float32)
    with pytest.raises(ValueError, match="do not go with"):
        file.append(np.ones((4, 3), dtype=np.float32))
    with pytest.raises(ValueError, match="do not go with"):
        file.append(np.ones((4, 2)))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="without steps"):
        file[::2]


def test_many_rows_take_no_memory_and_the_file_goes_with_the_object() -> None:
    block = np.ones((1000, 128), dtype=np.float32)
    tracemalloc.start()
    file = RowFile((128,), np.float32)
    for _ in range(100):
        file.append(block)
    total = sum(float(piece.sum()) for piece in in_blocks(file, 1000))
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == block.size * 100
    assert peak_bytes < 2e6, "51 MB were written"
    handle, gone = file._file, weakref.ref(file)
    del file
    assert gone() is None and handle.closed
