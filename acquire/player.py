"""Plays a schedule: each prompt at its time becomes an event, a flash goes to the LED box or the terminal."""

from __future__ import annotations

import threading
from collections.abc import Callable

from acquire.flasher import Flash, Flasher
from acquire.hardware import Hardware
from acquire.journal import Journal
from acquire.schedule import Prompt, Schedule
from dataset import clock
from dataset.capture_writer import CaptureWriter

FLASH_MS = 80
ANCHOR_EVERY_S = 10.0
WATCH_EVERY_S = 0.5


class SchedulePlayer:
    """A thread that plays one recording's schedule from beginning to end, or until it is stopped.

    Parameters
    ----------
    schedule : Schedule
    hardware : Hardware
        Told of every prompt.
    journal : Journal
    finished : threading.Event
        Set when the schedule has ended; set by others to end it early.
    watch : callable
        Called about twice a second while nothing else is to do.
    """

    def __init__(
        self,
        schedule: Schedule,
        hardware: Hardware,
        journal: Journal,
        *,
        finished: threading.Event,
        watch: Callable[[], None],
    ) -> None:
        self._schedule = schedule
        self._hardware = hardware
        self._journal = journal
        self._finished = finished
        self._watch = watch
        self._thread: threading.Thread | None = None
        self._exercise = ""
        #: What ended the schedule before its time; None where nothing did.
        self.failure: Exception | None = None

    def start(self, writer: CaptureWriter, began_ns: int, flasher: Flasher | None) -> None:
        """Begin; the schedule's second 0 is ``began_ns`` of the host's clock."""
        self._thread = threading.Thread(
            target=self._run, args=(writer, began_ns, flasher), name="schedule", daemon=True
        )
        self._thread.start()

    def stop(self, writer: CaptureWriter) -> None:
        """End it; an exercise that runs is ended by an event that says it was cut short."""
        self._finished.set()
        if self._thread is not None:
            self._thread.join()
        if self._exercise:
            writer.event(
                clock.now_ns(),
                "exercise_stop",
                label=self._exercise,
                source="schedule",
                detail={"cut_short": True},
            )
            self._exercise = ""

    def _run(self, writer: CaptureWriter, began_ns: int, flasher: Flasher | None) -> None:
        try:
            self._play(writer, began_ns, flasher)
        except Exception as error:  # noqa: BLE001 - a recording without its schedule must end, not run for ever
            self.failure = error
            self._journal.log("error", "the schedule broke off", {"error": repr(error)})
        finally:
            self._finished.set()

    def _play(self, writer: CaptureWriter, began_ns: int, flasher: Flasher | None) -> None:
        prompts = list(self._schedule.prompts)
        if flasher is None and any(p.kind == "flash" for p in prompts):
            prompts = [p for p in prompts if p.kind != "flash"]
            self._journal.log("warning", "flashes skipped: no LED box and no screen; the video's offset rests on claps")
        anchor_s = ANCHOR_EVERY_S
        while not self._finished.is_set():
            elapsed_s = (clock.now_ns() - began_ns) * 1e-9
            if prompts and prompts[0].at_s <= elapsed_s:
                self._perform(prompts.pop(0), writer, flasher)
                continue
            if elapsed_s >= self._schedule.duration_s:
                break
            if elapsed_s >= anchor_s:
                writer.clock_anchor(*clock.anchor())
                anchor_s += ANCHOR_EVERY_S
            self._watch()
            next_s = min(prompts[0].at_s if prompts else self._schedule.duration_s, elapsed_s + WATCH_EVERY_S)
            self._finished.wait(max(0.0, next_s - (clock.now_ns() - began_ns) * 1e-9))

    def _perform(self, prompt: Prompt, writer: CaptureWriter, flasher: Flasher | None) -> None:
        host_ns = clock.now_ns()
        self._hardware.prompt(prompt, host_ns)
        if prompt.kind == "flash":
            if flasher is not None:
                flasher.request_flash(FLASH_MS, lambda flash: self._on_flash(flash, writer, flasher.source))
            return
        writer.event(host_ns, prompt.kind, label=prompt.label, source="schedule")
        if prompt.kind == "exercise_start":
            self._exercise = prompt.label
        elif prompt.kind == "exercise_stop":
            self._exercise = ""

    def _on_flash(self, flash: Flash | None, writer: CaptureWriter, source: str) -> None:
        if flash is None:
            self._journal.log("warning", "a flash was not given", {"source": source})
            return
        writer.event(
            flash.t_ns,
            "flash",
            uncertainty_ns=flash.uncertainty_ns,
            source=source,
            detail=flash.detail,
        )
