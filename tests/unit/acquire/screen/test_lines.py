"""A widget of plain lines: what is painted again, and what is cut."""

from __future__ import annotations

from rich.text import Text
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.pilot import Pilot
from textual.strip import Strip

from acquire.screen.lines import ELLIPSIS, TextLines


class Words(TextLines):
    """Shows ``words``, and counts what it was asked for."""

    DEFAULT_CSS = "Words { width: 10; height: 3; color: #ff0000; } Words.calm { color: #0000ff; }"
    words = "one\ntwo"

    def __init__(self) -> None:
        super().__init__()
        self.painted: list[int] = []

    def render(self) -> Text:
        return Text(self.words)

    def render_line(self, y: int) -> Strip:
        self.painted.append(y)
        return super().render_line(y)


class Shown(App[None]):
    def compose(self) -> ComposeResult:
        yield Words()


async def painted(pilot: Pilot[None], words: Words) -> list[int]:
    words.painted.clear()
    await pilot.pause(0.1)
    return sorted(set(words.painted))


async def test_only_lines_that_changed_are_painted() -> None:
    async with Shown().run_test() as pilot:
        words = pilot.app.query_one(Words)
        await pilot.pause()
        words.redraw()
        assert await painted(pilot, words) == []
        words.words = "one\nthree"
        words.redraw()
        assert await painted(pilot, words) == [1]
        words.words = "one\nthree\nfour"
        words.redraw()
        assert await painted(pilot, words) == [2]
        words.words = "one"
        words.redraw()
        assert await painted(pilot, words) == [1, 2]
        assert words.render_line(2).text == " " * 10


async def test_a_line_that_is_too_long_says_so() -> None:
    async with Shown().run_test() as pilot:
        words = pilot.app.query_one(Words)
        words.words = "0123456789\n01234567890\nlast\nbelow"
        words.redraw()
        await pilot.pause()
        assert [words.render_line(y).text for y in range(3)] == ["0123456789", "012345678" + ELLIPSIS, "last"]


async def test_other_colours_and_another_size_paint_everything() -> None:
    async with Shown().run_test() as pilot:
        words = pilot.app.query_one(Words)
        await pilot.pause()
        words.add_class("calm")
        assert await painted(pilot, words) == [0, 1, 2]
        (segment,) = words.render_line(0)
        assert segment.style is not None
        assert segment.style.color is not None
        assert segment.style.color.name == "#0000ff"
        words.styles.width = 3
        assert await painted(pilot, words) == [0, 1, 2]
        assert words.region.size == Region(0, 0, 3, 3).size
        words.words = "three"
        words.redraw()
        await pilot.pause()
        assert words.render_line(0).text == "th" + ELLIPSIS
