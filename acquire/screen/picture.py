"""The camera's picture in half blocks: two pixels a character, upper and lower."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from acquire.screen.palette import BACKGROUND, DIM

#: Steps of each colour: few, so that neighbours are often alike and little is written to a slow terminal.
_STEP = 16


def fit(width: int, height: int, columns: int, rows: int) -> tuple[int, int]:
    """Return the largest columns and rows that show ``width`` x ``height`` pixels undistorted; a row is two pixels."""
    scale = min(columns / width, 2 * rows / height)
    return max(1, int(width * scale)), max(1, int(height * scale / 2))


def half_blocks(picture: NDArray[np.uint8], columns: int, rows: int) -> list[Strip]:
    """Return ``rows`` strips of ``columns`` characters.

    Parameters
    ----------
    picture : ndarray of uint8, shape (height, width, 3)
        BGR.
    """
    thin = picture[:: max(1, picture.shape[0] // (6 * rows)), :: max(1, picture.shape[1] // (3 * columns))]
    small = cv2.resize(np.ascontiguousarray(thin), (columns, 2 * rows), interpolation=cv2.INTER_AREA)
    pixels = small // _STEP * _STEP + _STEP // 2
    strips = []
    for upper, lower in zip(pixels[0::2].tolist(), pixels[1::2].tolist(), strict=True):
        segments, run, last = [], 0, None
        for pair in zip(map(tuple, upper), map(tuple, lower), strict=True):
            if pair == last:
                run += 1
                continue
            if last is not None:
                segments.append(Segment("▀" * run, _style(*last)))
            run, last = 1, pair
        if last is not None:
            segments.append(Segment("▀" * run, _style(*last)))
        strips.append(Strip(segments, columns))
    return strips


@lru_cache(maxsize=8192)
def _style(upper: tuple[int, int, int], lower: tuple[int, int, int]) -> Style:
    return Style(color="#{2:02x}{1:02x}{0:02x}".format(*upper), bgcolor="#{2:02x}{1:02x}{0:02x}".format(*lower))


class CameraView(Widget):
    """The last picture, as large as the place allows."""

    picture: reactive[NDArray[np.uint8] | None] = reactive(None, always_update=True)

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._strips: list[Strip] = []

    def watch_picture(self, picture: NDArray[np.uint8] | None) -> None:
        """Draw it once, for as many lines as will be asked for."""
        columns, rows = self.size
        if picture is None or columns < 2 or rows < 1:
            self._strips = []
            return
        wide, high = fit(picture.shape[1], picture.shape[0], columns, rows)
        self._strips = half_blocks(picture, wide, high)

    def render_line(self, y: int) -> Strip:
        """Return one line, the picture in the middle of its place."""
        width, height = self.size
        empty = Style(bgcolor=BACKGROUND)
        if not self._strips:
            words = "no picture" if y == height // 2 else ""
            return Strip(Text(words.center(width), DIM).render(self.app.console)).adjust_cell_length(width)
        at = y - (height - len(self._strips)) // 2
        if not 0 <= at < len(self._strips):
            return Strip.blank(width, empty)
        strip = self._strips[at]
        left = (width - strip.cell_length) // 2
        return Strip([Segment(" " * left, empty), *strip]).adjust_cell_length(width, empty)
