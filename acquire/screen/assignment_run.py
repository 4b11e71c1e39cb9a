"""One round of assigning by flexing beside the event loop: who is asked, for how long still, and who responded."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

from acquire.assignment import Answer
from acquire.recording.assignment_procedure import Assigning
from acquire.screen.view import AssignmentView


class AssignmentRun:
    """Runs the procedure in a thread and keeps what it last said.

    Parameters
    ----------
    clock_s : callable
        Seconds of a clock that never goes back.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self.answers: dict[str, Answer] = {}
        self.running = False
        self._clock_s = clock_s
        self._asked = ""
        self._until_s = 0.0
        self._stop = threading.Event()

    async def run(self, procedure: Assigning) -> None:
        """Ask for every muscle in turn; does nothing where that goes on already or was stopped.

        Raises
        ------
        InputError
            Sensors cannot be assigned now.
        """
        if self.running or self._stop.is_set():
            return
        self.running, self.answers = True, {}

        def on_prompt(channel: str, seconds: float) -> None:
            self._asked, self._until_s = channel, self._clock_s() + seconds
            self.answers = procedure.answers()

        try:
            self.answers = await asyncio.to_thread(procedure.run, stop=self._stop, on_prompt=on_prompt)
        finally:
            self.running, self._asked = False, ""

    def stop(self) -> None:
        """Ask no more; what was found stays."""
        self._stop.set()

    def view(self) -> AssignmentView:
        """Return how far it has come."""
        left_s = max(0.0, self._until_s - self._clock_s()) if self.running else 0.0
        return AssignmentView(running=self.running, asked=self._asked, left_s=left_s, answers=dict(self.answers))
