"""The capture screen's app: shows the steps, updates their views, and handles their messages."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, ClassVar

from textual import on
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.css.query import NoMatches
from textual.screen import Screen

from acquire.preflight.body_in_view import BodyFinder
from acquire.recording.recorder import READY_TIMEOUT_S, Recorder
from acquire.recording.take import Recording
from acquire.screen import messages
from acquire.screen.base import StepScreen
from acquire.screen.body_watch import BodyWatch
from acquire.screen.conductor import Conductor
from acquire.screen.flash import TerminalFlasher
from acquire.screen.flow import Flow, MakeRecorder, Plan
from acquire.screen.modals import HelpScreen, LeaveScreen, StopScreen
from acquire.screen.notices import Level, Notices
from acquire.screen.step_screens import make_step
from acquire.screen.steps import Step
from acquire.screen.textual_internals import writes_waiting
from acquire.screen.view import View
from dataset.support.errors import MiaError

UPDATE_EVERY_S = 0.1
LEAVE_TIMEOUT_S = 5.0
#: Writes that may wait for a terminal that does not read, of the 30 for which Textual has room before it stops.
WRITES_THAT_MAY_WAIT = 4

#: Drawing holds the GIL; a thread that stamps a frame or a value waits no longer than this for it.
SWITCH_INTERVAL_S = 0.0002


class CaptureApp(App[int]):
    """The screen of ``mia-record``.

    Parameters
    ----------
    make_recorder : callable
        Makes a recorder on newly opened hardware; called again for each further take.
    plan : Plan
        What the setup screen begins with.
    first : str
        The step to begin with.
    scanner : BodyFinder, optional
        Checks whether the whole body is in the picture.
    patience_s : float
        Search time of a further take for the sensors of the previous one, and of a self-starting take for its own.
    """

    CSS_PATH = "screen.tcss"
    TITLE = "mia-record"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "leave", "Quit", priority=True),
        Binding("q", "leave_by_letter", "Quit", show=False),
        Binding("f1,question_mark", "help", "Help", key_display="f1"),
        Binding("ctrl+c", "leave", "Quit", show=False, priority=True),
    ]

    def __init__(
        self,
        make_recorder: MakeRecorder,
        plan: Plan | None = None,
        *,
        first: str = "setup",
        scanner: BodyFinder | None = None,
        patience_s: float = READY_TIMEOUT_S,
    ) -> None:
        super().__init__()
        self.conductor = Conductor(self, make_recorder, plan or Plan(), patience_s=patience_s)
        self.body_watch = BodyWatch(scanner)
        self.notices = Notices()
        self._first = Step(first)
        self._running_loop: asyncio.AbstractEventLoop | None = None
        self._flasher: TerminalFlasher | None = None

    @property
    def flow(self) -> Flow:
        """The present take and those before it."""
        return self.conductor.flow

    @property
    def recorder(self) -> Recorder:
        """The present take's."""
        return self.flow.recorder

    @property
    def recordings(self) -> list[Recording]:
        """What was recorded."""
        return self.flow.recordings

    def on_mount(self) -> None:
        """Begin to draw."""
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        self._running_loop = asyncio.get_running_loop()
        self._flasher = self.conductor.flasher = TerminalFlasher(self)
        self.set_interval(UPDATE_EVERY_S, self.draw)
        self.conductor.go(self._first)

    def post_display_hook(self) -> None:
        """Inform the flasher of what was drawn."""
        if self._flasher is not None:
            self._flasher.on_display()

    def on_cursor_position(self) -> None:
        """Inform the flasher that the terminal replied."""
        if self._flasher is not None:
            self._flasher.on_answer()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Offer what the step's keys do in the command palette."""
        for owner in (self.step, self):
            for binding in [] if owner is None else owner.BINDINGS:
                if isinstance(binding, Binding):
                    words = binding.tooltip or binding.description
                    yield SystemCommand(words, f"key: {binding.key}", self._runner(owner, binding.action))

    def _runner(self, owner: StepScreen | CaptureApp | None, action: str) -> Callable[[], None]:
        def run() -> None:
            self.run_worker(self.run_action(action, default_namespace=owner))

        return run

    # -- down: steps and views --------------------------------------------------------------------------------------

    @property
    def step(self) -> StepScreen | None:
        """The step that is shown, perhaps under a flash or a question."""
        return next((s for s in reversed(self.screen_stack) if isinstance(s, StepScreen)), None)

    def show_step(self, step: Step) -> None:
        """Show a step in place of the present one; what lies over it goes too."""
        while len(self.screen_stack) > 1:
            self.pop_screen()
        self.body_watch.begin()
        self.push_screen(make_step(step, self.flow, self.recorder.snapshot(), can_look=self.body_watch.can_look))

    def draw(self) -> None:
        """Run due actions, and update the step's view."""
        snapshot, calibrating = self.conductor.update(self.step.STEP if self.step else None)
        step = self.step
        if step is None:
            return
        step.snapshot = snapshot
        if step.laid_out and not self.terminal_lags():
            picture = self.body_watch.next_picture(self.recorder.picture, step.picture_kind, step.PICTURE_EVERY)
            view = View(
                snapshot=snapshot, calibrating=calibrating, assignment=self.conductor.assignment.view(),
                body=self.body_watch.body, picture=picture, notice=self.notices.current(),
            )  # fmt: skip
            with contextlib.suppress(NoMatches):  # its widgets are just being taken away: the app ends
                step.show(view)

    def terminal_lags(self) -> bool:
        """Return whether the terminal has not read what was drawn: then nothing more is, and this loop never waits."""
        return writes_waiting(self) >= WRITES_THAT_MAY_WAIT

    def say(self, words: str, level: Level = "information", *, seconds: float = 5.0) -> None:
        """Show a message for some seconds."""
        self.notices.say(words, level, seconds=seconds)

    def show_problem(self, words: str) -> bool:
        """Show in the step why it is not done yet; False where it has no place for that."""
        return self.step is not None and self.step.show_problem(words)

    def ask_to_stop(self, on_yes: Callable[[], None]) -> None:
        """Ask whether to stop the recording."""
        self.push_screen(StopScreen(), lambda sure: on_yes() if sure else None)

    def run_beside(self, work: Coroutine[Any, Any, None], group: str) -> None:
        """Run something beside the loop of drawing."""
        self.run_worker(work, group=group)

    # -- up: what the steps ask for ---------------------------------------------------------------------------------

    @on(messages.PlanChosen)
    def _choose_plan(self, message: messages.PlanChosen) -> None:
        self.conductor.choose_plan(message.plan, at_once=message.at_once)

    @on(messages.StepDone)
    def _go_on(self) -> None:
        if self.step is not None:
            self.conductor.go_on(self.step.STEP)

    @on(messages.BackRequested)
    def _go_back(self) -> None:
        self.conductor.go_back()

    @on(messages.RecordWhenReady)
    def _record_when_ready(self) -> None:
        self.conductor.record_when_ready()

    @on(messages.StartRecording)
    def _start_recording(self, message: messages.StartRecording) -> None:
        self.conductor.start(calibrate=message.calibrate)

    @on(messages.ReopenRig)
    def _reopen_rig(self) -> None:
        self.conductor.reopen_rig()

    @on(messages.StopRequested)
    def _stop(self) -> None:
        self.conductor.ask_to_stop()

    @on(messages.Steer)
    def _steer(self, message: messages.Steer) -> None:
        self.conductor.steer(message.what)

    @on(messages.MarkerEntered)
    def _mark(self, message: messages.MarkerEntered) -> None:
        self.conductor.mark(message.text, message.t_ns)

    @on(messages.ReconnectSensor)
    def _reconnect(self, message: messages.ReconnectSensor) -> None:
        self.conductor.reconnect(message.slot)

    @on(messages.AssignmentWanted)
    def _assign(self) -> None:
        self.conductor.assign()

    @on(messages.AssignmentAccepted)
    def _accept_assignment(self) -> None:
        self.conductor.accept_assignment()

    @on(messages.AssignmentSkipped)
    def _skip_assignment(self) -> None:
        self.conductor.go(Step.CALIBRATE)

    @on(messages.AnotherTake)
    def _take_again(self, message: messages.AnotherTake) -> None:
        self.conductor.another_take(same_placement=message.same_placement)

    @on(messages.Said)
    def _say(self, message: messages.Said) -> None:
        self.say(message.words, seconds=message.seconds)

    @on(messages.NextPerson)
    def _next_person(self) -> None:
        self.conductor.next_person()

    # -- leaving ----------------------------------------------------------------------------------------------------

    def action_help(self) -> None:
        """Show keys and signs."""
        self.push_screen(HelpScreen())

    async def action_leave_by_letter(self) -> None:
        """Leave, but not where a name is typed."""
        if self.step is None or self.step.STEP is not Step.SETUP:
            await self.action_leave()

    async def action_leave(self) -> None:
        """Save what runs, release the rig, leave; a recording is asked about first."""
        if self.conductor.takes.is_recording and not isinstance(self.screen, LeaveScreen):
            self.push_screen(LeaveScreen(), self._leave_if)
        else:
            await self.leave()

    def _leave_if(self, sure: bool | None) -> None:
        if sure:
            self.run_worker(self.leave())

    async def leave(self) -> None:
        """Save what runs, release the rig, leave."""
        await self.conductor.leave()
        self.exit(0)

    def end_from_signal(self, terminal_is_gone: bool) -> None:
        """Save and leave; called by a signal, in the main thread but outside the loop."""
        if terminal_is_gone:
            threading.Thread(target=self._leave_without_terminal, daemon=True).start()
        elif self._running_loop is not None:
            self._running_loop.call_soon_threadsafe(lambda: self.run_worker(self.leave()))

    def _leave_without_terminal(self) -> None:
        with contextlib.suppress(MiaError):  # the error cannot be shown any more; committed data is kept
            self.recorder.close()
        if self._running_loop is not None:
            self._running_loop.call_soon_threadsafe(self.exit, 0)
        time.sleep(LEAVE_TIMEOUT_S)
        os._exit(0)  # the screen waits for its dead terminal for ever; everything is stored and released
