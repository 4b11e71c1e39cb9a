"""Plays a schedule: each prompt at its time becomes an event, a flash goes to the LED box or the terminal.

A person may pause it between exercises, redo, skip or go on; the sync sequences are always given in full.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from acquire.event_log import EventLog
from acquire.hardware import Hardware
from acquire.ledbox.flasher import Flash, Flasher
from acquire.protocol.blocks import Block, blocks_of
from acquire.protocol.cues import Cue, contact_cue, cue_at, waiting_cue
from acquire.protocol.playhead import Playhead
from acquire.protocol.schedule import Prompt, Schedule
from dataset.capture.writer import CaptureWriter
from dataset.support import clock
from dataset.support.errors import HardwareError, InputError
from dataset.support.text import clean_line

FLASH_MS = 80
ANCHOR_EVERY_S = 10.0
WATCH_EVERY_S = 0.5
#: Time to get ready after a pause and before an exercise that is done again.
COUNTDOWN_S = 3.0
LONGEST_MARK = 500
#: Where the events of a person's keys come from.
SOURCE = "control"


class ScheduleRunner:
    """A thread that plays one recording's schedule from beginning to end, or until it is stopped.

    Parameters
    ----------
    schedule : Schedule
    hardware : Hardware
        Told of every prompt.
    event_log : EventLog
    finished : threading.Event
        Set when the schedule has ended; set by others to end it early.
    watch : callable
        Called about twice a second while nothing else is to do.
    """

    def __init__(
        self,
        schedule: Schedule,
        hardware: Hardware,
        event_log: EventLog,
        *,
        finished: threading.Event,
        watch: Callable[[], None],
    ) -> None:
        self._schedule = schedule
        self._prompts = schedule.prompts
        self._blocks = blocks_of(schedule.prompts)
        self._hardware = hardware
        self._event_log = event_log
        self._finished = finished
        self._watch = watch
        self._thread: threading.Thread | None = None
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._head = Playhead(0)
        self._next = 0
        self._pausing = False
        self._begun: dict[str, str] = {}  # what was started and not stopped: kind without its ending, label
        self._attempts: dict[int, int] = {}
        self._clap_ns: int | None = None
        self._writer: CaptureWriter | None = None
        self._flasher: Flasher | None = None
        #: What ended the schedule before its time; None where nothing did.
        self.failure: Exception | None = None

    # -- life ---------------------------------------------------------------------------------------------------

    def start(self, writer: CaptureWriter, began_ns: int, flasher: Flasher | None) -> None:
        """Begin; the schedule's second 0 is ``began_ns`` of the host's clock."""
        self._writer, self._flasher = writer, flasher
        self._head = Playhead(began_ns)
        self._thread = threading.Thread(target=self._run, args=(writer, began_ns), name="schedule", daemon=True)
        self._thread.start()

    def stop(self, writer: CaptureWriter) -> None:
        """End it; an exercise or a pause that runs is ended by an event that says it was cut short."""
        self._finished.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        with self._lock:
            self._writer = None
            now_ns = clock.now_ns()
            for kind, label in self._begun.items():
                if kind != "sync":
                    writer.event(
                        now_ns, f"{kind}_stop", label=label, source="schedule", detail={"cut_short": True}
                    )  # fmt: skip
            self._begun.clear()
            if self._head.paused:
                writer.event(now_ns, "pause_stop", source=SOURCE, detail={"cut_short": True})

    def _run(self, writer: CaptureWriter, began_ns: int) -> None:
        try:
            self._play(writer, began_ns)
        except Exception as error:  # noqa: BLE001 - a recording without its schedule must end, not run for ever
            self.failure = error
            self._event_log.log("error", "the schedule broke off", {"error": repr(error)})
        finally:
            self._finished.set()

    def _play(self, writer: CaptureWriter, began_ns: int) -> None:
        if self._flasher is None and any(p.kind == "flash" for p in self._prompts):
            self._event_log.log(
                "warning", "flashes skipped: no LED box and no screen; the video's offset rests on claps"
            )
        anchor_s = ANCHOR_EVERY_S
        while not self._finished.is_set():
            self._wake.clear()
            with self._lock:
                wait_s = self._step(writer)
            if wait_s is None:
                break
            if wait_s <= 0.0:
                continue
            if (clock.now_ns() - began_ns) * 1e-9 >= anchor_s:
                writer.clock_anchor(*clock.anchor())
                anchor_s += ANCHOR_EVERY_S
            self._watch()
            if not self._finished.is_set():
                with self._lock:
                    wait_s = self._until_next_s()
                self._wake.wait(wait_s)

    def _step(self, writer: CaptureWriter) -> float | None:
        """Perform what is due; returns the seconds until something is, or None at the end."""
        now_ns = clock.now_ns()
        position_s, stands_s = self._head.position_s(now_ns), self._head.stands_s(now_ns)
        if stands_s <= 0.0:
            if self._next < len(self._prompts) and self._prompts[self._next].at_s <= position_s:
                index, self._next = self._next, self._next + 1
                self._perform(index, writer)
                return 0.0
            if position_s >= self._schedule.duration_s:
                return None
        return self._until_next_s()

    def _until_next_s(self) -> float:
        now_ns = clock.now_ns()
        prompts = self._prompts
        at_s = prompts[self._next].at_s if self._next < len(prompts) else self._schedule.duration_s
        due_s = self._head.stands_s(now_ns) + at_s - self._head.position_s(now_ns)
        return min(max(0.0, due_s), WATCH_EVERY_S)

    # -- prompts ------------------------------------------------------------------------------------------------

    def _perform(self, index: int, writer: CaptureWriter) -> None:
        prompt = self._prompts[index]
        if prompt.kind == "flash":
            if self._flasher is not None:
                self._hardware.prompt(prompt, clock.now_ns())
                self._fire(self._flasher, writer)
            return
        detail: dict[str, Any] = {}
        if prompt.kind == "exercise_start":
            self._attempts[index] = self._attempts.get(index, 0) + 1
            if self._attempts[index] > 1:
                detail["attempt"] = self._attempts[index]
        self._give(prompt, writer, detail=detail)
        if self._pausing and prompt.kind.endswith("_stop") and self._running() is None:
            self._begin_pause(writer)

    def _give(
        self,
        prompt: Prompt,
        writer: CaptureWriter,
        *,
        source: str = "schedule",
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Tell the person and store the event."""
        host_ns = clock.now_ns()
        self._hardware.prompt(prompt, host_ns)
        writer.event(host_ns, prompt.kind, label=prompt.label, source=source, detail=detail)
        self._event_log.show(prompt.kind, prompt.label, t_ns=host_ns)
        kind, _, end = prompt.kind.rpartition("_")
        if end == "start":
            self._begun[kind] = prompt.label
        elif end == "stop":
            self._begun.pop(kind, None)

    def _fire(self, flasher: Flasher, writer: CaptureWriter, detail: Mapping[str, Any] | None = None) -> None:
        more = dict(detail or {})
        flasher.request_flash(FLASH_MS, lambda flash: self._on_flash(flash, writer, flasher.source, more))

    def _on_flash(self, flash: Flash | None, writer: CaptureWriter, source: str, more: dict[str, Any]) -> None:
        if flash is None:
            self._event_log.log("warning", "a flash was not given", {"source": source})
            return
        writer.event(
            flash.t_ns,
            "flash",
            uncertainty_ns=flash.uncertainty_ns,
            source=source,
            detail={**flash.detail, **more},
        )
        self._event_log.show("flash", t_ns=flash.t_ns)

    # -- what a person may do -----------------------------------------------------------------------------------

    def mark(self, text: str, t_ns: int | None = None) -> str:
        """Store a marker with a text of one line, now or at an earlier host time: it was typed after its moment."""
        words = clean_line(text)
        if not words:
            raise InputError("a marker needs a text", "it is empty")
        if len(words) > LONGEST_MARK:
            raise InputError("the marker's text is too long", f"{len(words)} of at most {LONGEST_MARK} characters")
        with self._lock:
            self._note(self._recording(), "marker", words, words, t_ns)
        return f"marked: {words}"

    def note(self, what: str, label: str) -> None:
        """Store what a person asked of something that is not in the schedule."""
        with self._lock:
            self._note(self._recording(), what, label, f"{what} {label}")

    def pause(self) -> str:
        """Stand still: at once between exercises, else when the exercise or sequence that runs has ended."""
        with self._lock:
            writer, running = self._recording(), self._running()
            if self._head.paused:
                raise InputError("the recording is paused already", "", "resume it")
            if self._coming() is None:
                raise InputError("nothing comes that could wait", "this is the last of the recording")
            if running is None:
                self._begin_pause(writer)
                return "paused"
            self._pausing = True
            self._event_log.log("info", "pause asked for", {"after": running.label or running.kind})
            return f"pauses after {running.label or 'the sync sequence'}"

    def resume(self) -> str:
        """Go on after a countdown; a pause that has not begun is taken back."""
        with self._lock:
            writer = self._recording()
            if self._pausing:
                self._pausing = False
                self._event_log.log("info", "pause taken back")
                return "goes on without a pause"
            if not self._head.paused:
                raise InputError("the recording is not paused", "it runs")
            self._end_pause(writer, COUNTDOWN_S)
            return f"goes on in {COUNTDOWN_S:.0f} s"

    def redo(self) -> str:
        """Do the last exercise, or the last muscle's calibration, again; one that runs is cut short."""
        with self._lock:
            writer = self._recording()
            self._refuse_in_sync("redo")
            block = next((b for b in reversed(self._blocks) if b.first < self._next and b.kind != "sync"), None)
            if block is None:
                raise InputError("there is nothing to redo", "no exercise has begun yet")
            self._note(writer, "redo", block.label, f"redo {block.label}")
            self._cut(writer)
            self._next = block.first
            self._head.jump(block.start_s, clock.now_ns(), COUNTDOWN_S)
            self._wake.set()
            return f"again: {block.label}"

    def skip(self) -> str:
        """Leave out the exercise that runs, cut short, or the one that comes."""
        with self._lock:
            writer = self._recording()
            self._refuse_in_sync("skip")
            block = self._running() or self._coming()
            if block is None or block.kind == "sync":
                raise InputError("there is nothing to skip", "a sync sequence comes, and is always given")
            self._note(writer, "skip", block.label, f"skip {block.label}")
            self._cut(writer)
            self._next = block.last + 1
            self._head.jump(block.stop_s, clock.now_ns())
            if self._pausing:
                self._begin_pause(writer)
            self._wake.set()
            return f"skipped: {block.label}"

    def next(self) -> str:
        """End what runs as if its time were over, or begin what comes at once; a pause ends."""
        with self._lock:
            writer = self._recording()
            self._refuse_in_sync("go on")
            running = self._running()
            if running is None and self._coming() is None:
                raise InputError("nothing comes any more", "the recording ends")
            prompt = self._prompts[self._next]
            self._note(writer, "next", prompt.label, f"next {prompt.label}".strip())
            if self._head.paused:
                self._end_pause(writer, 0.0)
            self._head.jump(prompt.at_s, clock.now_ns())
            self._wake.set()
            return f"ended: {running.label}" if running else f"begins: {prompt.label or 'sync sequence'}"

    def flash(self) -> str:
        """Flash at once, beside the schedule."""
        with self._lock:
            writer = self._recording()
            if self._flasher is None:
                raise HardwareError("nothing can flash", "the rig has no LED box and there is no screen")
            self._event_log.log("info", "flash asked for")
            self._hardware.prompt(Prompt(at_s=self.position_s(), kind="flash"), clock.now_ns())
            self._fire(self._flasher, writer, {"asked": True})
            return "flash"

    def clap_cue(self) -> str:
        """Ask for a clap at once, beside the schedule."""
        with self._lock:
            writer = self._recording()
            self._clap_ns = clock.now_ns()
            self._event_log.log("info", "clap asked for")
            self._give(Prompt(at_s=self.position_s(), kind="clap_cue", text="CLAP"), writer, source=SOURCE)
            return "clap"

    # -- what is shown ------------------------------------------------------------------------------------------

    def position_s(self) -> float:
        """Return how far the schedule is, in its own seconds: pauses and countdowns do not count."""
        with self._lock:
            return self._head.position_s(clock.now_ns())

    def calibrating(self) -> str:
        """Return the channel whose rest and contraction are asked for now or next; empty where none is."""
        with self._lock:
            block = self._running() or self._coming()
            return block.label if block is not None and block.kind == "calibration" else ""

    @property
    def paused(self) -> bool:
        """Whether it stands until :meth:`resume`."""
        with self._lock:
            return self._head.paused

    @property
    def pausing(self) -> bool:
        """Whether it will stand when what runs has ended."""
        with self._lock:
            return self._pausing

    def remaining_s(self) -> float:
        """Return the seconds until the end, were there no pause."""
        with self._lock:
            now_ns = clock.now_ns()
            left_s = self._schedule.duration_s - self._head.position_s(now_ns)
            return max(0.0, left_s + (0.0 if self._head.paused else self._head.stands_s(now_ns)))

    def cue(self) -> Cue:
        """Return what the person reads now."""
        with self._lock:
            now_ns = clock.now_ns()
            if self._clap_ns is not None and (shown := contact_cue("clap_cue", (now_ns - self._clap_ns) * 1e-9)):
                return shown
            stands_s = self._head.stands_s(now_ns)
            if stands_s > 0.0:
                return waiting_cue(self._schedule, self._next, 0.0 if self._head.paused else stands_s)
            return cue_at(self._schedule, self._head.position_s(now_ns))

    # -- inside, under the lock ---------------------------------------------------------------------------------

    def _recording(self) -> CaptureWriter:
        if self._writer is None or self._finished.is_set():
            raise InputError("nothing is being recorded", "", "start a recording first")
        return self._writer

    def _running(self) -> Block | None:
        return next((b for b in self._blocks if b.first < self._next <= b.last), None)

    def _coming(self) -> Block | None:
        return next((b for b in self._blocks if b.first >= self._next), None)

    def _refuse_in_sync(self, what: str) -> None:
        running = self._running()
        if running is not None and running.kind == "sync":
            raise InputError(f"cannot {what} now", "a sync sequence runs and is always given in full", "wait for it")

    def _note(self, writer: CaptureWriter, what: str, label: str, text: str, t_ns: int | None = None) -> None:
        """Store what a person asked for: a marker with a text, and a row of the log."""
        now_ns = clock.now_ns() if t_ns is None else t_ns
        writer.event(now_ns, "marker", label=text, source=SOURCE, detail={"asked": what})
        self._event_log.log("info", what, {"label": label}, t_ns=now_ns)

    def _cut(self, writer: CaptureWriter) -> None:
        """End what runs before its time."""
        for kind, label in list(self._begun.items()):
            stop = Prompt(at_s=self.position_s(), kind=f"{kind}_stop", label=label)
            self._give(stop, writer, detail={"cut_short": True})

    def _begin_pause(self, writer: CaptureWriter) -> None:
        now_ns = clock.now_ns()
        self._pausing = False
        self._head.pause(now_ns)
        writer.event(now_ns, "pause_start", source=SOURCE)
        self._event_log.log("info", "paused", t_ns=now_ns)

    def _end_pause(self, writer: CaptureWriter, countdown_s: float) -> None:
        now_ns = clock.now_ns()
        self._head.resume(now_ns, countdown_s)
        writer.event(now_ns, "pause_stop", source=SOURCE)
        self._event_log.log("info", "resumed", t_ns=now_ns)
        self._wake.set()
