"""Which delivered frame a row of the frame table is, whatever the recorder was held up by."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from acquire.virtual.devices.exposures import match_frames

PERIOD_NS = 33_333_333


@settings(deadline=None)
@given(
    first=st.integers(0, 20),
    n_rows=st.integers(30, 80),
    stall_at=st.integers(0, 29),
    stall_frames=st.integers(0, 7),
    seed=st.integers(0, 2**16),
)
def test_rows_keep_their_frames_through_a_stall_of_the_recorder(
    first: int, n_rows: int, stall_at: int, stall_frames: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    sent = np.arange(first + n_rows + 5) * PERIOD_NS + rng.integers(0, 5_000_000, first + n_rows + 5)
    arrival = sent[first : first + n_rows] + rng.integers(100_000, 3_000_000, n_rows)
    # Nothing is read during the stall; what waited is read in a burst after it.
    until = arrival[stall_at] + stall_frames * PERIOD_NS
    held = (np.arange(n_rows) >= stall_at) & (arrival < until)
    arrival[held] = until + np.arange(held.sum()) * 200_000
    which = match_frames(arrival, np.zeros(n_rows, dtype=np.int64), sent)
    assert list(which) == list(range(first, first + n_rows))


def test_each_epoch_of_the_camera_has_its_own_shift() -> None:
    sent = np.arange(100) * PERIOD_NS
    rows = np.concatenate([np.arange(3, 33), np.arange(60, 90)])
    epoch = np.repeat([0, 1], 30)
    assert list(match_frames(sent[rows] + 1_000_000, epoch, sent)) == list(rows)


def test_a_row_from_before_the_first_delivery_is_no_frame() -> None:
    sent = np.array([1_000, 2_000])
    assert list(match_frames(np.array([500]), np.array([0]), sent)) == [-1]
    assert list(match_frames(np.array([], dtype=np.int64), np.array([], dtype=np.int64), sent)) == []
