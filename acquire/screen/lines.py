"""A widget of plain lines that are drawn ten times a second, of which only those that changed are painted."""

from __future__ import annotations

from itertools import zip_longest

from rich.segment import Segment
from rich.text import Text
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

ELLIPSIS = "…"


class TextLines(Widget):
    """What ``render`` returns, line by line, cut at the right.

    Textual makes of a text what can be wrapped, linked and selected, which takes more than half of what a screen takes
    that changes ten times a second; none of it is needed here. A subclass declares the reactives that it draws with
    ``repaint=False``, and calls :meth:`redraw` when they change.
    """

    _strips: tuple[Strip, ...] = ()
    _drawn_for: Size | None = None

    def redraw(self) -> None:
        """Draw again, and repaint the lines that changed."""
        if self._drawn_for != self.size:
            self.refresh()
            return
        before, self._strips = self._strips, self._drawn()
        lines = [y for y, (a, b) in enumerate(zip_longest(before, self._strips)) if a != b]
        if lines:
            super().refresh(*(Region(0, y, self.size.width, 1) for y in lines))

    def refresh(
        self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False
    ) -> TextLines:
        """Paint; Textual calls this where colours or the size changed."""
        if not regions:
            self._drawn_for = None
        super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)
        return self

    def render_line(self, y: int) -> Strip:
        """Return one line."""
        if self._drawn_for != self.size:
            self._strips, self._drawn_for = self._drawn(), self.size
        if y < len(self._strips):
            return self._strips[y]
        return Strip.blank(self.size.width, self.visual_style.rich_style)

    def _drawn(self) -> tuple[Strip, ...]:
        text, width, base = self.render(), self.size.width, self.visual_style.rich_style
        if not isinstance(text, Text):
            raise TypeError(f"{type(self).__name__} draws {type(text).__name__}, not Text")
        lines = Segment.split_lines(Segment.apply_style(text.render(self.app.console), base))
        return tuple(_cut(Strip(line), width) for line in lines)[: self.size.height]


def _cut(strip: Strip, width: int) -> Strip:
    """Return a strip that is no wider, with a sign where something is missing."""
    if strip.cell_length <= width:
        return strip
    kept = strip.crop(0, max(0, width - 1))
    style = next((segment.style for segment in reversed(list(kept))), None)
    return Strip([*kept, Segment(ELLIPSIS, style)]) if width > 0 else kept
