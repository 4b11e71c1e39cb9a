"""Array helpers."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dataset.support.arrays import true_runs


@given(st.lists(st.booleans(), max_size=40))
def test_stretches_are_the_true_rows_and_never_touch(rows: list[bool]) -> None:
    found = true_runs(np.array(rows, dtype=np.bool_))
    assert [i for first, stop in found.tolist() for i in range(first, stop)] == [i for i, on in enumerate(rows) if on]
    assert all(stop < following for (_, stop), (following, _) in pairwise(found.tolist()))
