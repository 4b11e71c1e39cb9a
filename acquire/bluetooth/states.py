"""State machine of one sensor as a table: state x event -> state, with the row for the capture's ``log``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """State of a sensor."""

    SCANNING = "scanning"  # no device is bound to the slot yet
    CONNECTING = "connecting"  # its device was found for the first time
    STREAMING = "streaming"  # subscribed
    STALE = "stale"  # connected, but silent for a while
    LOST = "lost"  # the link is lost; waiting before the next attempt
    RECONNECTING = "reconnecting"  # being searched for and connected again
    STOPPED = "stopped"


class Event(StrEnum):
    """Event of a sensor."""

    FOUND = "found"  # its device was found
    NOT_FOUND = "not found"  # a scan ended without it
    FAILED = "failed"  # connecting or subscribing failed
    SUBSCRIBED = "subscribed"
    SILENT = "silent"  # nothing for the profile's stale_s
    HEARD = "heard"  # a value after that
    GIVEN_UP = "given up"  # nothing for the profile's reconnect_s
    ASKED = "asked"  # the user requested a new connection
    DISCONNECTED = "disconnected"
    RETRY = "retry"  # the back-off is over
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Step:
    """Next state after an event, and the ``log`` row's level and words."""

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
    """State of one sensor; only :meth:`step` changes it, and each change is logged.

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
        """Apply one event by the table; an event that is not valid in this state changes nothing and is logged.

        Events after the sensor has stopped are ignored.

        A step that changes nothing is logged the first, second, fourth, eighth ... time in a row: a sensor that is
        never switched on must not flood the log.
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
