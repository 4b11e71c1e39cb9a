"""Names in figures: shown literally, without mathematical markup, and shortened to fit."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from dataset.muscles import channel_from_name

#: Maximum length of a name in a figure, in characters.
MOST_SIGNS = 28
#: Replacement of a character that the font lacks, in pixel figures.
_ABSENT = "\N{WHITE SQUARE}"


def figure_text(text: str, most: int = MOST_SIGNS, *, pixels: bool = False) -> str:
    """Escape a text for literal drawing by matplotlib: ``$`` escaped, the middle of a long one left out.

    Parameters
    ----------
    text : str
    most : int
        Maximum length in characters.
    pixels : bool
        The figure is drawn in pixels, with matplotlib's bundled font: characters that it lacks become squares.
        In SVG the reader's fonts supply them.
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
    """Suppress matplotlib's warnings of characters missing in its own font, for figures stored as text."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support .* natively")
        yield


@lru_cache(maxsize=1)
def _glyphs() -> frozenset[int]:
    from matplotlib import font_manager

    return frozenset(font_manager.get_font(font_manager.findfont("DejaVu Sans")).get_charmap())
