"""Which picture a step is given: as often as it asks for, with keypoints where they were looked for."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import numpy as np

from acquire.preflight.checks import BodyView
from acquire.screen.body_watch import BodyWatch
from acquire.screen.view import PictureKind


class Camera:
    """Counts the pictures that were taken from it."""

    n = 0

    def __call__(self) -> Any:
        self.n += 1
        return np.full((4, 4, 3), self.n, dtype=np.uint8)


class Finder:
    """Looks for as long as it is held."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.seen: list[int] = []

    def look(self, picture: Any) -> tuple[BodyView, None]:
        self.seen.append(int(picture[0, 0, 0]))
        self.release.wait(30)
        return BodyView(nobody=True), None


def test_a_plain_picture_is_taken_as_often_as_it_is_shown() -> None:
    camera, watch = Camera(), BodyWatch(None)
    shown = [watch.next_picture(camera, PictureKind.PLAIN, 3) is not None for _ in range(7)]
    assert shown == [True, False, False, True, False, False, True] and camera.n == 3


def test_no_picture_is_taken_that_nobody_shows() -> None:
    camera, watch = Camera(), BodyWatch(None)
    assert watch.next_picture(camera, PictureKind.NONE, 1) is None
    assert watch.next_picture(camera, PictureKind.KEYPOINTS, 1) is None, "there is nothing to look with"
    assert camera.n == 0 and not watch.can_look


async def test_one_picture_is_looked_at_at_a_time_and_shown_once() -> None:
    finder: Any = Finder()
    camera, watch = Camera(), BodyWatch(finder)

    def found() -> BodyView | None:
        return watch.body

    assert watch.next_picture(camera, PictureKind.KEYPOINTS, 1) is None and not found()
    while not finder.seen:
        await asyncio.sleep(0.01)
    assert watch.next_picture(camera, PictureKind.KEYPOINTS, 1) is None, "the first look goes on"
    finder.release.set()
    while found() is None:
        await asyncio.sleep(0.01)
    shown = watch.next_picture(camera, PictureKind.KEYPOINTS, 100)
    assert shown is not None and shown[0, 0, 0] == 1 and watch.body == BodyView(nobody=True)
    assert watch.next_picture(camera, PictureKind.KEYPOINTS, 100) is None and finder.seen == [1]
    watch.begin()
    assert found() is None, "another step looks for itself"
