"""An array in a temporary file is an array like any other, and takes no anonymous memory."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset.support import disk_arrays
from dataset.support.arrays import FloatArray
from dataset.support.disk_arrays import block_rows, blocks, compacted, concatenate, decimate, full, mapped, run_bounds


def anonymous_bytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("RssAnon")).split()[1])


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("shape", [(0, 25, 3), (7,), (200_000,), (9000, 25, 3)])
@pytest.mark.parametrize("fill", [0.0, np.nan])
def test_it_is_filled_and_written_like_an_array(shape: tuple[int, ...], fill: float) -> None:
    array = full(shape, fill)
    np.testing.assert_array_equal(array, np.full(shape, fill))
    assert type(array) is np.ndarray and array.dtype == np.float64
    values = np.random.default_rng(2).normal(size=shape)
    array[:] = values
    np.testing.assert_array_equal(array, values)


@pytest.mark.parametrize("dtype", [np.int64, np.bool_, np.uint8])
def test_it_has_the_type_asked_for(dtype: type[np.generic]) -> None:
    array = full((300_000,), 1, dtype)
    assert array.dtype == dtype and array.all() and array.shape == (300_000,)


@pytest.mark.parametrize("n", [0, 1, 9, 10, 11, 35])
def test_blocks_cover_every_row_once(n: int) -> None:
    column = np.arange(n)
    seen = [column[rows] for rows in blocks(column, size=10)]
    assert np.concatenate([np.zeros(0, dtype=np.int64), *seen]).tolist() == list(range(n))
    assert all(len(rows) <= 10 for rows in seen)


@given(lengths=st.lists(st.integers(1, 9), max_size=12), size=st.integers(1, 5))
def test_runs_of_one_number_are_found_across_blocks(lengths: list[int], size: int) -> None:
    column = np.repeat(2 * np.arange(len(lengths)), lengths)
    with block_rows(size):
        bounds = run_bounds(column)
    assert bounds == list(pairwise([0, *np.cumsum(lengths).tolist()]))


@pytest.mark.parametrize(("n", "step"), [(0, 1), (10, 1), (11, 2), (25, 3), (100_003, 10_001)])
def test_a_long_column_is_decimated_evenly(n: int, step: int) -> None:
    column = np.arange(n)
    few = decimate(column, most=10)
    assert few.tolist() == column[::step].tolist()
    assert not np.shares_memory(few, column)


def test_parts_are_joined_in_their_order() -> None:
    rng = np.random.default_rng(7)
    parts = [(rng.normal(size=n), rng.integers(0, 9, n)) for n in (5, 0, 300, 1)]
    number, count = concatenate(iter(parts), (np.float64, np.int64))
    np.testing.assert_array_equal(number, np.concatenate([a for a, _ in parts]))
    np.testing.assert_array_equal(count, np.concatenate([b for _, b in parts]))
    assert number.dtype == np.float64 and count.dtype == np.int64
    assert [a.tolist() for a in concatenate(iter([]), (np.float64, np.bool_))] == [[], []]


@given(
    row_shape=st.lists(st.integers(0, 3), max_size=3).map(tuple),
    lengths=st.lists(st.integers(0, 5), min_size=1, max_size=5),
    dtype=st.sampled_from([np.float32, np.float64, np.uint8, np.bool_]),
    turned=st.booleans(),
)
def test_rows_of_any_shape_come_back_bit_for_bit(
    row_shape: tuple[int, ...], lengths: list[int], dtype: type[np.generic], turned: bool
) -> None:
    rng = np.random.default_rng(1)
    parts = [rng.normal(0, 50, (n, *row_shape)).astype(np.float32).astype(dtype) for n in lengths]
    if turned:  # in Fortran's order
        parts = [np.asfortranarray(part) for part in parts]
    (joined,) = concatenate(((part,) for part in parts), (dtype,))
    np.testing.assert_array_equal(joined, np.concatenate(parts))
    assert joined.dtype == dtype and joined.flags.c_contiguous


def test_rows_of_two_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot follow"):
        concatenate([(np.zeros((2, 3)),), (np.zeros((2, 4)),)], (np.float64,))


def test_what_the_parts_raise_is_left_as_it_is() -> None:
    def parts() -> Iterator[tuple[FloatArray]]:
        yield (np.zeros(3),)
        raise OSError(5, "the disk that is read from")

    before = open_files() if sys.platform == "linux" else 0
    with pytest.raises(OSError, match="read from"):
        concatenate(parts(), (np.float64,))
    assert sys.platform != "linux" or open_files() == before


def test_a_file_with_a_hole_reads_as_zeros() -> None:
    with disk_arrays.temporary_file() as file:
        file.seek(2 * 1000)
        disk_arrays.append(file, np.arange(5, dtype=np.int16))
        stored = mapped(file, np.int16, (1005,))
    assert not stored[:1000].any() and stored[1000:].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("share", [0.0, 0.02, 0.9, 1.0])
def test_compacting_keeps_what_a_mask_keeps(share: float) -> None:
    rng = np.random.default_rng(3)
    rows = full((5000, 4), 0.0)
    rows[:] = rng.normal(size=rows.shape)
    keep = rng.random(5000) < share
    expected = rows[keep]
    result = compacted(rows, keep)
    np.testing.assert_array_equal(result, expected)
    assert np.shares_memory(result, rows) or not keep.any()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_it_takes_no_anonymous_memory_and_the_file_goes_with_the_array() -> None:
    before, files = anonymous_bytes(), open_files()
    array = full((100, 100_000), 1.0)
    for row in array:
        row *= 2.0
    (joined,) = concatenate(((array[k],) for k in range(100)), (np.float64,))
    assert joined.sum() == array.sum() == 2.0 * array.size
    assert anonymous_bytes() - before < 20e6, "two arrays of 80 MB"
    assert open_files() == files + 2
    del array, row, joined
    gc.collect()
    assert open_files() == files


def test_joining_many_parts_takes_no_memory() -> None:
    block = np.ones((1000, 128), dtype=np.float32)
    tracemalloc.start()
    (joined,) = concatenate(((block,) for _ in range(100)), (np.float32,))
    total = sum(float(joined[rows].sum()) for rows in blocks(joined, size=1000))
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == block.size * 100
    assert peak_bytes < 2e6, "51 MB were written"
