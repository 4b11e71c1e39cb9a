"""Runs a schedule by the host's clock: shows the prompts, fires the flashes, stores the events."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from acquire.event_log import EventLog
from acquire.hardware import Hardware
from acquire.ledbox.flasher import FLASH_MS, Flasher
from acquire.protocol.cues import Cue
from acquire.protocol.schedule import Schedule
from acquire.recording.row_writer import RowWriter
from acquire.recording.schedule_runner import (
    COUNTDOWN_S,
    Action,
    FlashDue,
    LogDue,
    MarkerDue,
    PauseDue,
    PromptDue,
    Reply,
    ScheduleRunner,
)
from dataset.support import clock
from dataset.support.errors import HardwareError, InputError

ANCHOR_EVERY_S = 10.0
WATCH_EVERY_S = 0.5


def _wait(wake: threading.Event, seconds: float) -> None:
    wake.wait(seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pacing:
    """Clock and wait function of a schedule.

    Attributes
    ----------
    now_ns : callable
        Host time.
    wait : callable
        Waits the given seconds, or until the event is set by a command.
    countdown_s : float
        Time to get ready after a pause and before an exercise that is repeated.
    """

    now_ns: Callable[[], int] = clock.now_ns
    wait: Callable[[threading.Event, float], None] = _wait
    countdown_s: float = COUNTDOWN_S


class ScheduleThread:
    """A thread that plays one recording's schedule from beginning to end, or until it is stopped.

    Every command may be called from any thread; it raises InputError if nothing is being recorded, or if it
    cannot be carried out now.

    Parameters
    ----------
    schedule : Schedule
    hardware : Hardware
        Receives every prompt.
    event_log : EventLog
    finished : threading.Event
        Set when the schedule has ended; set by others to end it early.
    watch : callable
        Called about twice a second while idle.
    pacing : Pacing
    """

    def __init__(
        self,
        schedule: Schedule,
        hardware: Hardware,
        event_log: EventLog,
        *,
        finished: threading.Event,
        watch: Callable[[], None],
        pacing: Pacing = Pacing(),
    ) -> None:
        self._schedule = schedule
        self._hardware = hardware
        self._event_log = event_log
        self._finished = finished
        self._watch = watch
        self._pacing = pacing
        self._runner = ScheduleRunner(schedule, 0, countdown_s=pacing.countdown_s)
        self._thread: threading.Thread | None = None
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._rows: RowWriter | None = None
        self._flasher: Flasher | None = None
        #: The exception that ended the schedule early; None if none did.
        self.failure: Exception | None = None

    # -- life -----------------------------------------------------------------------------------------------------

    def start(self, rows: RowWriter, began_ns: int, flasher: Flasher | None) -> None:
        """Start; the schedule's second 0 is ``began_ns`` of the host's clock."""
        with self._lock:
            self._rows, self._flasher = rows, flasher
            self._runner = ScheduleRunner(self._schedule, began_ns, countdown_s=self._pacing.countdown_s)
        self._thread = threading.Thread(target=self._run, args=(rows, began_ns), name="schedule", daemon=True)
        self._thread.start()

    def stop(self, rows: RowWriter) -> None:
        """End the schedule; an exercise or a pause in progress is ended by an event with ``cut_short``."""
        self._finished.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        with self._lock:
            self._rows = None
            for action in self._runner.stop(self._pacing.now_ns()):
                _store(rows, action)

    def _run(self, rows: RowWriter, began_ns: int) -> None:
        try:
            self._play(rows, began_ns)
        except Exception as error:  # noqa: BLE001 - a recording without its schedule must end, not run for ever
            self.failure = error
            self._event_log.log("error", "the schedule broke off", {"error": repr(error)})
        finally:
            self._finished.set()

    def _play(self, rows: RowWriter, began_ns: int) -> None:
        if self._flasher is None and any(p.kind == "flash" for p in self._schedule.prompts):
            self._event_log.log(
                "warning", "flashes skipped: no LED box and no screen; the video's offset relies on claps"
            )
        anchor_s = ANCHOR_EVERY_S
        while not self._finished.is_set():
            self._wake.clear()
            with self._lock:
                step = self._runner.advance(self._pacing.now_ns())
                self._perform(rows, step.actions)
            if step.wait_s is None:
                break
            if step.actions:
                continue
            if (self._pacing.now_ns() - began_ns) * 1e-9 >= anchor_s:
                rows.clock_anchor(*clock.anchor())
                anchor_s += ANCHOR_EVERY_S
            self._watch()
            if not self._finished.is_set():
                with self._lock:
                    wait_s = self._runner.wait_s(self._pacing.now_ns())
                self._pacing.wait(self._wake, min(wait_s, WATCH_EVERY_S))

    # -- performing, under the lock -------------------------------------------------------------------------------

    def _perform(self, rows: RowWriter, actions: Iterable[Action]) -> None:
        for action in actions:
            if isinstance(action, FlashDue):
                self._fire(rows, action)
            elif isinstance(action, LogDue):
                self._event_log.log("info", action.what, action.detail, t_ns=action.t_ns)
            else:
                _store(rows, action)
            if isinstance(action, PromptDue):
                self._hardware.prompt(action.prompt, action.t_ns)

    def _fire(self, rows: RowWriter, due: FlashDue) -> None:
        flasher = self._flasher
        if flasher is not None:
            self._hardware.prompt(due.prompt, due.t_ns)
            flasher.request_flash(
                FLASH_MS, lambda flash: rows.flash(flash, flasher.source, requested=due.requested)
            )  # fmt: skip

    # -- user commands --------------------------------------------------------------------------------------------

    def _command(self, command: Callable[[int], Reply], t_ns: int | None = None) -> str:
        """Carry out one command of the runner, now or at another host time, and wake the thread."""
        with self._lock:
            rows = self._recording()
            reply = command(self._pacing.now_ns() if t_ns is None else t_ns)
            self._perform(rows, reply.actions)
            self._wake.set()
            return reply.words

    def _recording(self) -> RowWriter:
        if self._rows is None or self._finished.is_set():
            raise InputError("nothing is being recorded", "", "start a recording first")
        return self._rows

    def mark(self, text: str, t_ns: int | None = None) -> str:
        """Store a marker with a text of one line, now or at an earlier host time."""
        return self._command(lambda at_ns: self._runner.mark(text, at_ns), t_ns)

    def note(self, command: str, label: str) -> None:
        """Log a user request on something that is not in the schedule."""
        self._command(lambda now_ns: self._runner.note(command, label, now_ns))

    def pause(self) -> str:
        """Pause: at once between exercises, else when the exercise or sequence in progress has ended."""
        return self._command(lambda now_ns: self._runner.pause(now_ns))

    def resume(self) -> str:
        """Continue after a countdown; a pause that has not begun is cancelled."""
        return self._command(lambda now_ns: self._runner.resume(now_ns))

    def redo(self) -> str:
        """Repeat the last exercise, or the last muscle's calibration; one in progress is cut short."""
        return self._command(lambda now_ns: self._runner.redo(now_ns))

    def skip(self) -> str:
        """Leave out the exercise in progress, cut short, or the next one."""
        return self._command(lambda now_ns: self._runner.skip(now_ns))

    def next(self) -> str:
        """End what is in progress as if its time were over, or begin the next at once; a pause ends."""
        return self._command(lambda now_ns: self._runner.next(now_ns))

    def flash(self) -> str:
        """Flash at once, outside the schedule; HardwareError if there is no source of flashes."""
        with self._lock:
            self._recording()
            if self._flasher is None:
                raise HardwareError("nothing can flash", "the rig has no LED box and there is no screen")
            return self._command(lambda now_ns: self._runner.flash(now_ns))

    def clap_cue(self) -> str:
        """Request a clap at once, outside the schedule."""
        return self._command(lambda now_ns: self._runner.clap_cue(now_ns))

    # -- what is shown --------------------------------------------------------------------------------------------

    def calibrating(self) -> str:
        """Return the channel being calibrated now or next; empty if none is."""
        with self._lock:
            return self._runner.calibrating()

    @property
    def paused(self) -> bool:
        """Whether it is paused until :meth:`resume`."""
        with self._lock:
            return self._runner.paused

    @property
    def pausing(self) -> bool:
        """Whether it pauses at the end of the current block."""
        with self._lock:
            return self._runner.pausing

    def remaining_s(self) -> float:
        """Return the seconds until the end, without pauses."""
        with self._lock:
            return self._runner.remaining_s(self._pacing.now_ns())

    def cue(self) -> Cue:
        """Return the current cue."""
        with self._lock:
            return self._runner.cue(self._pacing.now_ns())


def _store(rows: RowWriter, action: PromptDue | MarkerDue | PauseDue) -> None:
    if isinstance(action, PromptDue):
        rows.prompt(action.prompt, action.t_ns, requested=action.requested, detail=action.detail)
    elif isinstance(action, MarkerDue):
        rows.marker(action.t_ns, action.command, action.label, action.text)
    elif action.begins:
        rows.pause_begun(action.t_ns)
    else:
        rows.pause_ended(action.t_ns, cut_short=action.cut_short)
