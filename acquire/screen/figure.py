"""A figure of the body seen from the front and from behind, with the places of the sensors."""

from __future__ import annotations

from collections.abc import Mapping

from rich.text import Text
from textual.reactive import reactive
from textual.widget import Widget

from acquire.screen.palette import BAD, DIM, GOOD, PLAIN, WARN

#: From the front the subject's right is at the left; from behind it is at the right.
_FRONT = (
    "     ___     ",
    "    (   )    ",
    "   __) (__   ",
    "  /       \\  ",
    " /a|     |b\\ ",
    " | |     | | ",
    " \\ |     | / ",
    "  \\|     |/  ",
    "   |  _  |   ",
    "   |c| |d|   ",
    "   | | | |   ",
    "   | | | |   ",
    "   |_| |_|   ",
)
_BACK = tuple(line.replace("c", "g").replace("d", "h").replace("a", "e").replace("b", "f") for line in _FRONT)
#: Letters of the drawings and the channels whose sensor sits there.
PLACES = {
    "a": "right_biceps",
    "b": "left_biceps",
    "c": "right_quadriceps",
    "d": "left_quadriceps",
    "e": "left_triceps",
    "f": "right_triceps",
    "g": "left_hamstrings",
    "h": "right_hamstrings",
}
#: Sign and colour of each state of a place.
SIGNS = {"open": ("○", DIM), "asked": ("◉", WARN), "bound": ("●", GOOD), "refused": ("✖", BAD)}


class BodyFigure(Widget):
    """Front and back; ``places`` says of each channel whether it is open, asked for, bound or refused."""

    DEFAULT_CSS = "BodyFigure { width: 30; height: 16; }"
    places: reactive[Mapping[str, str]] = reactive(dict)

    def render(self) -> Text:
        """Draw."""
        return draw_figure(self.places)


def draw_figure(places: Mapping[str, str]) -> Text:
    """Return the figure with a sign at each place."""
    text = Text(no_wrap=True)
    text.append("    FRONT          BACK\n", f"bold {PLAIN}")
    text.append("   R     L        L     R\n", DIM)
    for front, back in zip(_FRONT, _BACK, strict=True):
        for letter in f"{front}  {back}":
            channel = PLACES.get(letter)
            if channel is None:
                text.append(letter, DIM)
            else:
                sign, colour = SIGNS[places.get(channel, "open")]
                text.append(sign, f"bold {colour}")
        text.append("\n")
    return text
