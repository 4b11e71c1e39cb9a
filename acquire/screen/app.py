"""The capture screen's app: moves between the steps, shows the recorder's snapshot, ends everything when it is left."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import ClassVar, Literal

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.css.query import NoMatches
from textual.screen import Screen

from acquire.bluetooth.status import SensorStatus
from acquire.open_rig import open_hardware
from acquire.preflight.body_in_view import BodyFinder
from acquire.protocol.protocol import load_protocol
from acquire.recording.recorder import READY_TIMEOUT_S, Recorder
from acquire.recording.subject import Subject
from acquire.recording.take import Recording, Snapshot, Take
from acquire.recording.termination import ending_signals
from acquire.screen.assign import AssignScreen
from acquire.screen.base import StepScreen
from acquire.screen.calibrate import CalibrateScreen
from acquire.screen.check import CheckScreen
from acquire.screen.flash import TerminalFlasher
from acquire.screen.flow import DEFAULT_PROTOCOL, Flow, MakeRecorder, Plan
from acquire.screen.modals import HelpScreen, LeaveScreen, StopScreen
from acquire.screen.record import RecordScreen
from acquire.screen.setup import SetupScreen
from acquire.screen.summary import SummaryScreen
from dataset.capture.writer import check_subject
from dataset.muscles import channel_from_name
from dataset.support.console import STDERR, report_error
from dataset.support.errors import MiaError
from dataset.support.text import clean_text

UPDATE_EVERY_S = 0.1
LEAVE_TIMEOUT_S = 5.0
#: Writes that may wait for a terminal that does not read, of the 30 for which Textual has room before it stops.
WRITES_THAT_MAY_WAIT = 4

#: Drawing is Python and holds the interpreter; whoever stamps a frame or a value waits no longer than this for it.
SWITCH_INTERVAL_S = 0.0002

STEP_SCREENS: dict[str, type[StepScreen]] = {
    "setup": SetupScreen,
    "check": CheckScreen,
    "assign": AssignScreen,
    "calibrate": CalibrateScreen,
    "record": RecordScreen,
    "summary": SummaryScreen,
}


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
        Looks whether the whole body is in the picture.
    patience_s : float
        How long a further take looks for the sensors of the one before, and a take that begins by itself for its own.
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
        self.flow = Flow(make_recorder, plan or Plan(), self._release)
        self._patience_s = patience_s
        #: The steps that led here, the present one last.
        self._path: list[str] = []
        self._waits_since_s: float | None = None
        self._releasing: list[threading.Thread] = []
        self.scanner = scanner
        self.error: MiaError | None = None
        self._first = first
        self._ending: asyncio.Task[None] | None = None
        self._leaving = False
        self._running_loop: asyncio.AbstractEventLoop | None = None
        self._flasher: TerminalFlasher | None = None

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
        self._flasher = TerminalFlasher(self)
        self.set_interval(UPDATE_EVERY_S, self._draw)
        self.go(self._first)

    def post_display_hook(self) -> None:
        """Tell the flasher what was drawn."""
        if self._flasher is not None:
            self._flasher.on_display()

    def on_cursor_position(self) -> None:
        """Tell the flasher that the terminal answered."""
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

    # -- steps ----------------------------------------------------------------------------------------------------

    @property
    def step(self) -> StepScreen | None:
        """The step that is shown, perhaps under a flash or a question."""
        return next((s for s in reversed(self.screen_stack) if isinstance(s, StepScreen)), None)

    def go(self, step: str) -> None:
        """Show a step in place of the present one; what lies over it goes too."""
        while len(self.screen_stack) > 1:
            self.pop_screen()
        begins_anew = step in ("setup", "summary")
        self._path = [step] if begins_anew else [*self._path[: _index(self._path, step)], step]
        self.push_screen(STEP_SCREENS[step](self.flow))

    def back(self) -> None:
        """Go back to the step before; a take that was not begun is given up where that leads to the last one."""
        if self.recorder.snapshot().phase == "recording" or self._is_ending() or len(self._path) < 2:
            return
        self.flow.at_once = False
        before = self._path[-2]
        if before == "summary":
            self._give_up("")
        else:
            self.go(before)

    def _give_up(self, why: str) -> None:
        """Release the rig of a further take and show the last one's summary again."""
        try:
            self.flow.abandon(why)
        except MiaError as error:  # the rig file went away meanwhile
            self._failed(error)
        else:
            self.go("summary")

    def _release(self, recorder: Recorder) -> None:
        """Close a recorder that is not needed any more, beside the loop; the next rig opens when that is done."""
        thread = threading.Thread(target=self._close_quietly, args=(recorder,), name="release", daemon=True)
        self._releasing = [t for t in self._releasing if t.is_alive()] + [thread]
        thread.start()

    @staticmethod
    def _close_quietly(recorder: Recorder) -> None:
        with contextlib.suppress(MiaError):  # nothing was recorded with it
            recorder.close()

    def wait_until_released(self) -> None:
        """Wait for the rigs of takes that were given up."""
        for thread in self._releasing:
            thread.join()

    def _is_ending(self) -> bool:
        return self._ending is not None and not self._ending.done()

    def open_rig(self) -> None:
        """Open the rig of the present take, where it is not open yet."""
        if self.recorder.snapshot().phase == "closed":
            self.recorder.flasher = self._flasher
            self.run_worker(self._open_recorder, thread=True, exit_on_error=False, group="rig")

    def reopen_rig(self) -> None:
        """Close the rig and open it again; not while a recording runs."""
        if self.recorder.snapshot().phase != "recording" and not self._is_ending():
            self._ending = asyncio.create_task(self._reopen())

    async def _reopen(self) -> None:
        with contextlib.suppress(MiaError):  # what did not open may not close either
            await asyncio.to_thread(self.recorder.close)
        self.error = None
        self.flow.anew()
        self.open_rig()

    def _open_recorder(self) -> None:
        try:
            self.wait_until_released()
            self.recorder.open()
        except MiaError as error:
            self.call_from_thread(self._failed, error)

    def _failed(self, error: MiaError) -> None:
        self.error = error
        self.tell(error, "error")

    def tell(self, error: MiaError, level: Literal["warning", "error"] = "warning") -> None:
        """Show an error and what to do about it."""
        words = clean_text(f"{error}\n{error.hint}".strip(), lines=True)
        self.notify(words, title=level, severity=level, timeout=30 if level == "error" else 6, markup=False)

    def sensors_ready(self) -> bool:
        """Return whether every sensor streams; else say which do not."""
        missing = self.recorder.missing()
        ready = self.recorder.snapshot().phase == "ready"
        if not ready:
            names = ", ".join(s.sensor.channel for s in missing) or "the rig is opening"
            self.notify(f"not every sensor streams yet: {names}", severity="warning")
        return ready

    def _draw(self) -> None:
        recorder, step = self.recorder, self.step
        missing = recorder.missing()
        snapshot = recorder.snapshot()
        if snapshot.phase == "recording" and recorder.finished.is_set():
            self._end()
        if self.flow.at_once and snapshot.phase == "ready":
            self.start(calibrate=False)
        self._lose_patience(snapshot, missing)
        if step is not None and step.laid_out and not self._terminal_lags():
            with contextlib.suppress(NoMatches):  # its widgets are just being taken away: the app ends
                step.show(snapshot)

    def _lose_patience(self, snapshot: Snapshot, missing: tuple[SensorStatus, ...]) -> None:
        """Go back, and say why, where a take waits in vain: for the last one's sensors, or to begin by itself."""
        if snapshot.phase != "waiting" or not (self.flow.placed or self.flow.at_once) or self._is_ending():
            self._waits_since_s = None
            return
        now_s = time.monotonic()
        self._waits_since_s = now_s if self._waits_since_s is None else self._waits_since_s
        if now_s - self._waits_since_s < self._patience_s:
            return
        self._waits_since_s = None
        self.flow.at_once = False
        why = not_found_words(missing, len(snapshot.sensors), self._patience_s)
        if self.flow.placed and self.recordings:
            self._give_up(f"{why}; w where others are used")
        else:
            self.notify(why, severity="warning", timeout=30, markup=False)
            self.go("check")

    def _terminal_lags(self) -> bool:
        """Return whether the terminal has not read what was drawn: then nothing more is, and this loop never waits."""
        writer = getattr(self._driver, "_writer_thread", None)
        return writer is not None and writer._queue.qsize() >= WRITES_THAT_MAY_WAIT

    # -- recording ------------------------------------------------------------------------------------------------

    def start(self, *, calibrate: bool) -> None:
        """Begin to record, with rest and contraction of every muscle first or without."""
        self.flow.at_once = False
        if self.recorder.snapshot().phase == "recording" or self._is_ending() or not self.sensors_ready():
            return
        try:
            self.recorder.calibrate(calibrate)
            self.recorder.start()
        except MiaError as error:
            self._failed(error)

    def ask_to_stop(self) -> None:
        """Ask whether to stop the recording that runs; where the answer is yes, save it."""
        recorder = self.recorder

        def stop(sure: bool | None) -> None:
            if sure and recorder is self.recorder and recorder.snapshot().phase == "recording":
                self._end()

        if recorder.snapshot().phase == "recording":
            self.push_screen(StopScreen(), stop)

    def _end(self) -> asyncio.Task[None]:
        """End and save the running recording, once; the screen goes on drawing meanwhile."""
        if self._ending is None or self._ending.done():
            self._ending = asyncio.create_task(self._close_recorder())
        return self._ending

    async def _close_recorder(self) -> None:
        recorder = self.recorder
        try:
            recording = await asyncio.to_thread(recorder.close)
        except MiaError as error:
            self._failed(error)
            return
        if recording is not None:
            self.flow.recorded(recording)
            if not self._leaving:
                self.go("summary")

    def further(self, *, same_placement: bool) -> None:
        """Record another take of the same person."""
        self._further("check", same_placement=same_placement)

    def next_person(self) -> None:
        """Begin with another person."""
        self._further("setup", same_placement=False)

    def _further(self, step: str, *, same_placement: bool) -> None:
        if self._is_ending():
            return
        try:
            self.flow.further(same_placement=same_placement)
        except MiaError as error:  # the rig file went away meanwhile
            self._failed(error)
            return
        self.go(step)

    # -- leaving --------------------------------------------------------------------------------------------------

    def action_help(self) -> None:
        """Show keys and signs."""
        self.push_screen(HelpScreen())

    async def action_leave_by_letter(self) -> None:
        """Leave, but not where a name is typed."""
        if not isinstance(self.step, SetupScreen):
            await self.action_leave()

    async def action_leave(self) -> None:
        """Save what runs, release the rig, leave; a recording is asked about first."""
        if self.recorder.snapshot().phase == "recording" and not isinstance(self.screen, LeaveScreen):
            self.push_screen(LeaveScreen(), self._leave_if)
        else:
            await self.leave()

    def _leave_if(self, sure: bool | None) -> None:
        if sure:
            self.run_worker(self.leave())

    async def leave(self) -> None:
        """Save what runs, release the rig, leave."""
        self._leaving = True
        await self._end()
        await asyncio.to_thread(self.wait_until_released)
        self.exit(0)

    def end_from_signal(self, terminal_is_gone: bool) -> None:
        """Save and leave; called by a signal, in the main thread but outside the loop."""
        if terminal_is_gone:
            threading.Thread(target=self._leave_without_terminal, daemon=True).start()
        elif self._running_loop is not None:
            self._running_loop.call_soon_threadsafe(lambda: self.run_worker(self.leave()))

    def _leave_without_terminal(self) -> None:
        with contextlib.suppress(MiaError):  # there is nobody left to tell; what was committed is kept
            self.recorder.close()
        if self._running_loop is not None:
            self._running_loop.call_soon_threadsafe(self.exit, 0)
        time.sleep(LEAVE_TIMEOUT_S)
        os._exit(0)  # the screen waits for its dead terminal for ever; everything is stored and released


def _index(path: list[str], step: str) -> int:
    """Return where a step stands in the way here; the way's length where it does not."""
    return path.index(step) if step in path else len(path)


def not_found_words(missing: Sequence[SensorStatus], n: int, patience_s: float) -> str:
    """Return why a take did not come about whose sensors, some of ``n``, do not stream."""
    names = ", ".join(_named(status) for status in missing)
    what = f"not recorded: {len(missing)} of {n} sensors were not found in {patience_s:.0f} s"
    return f"{what}\n   {names}\n   → switch them on, then try again"


def _named(status: SensorStatus) -> str:
    """Return a sensor's muscle and, in brackets, the device that is looked for."""
    device = status.sensor.serial or status.sensor.address
    words = channel_from_name(status.sensor.channel).label
    return f"{words} ({device})" if device else words


def make_recorder_for(plan: Plan, transport: str = "") -> Recorder:
    """Return a recorder for a plan, on newly opened hardware, with a seed that was drawn.

    Raises
    ------
    InputError
        The rig, the protocol or the subject is not what it should be.
    """
    subject = plan.subject
    check_subject(subject.label)
    # The default by its absence: a folder may have its name.
    protocol, protocol_toml = load_protocol(None if plan.protocol == DEFAULT_PROTOCOL else Path(plan.protocol))
    seed = secrets.randbits(31)
    hardware, rig_toml = open_hardware(
        plan.rig, seed=seed, rig_seed=plan.rig_seed, subject=subject.label, transport=transport
    )
    take = Take(
        protocol=protocol, out=plan.out, subject=subject.label, seed=seed, protocol_toml=protocol_toml,
        rig_toml=rig_toml, subject_info=subject.info(), setup_id=plan.setup_id, sensors=plan.sensors,
    )  # fmt: skip
    return Recorder(hardware, take)


def run_screen(*, rig: str, out: Path, subject: str, protocol_path: Path | None, transport: str = "") -> int:
    """Show the capture screen until the person leaves; returns the exit code.

    Raises
    ------
    InputError
        The rig, the protocol or the subject is not what it should be.
    """
    protocol = str(protocol_path or DEFAULT_PROTOCOL)
    plan = Plan(rig=rig, out=out, subject=Subject(label=check_subject(subject)), protocol=protocol)
    scanner = BodyFinder()
    app = CaptureApp(lambda plan: make_recorder_for(plan, transport), plan, scanner=scanner)
    try:
        with ending_signals(app.end_from_signal):
            app.run()
    finally:
        recording = app.recorder.close()  # also where the terminal went away or the screen crashed
        app.wait_until_released()
        if recording is not None:
            app.recordings.append(recording)
        scanner.close()
    for made in app.recordings:
        report_saved(made)
    if app.error is not None:
        report_error(app.error, as_json=False)
        return app.error.exit_code
    return app.return_code or 0


def report_saved(recording: Recording) -> None:
    """Say on stderr where a capture lies."""
    STDERR.print(f"saved {recording.folder}", markup=False, soft_wrap=True)
