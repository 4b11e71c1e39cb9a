"""Phases of a recording and their allowed transitions, as a table."""

from __future__ import annotations

import threading
from enum import StrEnum

from dataset.support.errors import InputError


class Phase(StrEnum):
    """Phase of a recording; the values are those of ``mia-record status --json``."""

    CLOSED = "closed"  # nothing is open yet
    OPENING = "opening"
    WAITING = "waiting"  # for sensors that do not stream yet
    READY = "ready"  # every sensor streams
    RECORDING = "recording"
    CLOSING = "closing"
    DONE = "done"
    FAILED = "failed"  # closing failed; committed data is kept


TRANSITIONS: dict[Phase, frozenset[Phase]] = {
    Phase.CLOSED: frozenset({Phase.OPENING, Phase.CLOSING}),
    Phase.OPENING: frozenset({Phase.WAITING, Phase.CLOSING}),
    Phase.WAITING: frozenset({Phase.READY, Phase.RECORDING, Phase.CLOSING}),
    Phase.READY: frozenset({Phase.WAITING, Phase.RECORDING, Phase.CLOSING}),
    Phase.RECORDING: frozenset({Phase.CLOSING}),
    Phase.CLOSING: frozenset({Phase.DONE, Phase.FAILED}),
    Phase.DONE: frozenset(),
    Phase.FAILED: frozenset(),
}

#: The rig is open, and nothing is stored yet.
OPEN = frozenset({Phase.WAITING, Phase.READY})
#: Final phases.
ENDED = frozenset({Phase.DONE, Phase.FAILED})


class PhaseMachine:
    """One recording's phase; only :meth:`go` and :meth:`set_ready` change it, from any thread."""

    def __init__(self) -> None:
        self._now = Phase.CLOSED
        self._lock = threading.RLock()

    @property
    def now(self) -> Phase:
        """The current phase."""
        return self._now

    def check(self, to: Phase) -> None:
        """Raise InputError if the recording cannot change to phase ``to`` now."""
        if to not in TRANSITIONS[self._now]:
            raise InputError(f"the recording cannot be {to} now", f"it is {self._now}")

    def go(self, to: Phase) -> None:
        """Change to another phase; InputError if the table does not allow it."""
        with self._lock:
            self.check(to)
            self._now = to

    def set_ready(self, ready: bool) -> None:
        """Switch between ``WAITING`` and ``READY`` as sensors come and go; no effect in any other phase."""
        with self._lock:
            if self._now in OPEN:
                self._now = Phase.READY if ready else Phase.WAITING
