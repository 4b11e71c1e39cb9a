"""What is said: for its time, the gravest first, counted where it is repeated, and beside everything else."""

from __future__ import annotations

from typing import Any

import pytest
from textual.widgets._toast import Toast

from acquire.screen.app import CaptureApp
from acquire.screen.bars import MOST_MESSAGE_ROWS, MessageLine, TopBar
from acquire.screen.cell import SensorCell
from acquire.screen.notices import Notice, Notices
from acquire.screen.widgets import CuePanel
from tests.unit.acquire.screen import frozen


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_a_notice_ends_and_the_gravest_comes_first() -> None:
    clock = Clock()
    notices = Notices(clock)
    notices.say("the disk is full", "error", seconds=30.0)
    notices.say("marked: knee", seconds=2.0)
    assert notices.current() == Notice(words="the disk is full", level="error")
    clock.now_s = 30.1
    assert notices.current() is None


def test_of_two_alike_the_newest_is_shown_and_then_the_older_again() -> None:
    clock = Clock()
    notices = Notices(clock)
    notices.say("first", "warning", seconds=6.0)
    notices.say("second", "warning", seconds=2.0)
    assert notices.current() == Notice(words="second", level="warning")
    clock.now_s = 3.0
    assert notices.current() == Notice(words="first", level="warning")


def test_what_is_repeated_is_counted_and_lasts_longer() -> None:
    clock = Clock()
    notices = Notices(clock)
    for clock.now_s in (0.0, 4.0, 8.0):
        notices.say("not every sensor streams yet", "warning", seconds=5.0)
    assert notices.current() == Notice(words="not every sensor streams yet", level="warning", count=3)
    clock.now_s = 13.1
    notices.say("not every sensor streams yet", "warning", seconds=5.0)
    assert notices.current() == Notice(words="not every sensor streams yet", level="warning"), "counting ended"


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
@pytest.mark.parametrize("step", ["setup", "check", "assign", "calibrate", "record"])
async def test_a_message_covers_nothing(step: str, size: tuple[int, int]) -> None:
    recorder: Any = frozen.FrozenRecorder(frozen.snapshot("recording"), muscle="right_biceps")
    app = CaptureApp(lambda _: recorder, first=step)
    async with app.run_test(size=size) as pilot:
        await pilot.pause(0.3)
        for _ in range(2):
            app.say("the sensor cannot be connected " * 20, "error", seconds=60.0)
        app.draw()
        await pilot.pause(0.2)
        line = app.screen.query_one(MessageLine)
        shown = str(line.render())
        assert shown.startswith("✖ 2x the sensor") and shown.endswith("…")
        assert line.size.height == MOST_MESSAGE_ROWS == len(shown.splitlines())
        assert not app.screen.query(Toast)
        for other in (*app.screen.query(TopBar), *app.screen.query(CuePanel), *app.screen.query(SensorCell)):
            assert not other.region.overlaps(line.region), other
            assert other.region.height or not other.display
