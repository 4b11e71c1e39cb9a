"""What a long session's report is drawn from takes no more memory than a short one's, and shows the same."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from dataset.media.video import Frame
from dataset.muscles import PAPER_CHANNELS
from dataset.session.types import Aligned, ExerciseTable
from sync.report import figures
from sync.report.thumbnails import keep_images

NAMES = tuple(c.name for c in PAPER_CHANNELS)
NO_EXERCISES = ExerciseTable(name=(), start_s=np.zeros(0), stop_s=np.zeros(0))


def test_a_short_line_is_drawn_as_it_is() -> None:
    time_s, values = np.arange(9000.0), np.arange(9000.0) % 7
    assert figures._outline(time_s, values) == (time_s, values)


@pytest.mark.parametrize("n", [12_000, 50_001, 400_007])
def test_a_long_line_keeps_its_extremes_and_its_gaps(n: int) -> None:
    rng = np.random.default_rng(n)
    time_s, values = np.arange(n) / 10, rng.normal(size=n)
    values[n // 2 : n // 2 + 300] = np.nan
    values[n // 3] = np.nan
    values[777] = 1e3
    drawn_s, drawn = figures._outline(time_s, values)
    assert len(drawn) <= 3 * 9000 and np.all(np.diff(drawn_s) > 0)
    assert np.nanmax(drawn) == 1e3 and np.nanmin(drawn) == np.nanmin(values)
    np.testing.assert_array_equal(drawn, values[np.searchsorted(time_s, drawn_s)])
    assert np.isnan(drawn[np.argmin(np.abs(drawn_s - time_s[n // 3]))])
    inside = (drawn_s > time_s[n // 2]) & (drawn_s < time_s[n // 2 + 299])
    assert np.isnan(drawn[inside]).sum() >= inside.sum() - 6 and inside.any()
    # In every fine column of the picture the line reaches as low and as high as it did.
    for first in range(0, n - n // 600, n // 600):
        column = slice(first, first + n // 600)
        shown = drawn[(drawn_s >= time_s[first]) & (drawn_s <= time_s[column][-1])]
        if np.isfinite(values[column]).all():
            assert np.ptp(shown) > 0.8 * min(np.ptp(values[column]), 8.0)


@pytest.mark.slow
def test_eight_hours_of_grid_are_drawn_in_the_memory_of_one() -> None:
    peaks = []
    for n in (18_000, 36_000, 288_000):
        emg = np.random.default_rng(n).uniform(0, 100, (n, 8))
        aligned = Aligned(
            time_s=np.arange(n) / 10, emg=emg, emg_valid=np.isfinite(emg), segment=np.zeros(n, dtype=np.int64),
            exercise=(),
        )  # fmt: skip
        tracemalloc.start()
        assert figures.grid_figure(aligned, NAMES, ["counts"] * 8, NO_EXERCISES).startswith("data:image/svg")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < 1.6 * max(peaks[:2])


def test_frames_of_the_report_lie_in_a_file() -> None:
    rng = np.random.default_rng(5)
    images = {k: rng.integers(0, 256, (720 + k, 1280, 3), dtype=np.uint8) for k in (3, 1, 8)}
    tracemalloc.start()
    kept = keep_images(Frame(index=index, pts_ns=0, image=image) for index, image in images.items())
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()
    assert list(kept) == [3, 1, 8] and len(kept) == 3 and 1 in kept and 2 not in kept
    for index, image in images.items():
        np.testing.assert_array_equal(kept[index], image)
