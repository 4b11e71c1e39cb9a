"""Moves one visit from step to step: which comes next, when a take begins and ends, what to say. Knows no terminal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from acquire.bluetooth.status import SensorStatus
from acquire.ledbox.flasher import Flasher
from acquire.recording.recorder import READY_TIMEOUT_S, Recorder
from acquire.recording.take import Snapshot
from acquire.screen.assignment_run import AssignmentRun
from acquire.screen.controls import Control, steer
from acquire.screen.flow import Flow, MakeRecorder, Plan
from acquire.screen.notices import Level
from acquire.screen.patience import Patience, not_found_words
from acquire.screen.steps import OPEN_THE_RIG, Step, StepPath, step_after
from acquire.screen.take_runner import TakeRunner
from dataset.support.errors import MiaError
from dataset.support.text import clean_text


class Stage(Protocol):
    """What the conductor needs of the screen."""

    def show_step(self, step: Step) -> None:
        """Show a step in place of the present one; what lies over it goes too."""

    def say(self, words: str, level: Level = "information", *, seconds: float = 5.0) -> None:
        """Show a message for some seconds."""

    def show_problem(self, words: str) -> bool:
        """Show in the step why it is not done yet; False where it has no place for that."""

    def ask_to_stop(self, on_yes: Callable[[], None]) -> None:
        """Ask whether to stop the recording."""

    def run_beside(self, work: Coroutine[Any, Any, None], group: str) -> None:
        """Run something beside the loop of drawing."""


class Conductor:
    """The state of one visit, and what each request of a step does to it.

    Parameters
    ----------
    stage : Stage
    make_recorder : callable
    plan : Plan
    patience_s : float
        How long a further take looks for the sensors of the one before, and a take that begins by itself for its own.
    clock_s : callable
        Seconds of a clock that never goes back.
    """

    def __init__(
        self,
        stage: Stage,
        make_recorder: MakeRecorder,
        plan: Plan,
        *,
        patience_s: float = READY_TIMEOUT_S,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.takes = TakeRunner(make_recorder, plan, on_recorded=self._on_recorded, on_failure=self._on_failure)
        self.assignment = AssignmentRun(clock_s)
        #: Flashes where there is no LED box.
        self.flasher: Flasher | None = None
        #: The last thing that did not open, begin or close.
        self.error: MiaError | None = None
        self._stage = stage
        self._path = StepPath()
        self._patience = Patience(patience_s)
        self._clock_s = clock_s
        self._leaving = False

    @property
    def flow(self) -> Flow:
        """The present take and those before it."""
        return self.takes.flow

    @property
    def recorder(self) -> Recorder:
        """The present take's."""
        return self.takes.recorder

    # -- steps ------------------------------------------------------------------------------------------------------

    def go(self, step: Step) -> None:
        """Show a step, and open the rig where it needs that."""
        self.assignment.stop()
        self.assignment = AssignmentRun(self._clock_s)
        self._path.go(step)
        self._stage.show_step(step)
        if step in OPEN_THE_RIG:
            self._stage.run_beside(self.takes.open(self.flasher), "rig")

    def go_on(self, step: Step) -> None:
        """Show what follows a step that is done, once every sensor streams."""
        if self._sensors_ready():
            self.go(step_after(step, same_placement=self.flow.placed))

    def go_back(self) -> None:
        """Show the step before: out of a recording by stopping it, out of a further take by giving it up."""
        before = self._path.before()
        if self.takes.is_recording:
            self.ask_to_stop()
        elif before is not None and not self.takes.is_ending:
            self.flow.at_once = False
            if before is Step.SUMMARY:
                self._give_up("")
            else:
                self.go(before)

    def choose_plan(self, plan: Plan, *, at_once: bool) -> None:
        """Make the take by a plan, and go on to the checks or straight to the recording."""
        try:
            self.flow.settle(plan)
        except MiaError as error:
            if not self._stage.show_problem(f"{error}  {error.hint}"):
                self._tell(error)
            return
        self.flow.at_once = at_once
        self.go(Step.RECORD if at_once else Step.CHECK)

    def another_take(self, *, same_placement: bool) -> None:
        """Prepare another take of the same person."""
        self._further(Step.CHECK, same_placement=same_placement)

    def next_person(self) -> None:
        """Begin with another person."""
        self._further(Step.SETUP, same_placement=False)

    def _further(self, step: Step, *, same_placement: bool) -> None:
        # the rig file may have gone away meanwhile
        if not self.takes.is_ending and self._did(lambda: self.flow.further(same_placement=same_placement)):
            self.go(step)

    def _give_up(self, why: str) -> None:
        """Release the rig of a further take and show the last one's summary again."""
        if self._did(lambda: self.flow.abandon(why)):
            self.go(Step.SUMMARY)

    # -- the take ---------------------------------------------------------------------------------------------------

    def update(self, step: Step | None) -> tuple[Snapshot, str]:
        """Do what is due: begin, go on, end, or lose patience; returns the recorder's snapshot and what it calibrates.

        Parameters
        ----------
        step : Step or None
            The one that is shown.
        """
        recorder = self.recorder
        missing = recorder.missing()
        snapshot = recorder.snapshot()
        calibrating = recorder.calibrating()
        if snapshot.phase == "recording" and recorder.finished.is_set():
            self.takes.end()
        if self.flow.at_once and snapshot.phase == "ready":
            self.start(calibrate=False)
        self._lose_patience(snapshot, missing)
        if step is Step.CALIBRATE and snapshot.phase == "recording" and snapshot.cue is not None and not calibrating:
            self.go(Step.RECORD)  # the last muscle has rested
        return snapshot, calibrating

    def record_when_ready(self) -> None:
        """Go to the recording and begin as soon as every sensor streams."""
        if not self.takes.is_recording:
            self.flow.at_once = True
            self.go(Step.RECORD)

    def start(self, *, calibrate: bool) -> None:
        """Begin to record, with rest and contraction of every muscle first or without."""
        self.flow.at_once = False
        if not self.takes.is_recording and not self.takes.is_ending and self._sensors_ready():
            self._did(lambda: self.takes.start(calibrate=calibrate))

    def ask_to_stop(self) -> None:
        """Ask whether to stop the recording that runs; where the answer is yes, save it."""
        recorder = self.recorder

        def stop() -> None:
            if recorder is self.recorder and self.takes.is_recording:
                self.takes.end()

        if self.takes.is_recording:
            self._stage.ask_to_stop(stop)

    async def leave(self) -> None:
        """Save what runs and release every rig."""
        self._leaving = True
        await self.takes.end()
        await asyncio.to_thread(self.takes.wait_until_released)

    def reopen_rig(self) -> None:
        """Close the rig and open it again; not while a recording runs."""
        self.error = None
        self.takes.reopen(self.flasher)

    def steer(self, what: Control) -> None:
        """Ask the running recording for one thing, and show what was done."""
        self._report(_outcome(lambda: steer(self.recorder, what)))

    def mark(self, text: str, t_ns: int) -> None:
        """Store a marker, and show that it was."""
        self._report(_outcome(lambda: self.recorder.mark(text, t_ns=t_ns)))

    def reconnect(self, slot: int) -> None:
        """Make one sensor's connection again, and show that it was."""
        recorder = self.recorder

        async def work() -> None:
            self._report(await asyncio.to_thread(_outcome, lambda: recorder.reconnect(slot)))

        self._stage.run_beside(work(), "reconnect")

    # -- assigning --------------------------------------------------------------------------------------------------

    def assign(self) -> None:
        """Ask for every muscle in turn, once every sensor streams."""
        assignment, procedure = self.assignment, self.recorder.assigning

        async def work() -> None:
            try:
                await assignment.run(procedure)
            except MiaError as error:
                self._tell(error)

        if not assignment.running and self._sensors_ready():
            self._stage.run_beside(work(), "assign")

    def accept_assignment(self) -> None:
        """Bind the sensors that responded and go on; not while muscles are asked for."""
        if self.assignment.running:
            return
        try:
            if self.assignment.answers:
                self.recorder.assigning.bind(self.assignment.answers)
        except MiaError as error:
            self._tell(error)
        else:
            self.go(Step.CALIBRATE)

    # -- what to say ------------------------------------------------------------------------------------------------

    def _sensors_ready(self) -> bool:
        """Return whether every sensor streams; else say which do not."""
        missing = self.recorder.missing()
        ready = self.recorder.snapshot().phase == "ready"
        if not ready:
            names = ", ".join(s.sensor.channel for s in missing) or "the rig is opening"
            self._stage.say(f"not every sensor streams yet: {names}", "warning")
        return ready

    def _lose_patience(self, snapshot: Snapshot, missing: tuple[SensorStatus, ...]) -> None:
        """Go back, and say why, where a take waits in vain: for the last one's sensors, or to begin by itself."""
        wanted = self.flow.placed or self.flow.at_once
        waiting = snapshot.phase == "waiting" and wanted and not self.takes.is_ending
        if not self._patience.is_over(waiting, self._clock_s()):
            return
        self.flow.at_once = False
        why = not_found_words(missing, len(snapshot.sensors), self._patience.limit_s)
        if self.flow.placed and self.flow.recordings:
            self._give_up(f"{why}; w where others are used")
        else:
            self._stage.say(why, "warning", seconds=30.0)
            self.go(Step.CHECK)

    def _on_recorded(self) -> None:
        if not self._leaving:
            self.go(Step.SUMMARY)

    def _on_failure(self, error: MiaError) -> None:
        self.error = error
        self._tell(error, "error")

    def _did(self, work: Callable[[], object]) -> bool:
        """Do something that may be refused: then show why, and return False."""
        try:
            work()
        except MiaError as error:
            self._on_failure(error)
            return False
        return True

    def _report(self, done: str | MiaError) -> None:
        if isinstance(done, MiaError):
            self._tell(done)
        else:
            self._stage.say(done, seconds=2.0)

    def _tell(self, error: MiaError, level: Level = "warning") -> None:
        """Show an error and what to do about it."""
        words = clean_text(f"{error}\n{error.hint}".strip(), lines=True)
        self._stage.say(words, level, seconds=30.0 if level == "error" else 6.0)


def _outcome(work: Callable[[], str]) -> str | MiaError:
    """Return what was done, or the error that kept it from being done."""
    try:
        return work()
    except MiaError as error:
        return error
