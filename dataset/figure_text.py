"""Names in figures: literally, never as mathematical markup, and no longer than there is room for."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from dataset.muscles import channel_from_name

#: Signs that a name takes in a figure at most.
MOST_SIGNS = 28
#: What stands for a character that the font lacks, where a figure is pixels.
_ABSENT = "\N{WHITE SQUARE}"


def figure_text(text: str, most: int = MOST_SIGNS, *, pixels: bool = False) -> str:
    """Return a text as matplotlib draws it literally: ``$`` escaped, the middle of a long one left out.

    Parameters
    ----------
    text : str
    most : int
        Signs at most.
    pixels : bool
        The figure is drawn in pixels, with the one font that is always there: characters that it lacks become squares.
        In SVG the reader's own fonts have them.
    """
    if len(text) > most:
        head = (most - 1) * 2 // 3
        text = f"{text[:head]}…{text[len(text) - (most - 1 - head) :]}"
    if pixels:
        known = _glyphs()
        text = "".join(c if ord(c) in known or c == "\n" else _ABSENT for c in text)
    return text.replace("$", r"\$")


def channel_text(name: str, most: int = MOST_SIGNS, *, pixels: bool = False) -> str:
    """Return a channel's label for a figure; see :func:`figure_text`."""
    return figure_text(channel_from_name(name).label, most, pixels=pixels)


@contextmanager
def quiet_about_glyphs() -> Iterator[None]:
    """Keep matplotlib from warning of characters that its own font lacks, for figures that are stored as text."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support .* natively")
        yield


@lru_cache(maxsize=1)
def _glyphs() -> frozenset[int]:
    from matplotlib import font_manager

    return frozenset(font_manager.get_font(font_manager.findfont("DejaVu Sans")).get_charmap())
