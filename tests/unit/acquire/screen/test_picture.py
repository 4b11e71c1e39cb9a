"""Half blocks: as large as fits, undistorted, true to the colours."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acquire.screen.picture import fit, half_blocks
from tests.unit.native import refuse_strided


@given(st.integers(16, 4000), st.integers(16, 4000), st.integers(2, 200), st.integers(1, 80))
def test_it_fits_and_keeps_its_shape(width: int, height: int, columns: int, rows: int) -> None:
    wide, high = fit(width, height, columns, rows)
    assert 1 <= wide <= columns and 1 <= high <= rows
    scale = min(columns / width, 2 * rows / height)
    assert abs(wide - width * scale) < 1 or wide == 1
    assert abs(2 * high - height * scale) < 2 or high == 1


def test_upper_and_lower_half_have_the_pictures_colours() -> None:
    picture = np.zeros((40, 60, 3), dtype=np.uint8)
    picture[:20] = (200, 40, 10)  # BGR: blue above
    picture[20:] = (10, 40, 200)  # red below
    (strip,) = half_blocks(picture, 6, 1)
    assert strip.text == "▀" * 6
    style = next(iter(strip)).style
    assert style is not None and style.color is not None and style.bgcolor is not None
    upper, lower = style.color.triplet, style.bgcolor.triplet
    assert upper is not None and lower is not None
    assert upper.blue > 150 > 60 > upper.red and lower.red > 150 > 60 > lower.blue


@settings(deadline=None)
@given(st.integers(1, 90), st.integers(1, 50))
def test_every_size_gives_whole_lines(columns: int, rows: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    strips = half_blocks(noise, columns, rows)
    assert len(strips) == rows and all(len(strip.text) == columns for strip in strips)


def test_any_view_looks_like_its_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_strided(monkeypatch)
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    for view in (noise, noise[:, 3:600], noise[::-1], noise[:, ::-1], noise.transpose(1, 0, 2)):
        assert half_blocks(view, 20, 8) == half_blocks(view.copy(), 20, 8)
