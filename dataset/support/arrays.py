"""Array types for signatures, and the runs of a mask."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
StrArray = NDArray[np.str_]


def true_runs(mask: BoolArray) -> IntArray:
    """Return ``(first, stop)`` of each contiguous run of True, shape (K, 2); ``stop`` is the first row after it."""
    padded = np.concatenate([[False], mask, [False]])
    return np.flatnonzero(padded[1:] != padded[:-1]).astype(np.int64).reshape(-1, 2)
