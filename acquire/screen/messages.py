"""What a step asks the app for. A screen posts these and never reaches for its app or a recorder."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message

from acquire.screen.controls import Control
from acquire.screen.flow import Plan


@dataclass
class PlanChosen(Message):
    """The setup's form is filled in; with ``at_once`` the recording begins as soon as every sensor streams."""

    plan: Plan
    at_once: bool = False


@dataclass
class StepDone(Message):
    """The present step is finished: show the next one."""


@dataclass
class BackRequested(Message):
    """Go back to the step before; out of a recording only by stopping it."""


@dataclass
class ReopenRig(Message):
    """Close the rig and open it again: a cable was put in, a camera was freed."""


@dataclass
class RecordWhenReady(Message):
    """Go to the recording and begin as soon as every sensor streams."""


@dataclass
class StartRecording(Message):
    """Begin to record, with rest and contraction of every muscle first or without."""

    calibrate: bool


@dataclass
class StopRequested(Message):
    """Ask whether to stop and save the recording that runs."""


@dataclass
class Steer(Message):
    """Ask the running recording for one thing."""

    what: Control


@dataclass
class MarkerEntered(Message):
    """Store a marker at the host time of the key that opened its field."""

    text: str
    t_ns: int


@dataclass
class ReconnectSensor(Message):
    """Make one sensor's connection again."""

    slot: int


@dataclass
class AssignmentWanted(Message):
    """Ask for every muscle in turn."""


@dataclass
class AssignmentAccepted(Message):
    """Bind the sensors that responded and go on."""


@dataclass
class AssignmentSkipped(Message):
    """Keep what the rig says of each sensor and go on."""


@dataclass
class AnotherTake(Message):
    """Record the same person again; in the same placement nothing is assigned or calibrated again."""

    same_placement: bool


@dataclass
class Said(Message):
    """Show a message for some seconds: a key changed what the step shows."""

    words: str
    seconds: float = 2.0


@dataclass
class NextPerson(Message):
    """Begin with another person."""
