"""A spilled array is an array like any other, out of memory until it is looked at."""

from __future__ import annotations

import gc
import sys
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset.support import disk_arrays as spilled_module
from dataset.support.disk_arrays import blocks, compacted, gathered, let_go, run_bounds, spilled, thinned


def resident_bytes() -> int:
    kilobytes = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return 1024 * int(kilobytes.split()[1])


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("shape", [(0, 25, 3), (7,), (200_000,), (9000, 25, 3)])
@pytest.mark.parametrize("fill", [0.0, np.nan])
def test_it_is_filled_and_written_like_an_array(shape: tuple[int, ...], fill: float) -> None:
    array = spilled(shape, fill)
    np.testing.assert_array_equal(array, np.full(shape, fill))
    assert type(array) is np.ndarray and array.dtype == np.float64
    values = np.random.default_rng(2).normal(size=shape)
    array[:] = values
    let_go(array, array[:1], None)
    np.testing.assert_array_equal(array, values)


def test_other_arrays_are_left_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "own"
    np.zeros(5000).tofile(path)
    plain, copied = np.arange(9.0), np.memmap(path, dtype=np.float64, mode="c")
    copied[:] = 3.0  # in memory only: letting it go would lose it
    let_go(plain, plain[2:], copied)
    assert plain.tolist() == list(range(9)) and (copied == 3.0).all()


@pytest.mark.parametrize("dtype", [np.int64, np.bool_, np.uint8])
def test_it_has_the_type_asked_for(dtype: type[np.generic]) -> None:
    array = spilled((300_000,), 1, dtype)
    assert array.dtype == dtype and array.all() and array.shape == (300_000,)


@pytest.mark.parametrize("n", [0, 1, 9, 10, 11, 35])
def test_blocks_cover_every_row_once(n: int) -> None:
    column, absent = np.arange(n), None
    seen = [column[rows] for rows in blocks(column, absent, size=10)]
    assert np.concatenate([np.zeros(0, dtype=np.int64), *seen]).tolist() == list(range(n))
    assert all(len(rows) <= 10 for rows in seen)


@given(lengths=st.lists(st.integers(1, 9), max_size=12), size=st.integers(1, 5))
def test_runs_of_one_number_are_found_across_blocks(lengths: list[int], size: int) -> None:
    column = np.repeat(2 * np.arange(len(lengths)), lengths)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spilled_module, "blocks", partial(blocks, size=size))
        bounds = run_bounds(column)
    assert bounds == list(pairwise([0, *np.cumsum(lengths).tolist()]))


@pytest.mark.parametrize(("n", "step"), [(0, 1), (10, 1), (11, 2), (25, 3), (100_003, 10_001)])
def test_a_long_column_is_thinned_evenly(n: int, step: int) -> None:
    column = np.arange(n)
    thin = thinned(column, most=10)
    assert thin.tolist() == column[::step].tolist()
    assert not np.shares_memory(thin, column)


def test_parts_are_gathered_in_their_order() -> None:
    rng = np.random.default_rng(7)
    parts = [(rng.normal(size=n), rng.integers(0, 9, n)) for n in (5, 0, 300, 1)]
    number, count = gathered(iter(parts), (np.float64, np.int64))
    np.testing.assert_array_equal(number, np.concatenate([a for a, _ in parts]))
    np.testing.assert_array_equal(count, np.concatenate([b for _, b in parts]))
    assert number.dtype == np.float64 and count.dtype == np.int64
    assert [a.tolist() for a in gathered(iter([]), (np.float64, np.bool_))] == [[], []]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_was_gathered_leaves_memory_when_let_go() -> None:
    (put,) = gathered([(np.ones(8_000_000),)], (np.float64,))
    before = resident_bytes()
    assert put.sum() == 8e6
    assert resident_bytes() > before + 40e6
    let_go(put)
    assert resident_bytes() < before + 10e6


@pytest.mark.parametrize("share", [0.0, 0.02, 0.9, 1.0])
def test_compacting_keeps_what_a_mask_keeps(share: float) -> None:
    rng = np.random.default_rng(3)
    rows = spilled((5000, 4), 0.0)
    rows[:] = rng.normal(size=rows.shape)
    keep = rng.random(5000) < share
    expected = rows[keep]
    result = compacted(rows, keep)
    np.testing.assert_array_equal(result, expected)
    assert np.shares_memory(result, rows) or not keep.any()


@pytest.mark.skipif(sys.platform != "linux", reason="the system tells memory and files in its own way")
def test_what_is_let_go_takes_no_memory_and_the_file_goes_with_the_array() -> None:
    before = resident_bytes()
    files = open_files()
    array = spilled((100, 100_000), 1.0)
    for row in array:
        row *= 2.0
    assert resident_bytes() - before > 60e6
    let_go(array)
    assert resident_bytes() - before < 20e6
    assert array[::7, ::1000].sum() == 2.0 * array[::7, ::1000].size
    del array, row
    gc.collect()
    assert open_files() == files
