"""Chooses the picture that a step shows, and finds the body in it beside the event loop, one picture at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from acquire.preflight.body_in_view import BodyFinder
from acquire.preflight.checks import BodyView
from acquire.screen.view import PictureKind
from dataset.pose.drawing import draw_skeleton

#: Returns the camera's last picture, where there is one.
Camera = Callable[[], NDArray[np.uint8] | None]


class BodyWatch:
    """The pictures of one step, and what the pose network last found in them.

    Parameters
    ----------
    finder : BodyFinder or None
        None where nobody looks.
    """

    def __init__(self, finder: BodyFinder | None) -> None:
        self._finder = finder
        self.body: BodyView | None = None
        self._drawn: NDArray[np.uint8] | None = None
        self._n_asked = 0
        self._look: asyncio.Task[None] | None = None

    @property
    def can_look(self) -> bool:
        """Whether there is anything to look with."""
        return self._finder is not None

    def begin(self) -> None:
        """Forget what was found: another step begins."""
        self.body = self._drawn = None
        self._n_asked = 0

    def next_picture(self, camera: Camera, kind: PictureKind, every: int) -> NDArray[np.uint8] | None:
        """Return a picture that was not shown yet; called at each update, a new one is due at each ``every``-th.

        A picture with keypoints comes some updates after it was taken from the camera.
        """
        if kind is PictureKind.NONE or (kind is PictureKind.KEYPOINTS and self._finder is None):
            return None
        picture = camera() if self._n_asked % every == 0 else None
        self._n_asked += 1
        if kind is PictureKind.PLAIN or self._finder is None:
            return picture
        if picture is not None and (self._look is None or self._look.done()):
            self._look = asyncio.create_task(self._look_at(self._finder, picture))
        drawn, self._drawn = self._drawn, None
        return drawn

    async def _look_at(self, finder: BodyFinder, picture: NDArray[np.uint8]) -> None:
        self.body, found = await asyncio.to_thread(finder.look, picture)
        self._drawn = picture if found is None else draw_skeleton(picture, found.keypoints_2d, found.confidence)
