"""What a step is given ten times a second: everything it may show, at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from acquire.assignment import Answer
from acquire.preflight.checks import BodyView
from acquire.recording.take import Snapshot
from acquire.screen.notices import Notice


class PictureKind(Enum):
    """Which picture of the camera a step shows."""

    NONE = "none"
    PLAIN = "plain"
    #: With the keypoints of the body, where there is a network that finds them.
    KEYPOINTS = "keypoints"


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignmentView:
    """How far assigning by flexing has come.

    Attributes
    ----------
    running : bool
        The person is being asked.
    asked : str
        The channel to flex now; empty while everything rests.
    left_s : float
        Until the next prompt.
    answers : mapping
        By channel: which sensor responded, or why none is bound.
    """

    running: bool = False
    asked: str = ""
    left_s: float = 0.0
    answers: Mapping[str, Answer] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Everything a step may show.

    Attributes
    ----------
    calibrating : str
        The channel whose rest and contraction are asked for; empty where none is.
    body : BodyView or None
        How much of the body the last look found; None where nobody has looked yet.
    picture : ndarray or None
        A new picture to show, BGR; None where the last one stays.
    notice : Notice or None
        The current message.
    """

    snapshot: Snapshot
    calibrating: str = ""
    assignment: AssignmentView = AssignmentView()
    body: BodyView | None = None
    picture: NDArray[np.uint8] | None = None
    notice: Notice | None = None
