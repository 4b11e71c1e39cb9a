"""The life of one sensor as a table: state x event -> state, and what the capture's ``log`` says about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """Where a sensor is."""

    SCANNING = "scanning"  # no device sits in the slot yet
    CONNECTING = "connecting"  # its device was heard for the first time
    STREAMING = "streaming"  # subscribed
    STALE = "stale"  # connected, but nothing has come for a while
    LOST = "lost"  # the link is gone; waiting before the next try
    RECONNECTING = "reconnecting"  # looked for and connected again
    STOPPED = "stopped"


class Event(StrEnum):
    """What happens to it."""

    FOUND = "found"  # its device was heard
    NOT_FOUND = "not found"  # a scan ended without it
    FAILED = "failed"  # connecting or subscribing failed
    SUBSCRIBED = "subscribed"
    SILENT = "silent"  # nothing for the profile's stale_s
    HEARD = "heard"  # a value after that
    GIVEN_UP = "given up"  # nothing for the profile's reconnect_s
    ASKED = "asked"  # a person wants the connection made anew
    DISCONNECTED = "disconnected"
    RETRY = "retry"  # the back-off is over
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Step:
    """Where an event leads, and the ``log`` row's level and words."""

    to: State
    level: str
    what: str


TABLE: dict[tuple[State, Event], Step] = {
    (State.SCANNING, Event.FOUND): Step(State.CONNECTING, "info", "found"),
    (State.SCANNING, Event.NOT_FOUND): Step(State.SCANNING, "info", "not found"),
    (State.CONNECTING, Event.SUBSCRIBED): Step(State.STREAMING, "info", "streaming"),
    (State.CONNECTING, Event.FAILED): Step(State.SCANNING, "warning", "connecting failed"),
    (State.STREAMING, Event.SILENT): Step(State.STALE, "warning", "stale"),
    (State.STREAMING, Event.DISCONNECTED): Step(State.LOST, "warning", "disconnected"),
    (State.STREAMING, Event.ASKED): Step(State.LOST, "info", "reconnection requested"),
    (State.STALE, Event.ASKED): Step(State.LOST, "info", "reconnection requested"),
    (State.STALE, Event.HEARD): Step(State.STREAMING, "info", "back"),
    (State.STALE, Event.DISCONNECTED): Step(State.LOST, "warning", "disconnected"),
    (State.STALE, Event.GIVEN_UP): Step(State.LOST, "warning", "silent: connection closed"),
    (State.LOST, Event.RETRY): Step(State.RECONNECTING, "info", "reconnecting"),
    (State.RECONNECTING, Event.FOUND): Step(State.RECONNECTING, "info", "found"),
    (State.RECONNECTING, Event.NOT_FOUND): Step(State.LOST, "info", "not found"),
    (State.RECONNECTING, Event.FAILED): Step(State.LOST, "warning", "connecting failed"),
    (State.RECONNECTING, Event.SUBSCRIBED): Step(State.STREAMING, "info", "streaming"),
    **{(state, Event.STOP): Step(State.STOPPED, "info", "sensor stopped") for state in State if state != State.STOPPED},
}

#: Takes a row's level, words and detail.
Note = Callable[[str, str, dict[str, Any]], None]


class Machine:
    """One sensor's state; only :meth:`step` changes it, and each change is noted.

    Parameters
    ----------
    note : callable
        Takes level, words and detail of each row.
    """

    def __init__(self, note: Note) -> None:
        self.state = State.SCANNING
        self._note = note
        self._repeats = 0

    def step(self, event: Event, **detail: Any) -> None:
        """Take one step of the table; an event that has no place in this state changes nothing and is told.

        Nothing that is let go afterwards counts once the sensor is stopped.

        A step that changes nothing is noted the first, second, fourth, eighth ... time in a row: a sensor that is
        never switched on must not fill the log.
        """
        if self.state == State.STOPPED:
            return
        step = TABLE.get((self.state, event))
        if step is None:
            self._note("error", "unexpected", {"state": self.state.value, "event": event.value, **detail})
            return
        before, self.state = self.state, step.to
        self._repeats = self._repeats + 1 if step.to == before else 0
        if self._repeats & (self._repeats - 1):
            return
        repeats = {"times": self._repeats} if self._repeats > 1 else {}
        self._note(step.level, step.what, {"from": before.value, "to": step.to.value, **repeats, **detail})
