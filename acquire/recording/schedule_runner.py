"""A recording's schedule as a pure state machine: host times go in, what is due and the next wait come out.

The person may pause between exercises, redo, skip or continue; a sync sequence that has begun is always given in full.
:mod:`acquire.recording.schedule_thread` drives it with the host's clock and performs what is due.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from acquire.protocol.blocks import Block, blocks_of
from acquire.protocol.cues import Cue, contact_cue, cue_at, waiting_cue
from acquire.protocol.playhead import Playhead
from acquire.protocol.schedule import Prompt, Schedule
from dataset.support.errors import InputError
from dataset.support.text import clean_line

#: Time to get ready after a pause and before an exercise that is repeated.
COUNTDOWN_S = 3.0
LONGEST_MARK = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptDue:
    """Show a prompt to the person and store its event.

    Attributes
    ----------
    t_ns : int
        Host time of the event.
    requested : bool
        Requested by the user's key; False: it is in the schedule.
    detail : mapping
        Stored with the event.
    """

    t_ns: int
    prompt: Prompt
    requested: bool = False
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashDue:
    """Fire a flash; its event is stored when the flasher reports the time of the light."""

    t_ns: int
    prompt: Prompt
    requested: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkerDue:
    """Store a marker: ``command`` is the user's command, on ``label``, and ``text`` the marker's text."""

    t_ns: int
    command: str
    label: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseDue:
    """Store the beginning or the end of a pause; ``cut_short`` where the recording ends within it."""

    t_ns: int
    begins: bool
    cut_short: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LogDue:
    """Log a user request that is not an event."""

    t_ns: int
    what: str
    detail: Mapping[str, Any] = field(default_factory=dict)


Action = PromptDue | FlashDue | MarkerDue | PauseDue | LogDue


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Result of one update with the host time.

    Attributes
    ----------
    actions : tuple of Action
        Actions due now, in order. If there are any, update again at once: more may be due.
    wait_s : float or None
        Seconds until something is due, infinite in a pause; None: the schedule has ended.
    """

    actions: tuple[Action, ...]
    wait_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Text for the user on what a command did, and the actions to perform for it, in order."""

    words: str
    actions: tuple[Action, ...] = ()


class ScheduleRunner:
    """Position in one recording's schedule, and the commands that move it; no thread, no clock, no input or output.

    Parameters
    ----------
    schedule : Schedule
    began_ns : int
        Host time of the schedule's second 0.
    countdown_s : float
        Time to get ready after a pause and before an exercise that is repeated.

    Notes
    -----
    Every method takes the host time ``now_ns``, which never decreases. Commands raise InputError if they cannot be
    carried out now, and then change nothing.
    """

    def __init__(self, schedule: Schedule, began_ns: int, *, countdown_s: float = COUNTDOWN_S) -> None:
        self._schedule = schedule
        self._prompts = schedule.prompts
        self._blocks = blocks_of(schedule.prompts)
        self._countdown_s = countdown_s
        self._head = Playhead(began_ns)
        self._next = 0
        self._pausing = False
        self._begun: dict[str, str] = {}  # started and not stopped: kind without its suffix, label
        self._attempts: dict[int, int] = {}
        self._clap_ns: int | None = None

    # -- time -----------------------------------------------------------------------------------------------------

    def advance(self, now_ns: int) -> Step:
        """Return the actions due: at most one prompt, and the pause that begins after it."""
        position_s = self._head.position_s(now_ns)
        if self._head.stands_s(now_ns) <= 0.0:
            if self._next < len(self._prompts) and self._prompts[self._next].at_s <= position_s:
                index, self._next = self._next, self._next + 1
                return Step(actions=self._perform(index, now_ns), wait_s=0.0)
            if position_s >= self._schedule.duration_s:
                return Step(actions=(), wait_s=None)
        return Step(actions=(), wait_s=self.wait_s(now_ns))

    def wait_s(self, now_ns: int) -> float:
        """Return the seconds until something is due, infinite in a pause."""
        prompts = self._prompts
        at_s = prompts[self._next].at_s if self._next < len(prompts) else self._schedule.duration_s
        return max(0.0, self._head.stands_s(now_ns) + at_s - self._head.position_s(now_ns))

    def stop(self, now_ns: int) -> tuple[PromptDue | PauseDue, ...]:
        """End the schedule early: an exercise or a pause in progress is ended as cut short."""
        stops = [stop for stop in self._cut(now_ns) if stop.prompt.kind != "sync_stop"]
        paused = [PauseDue(t_ns=now_ns, begins=False, cut_short=True)] if self._head.paused else []
        return (*stops, *paused)

    def _perform(self, index: int, now_ns: int) -> tuple[Action, ...]:
        prompt = self._prompts[index]
        if prompt.kind == "flash":
            return (FlashDue(t_ns=now_ns, prompt=prompt),)
        detail: dict[str, Any] = {}
        if prompt.kind == "exercise_start":
            self._attempts[index] = self._attempts.get(index, 0) + 1
            if self._attempts[index] > 1:
                detail["attempt"] = self._attempts[index]
        given = PromptDue(t_ns=now_ns, prompt=prompt, detail=detail)
        self._note_span(prompt)
        if self._pausing and prompt.kind.endswith("_stop") and self._running() is None:
            return (given, self._begin_pause(now_ns))
        return (given,)

    def _note_span(self, prompt: Prompt) -> None:
        kind, _, end = prompt.kind.rpartition("_")
        if end == "start":
            self._begun[kind] = prompt.label
        elif end == "stop":
            self._begun.pop(kind, None)

    # -- commands -------------------------------------------------------------------------------------------------

    def mark(self, text: str, t_ns: int) -> Reply:
        """Store a marker with a one-line text at a host time, which may be past: it is typed after its moment."""
        words = clean_line(text)
        if not words:
            raise InputError("a marker needs a text", "it is empty")
        if len(words) > LONGEST_MARK:
            raise InputError("the marker's text is too long", f"{len(words)} of at most {LONGEST_MARK} characters")
        marker = MarkerDue(t_ns=t_ns, command="marker", label=words, text=words)
        return Reply(words=f"marked: {words}", actions=(marker,))

    def note(self, command: str, label: str, now_ns: int) -> Reply:
        """Log a user request on something that is not in the schedule."""
        return Reply(words=command, actions=(_marker(command, label, now_ns),))

    def pause(self, now_ns: int) -> Reply:
        """Pause: at once between exercises, else when the exercise or sequence in progress has ended."""
        running = self._running()
        if self._head.paused:
            raise InputError("the recording is paused already", "", "resume it")
        if self._coming() is None:
            raise InputError("nothing left to pause before", "this is the last of the recording")
        if running is None:
            return Reply(words="paused", actions=(self._begin_pause(now_ns),))
        self._pausing = True
        log = LogDue(t_ns=now_ns, what="pause requested", detail={"after": running.label or running.kind})
        return Reply(words=f"pauses after {running.label or 'the sync sequence'}", actions=(log,))

    def resume(self, now_ns: int) -> Reply:
        """Continue after a countdown; a pause that has not begun is cancelled."""
        if self._pausing:
            self._pausing = False
            return Reply(words="continues without a pause", actions=(LogDue(t_ns=now_ns, what="pause cancelled"),))
        if not self._head.paused:
            raise InputError("the recording is not paused", "it runs")
        ended = self._end_pause(now_ns, self._countdown_s)
        return Reply(words=f"continues in {self._countdown_s:.0f} s", actions=(ended,))

    def redo(self, now_ns: int) -> Reply:
        """Repeat the last exercise, or the last muscle's calibration; one in progress is cut short."""
        self._refuse_in_sync("redo")
        block = next((b for b in reversed(self._blocks) if b.first < self._next and b.kind != "sync"), None)
        if block is None:
            raise InputError("there is nothing to redo", "no exercise has begun yet")
        marker, stops = _marker("redo", block.label, now_ns), self._cut(now_ns)
        self._next = block.first
        self._head.jump(block.start_s, now_ns, self._countdown_s)
        return Reply(words=f"again: {block.label}", actions=(marker, *stops))

    def skip(self, now_ns: int) -> Reply:
        """Leave out the exercise in progress, cut short, or the next one."""
        self._refuse_in_sync("skip")
        block = self._running() or self._coming()
        if block is None or block.kind == "sync":
            raise InputError("there is nothing to skip", "a sync sequence is next, and is always given")
        marker, stops = _marker("skip", block.label, now_ns), self._cut(now_ns)
        self._next = block.last + 1
        self._head.jump(block.stop_s, now_ns)
        pause = (self._begin_pause(now_ns),) if self._pausing else ()
        return Reply(words=f"skipped: {block.label}", actions=(marker, *stops, *pause))

    def next(self, now_ns: int) -> Reply:
        """End what is in progress as if its time were over, or begin the next at once; a pause ends."""
        self._refuse_in_sync("go on")
        running = self._running()
        if running is None and self._coming() is None:
            raise InputError("nothing left in the schedule", "the recording ends")
        prompt = self._prompts[self._next]
        marker = _marker("next", prompt.label, now_ns)
        resumed = (self._end_pause(now_ns, 0.0),) if self._head.paused else ()
        self._head.jump(prompt.at_s, now_ns)
        words = f"ended: {running.label}" if running else f"begins: {prompt.label or 'sync sequence'}"
        return Reply(words=words, actions=(marker, *resumed))

    def flash(self, now_ns: int) -> Reply:
        """Flash at once, outside the schedule."""
        prompt = Prompt(at_s=self.position_s(now_ns), kind="flash")
        log = LogDue(t_ns=now_ns, what="flash requested")
        return Reply(words="flash", actions=(log, FlashDue(t_ns=now_ns, prompt=prompt, requested=True)))

    def clap_cue(self, now_ns: int) -> Reply:
        """Request a clap at once, outside the schedule."""
        self._clap_ns = now_ns
        prompt = Prompt(at_s=self.position_s(now_ns), kind="clap_cue", text="CLAP")
        log = LogDue(t_ns=now_ns, what="clap requested")
        return Reply(words="clap", actions=(log, PromptDue(t_ns=now_ns, prompt=prompt, requested=True)))

    # -- what is shown --------------------------------------------------------------------------------------------

    def position_s(self, now_ns: int) -> float:
        """Return the position in the schedule, in its own seconds: without pauses and countdowns."""
        return self._head.position_s(now_ns)

    def calibrating(self) -> str:
        """Return the channel being calibrated now or next; empty if none is."""
        block = self._running() or self._coming()
        return block.label if block is not None and block.kind == "calibration" else ""

    @property
    def paused(self) -> bool:
        """Whether it is paused until :meth:`resume`."""
        return self._head.paused

    @property
    def pausing(self) -> bool:
        """Whether it pauses at the end of the current block."""
        return self._pausing

    def remaining_s(self, now_ns: int) -> float:
        """Return the seconds until the end, without pauses."""
        left_s = self._schedule.duration_s - self._head.position_s(now_ns)
        return max(0.0, left_s + (0.0 if self._head.paused else self._head.stands_s(now_ns)))

    def cue(self, now_ns: int) -> Cue:
        """Return the current cue."""
        if self._clap_ns is not None and (shown := contact_cue("clap_cue", (now_ns - self._clap_ns) * 1e-9)):
            return shown
        stands_s = self._head.stands_s(now_ns)
        if stands_s > 0.0:
            return waiting_cue(self._schedule, self._next, 0.0 if self._head.paused else stands_s)
        return cue_at(self._schedule, self._head.position_s(now_ns))

    # -- inside ---------------------------------------------------------------------------------------------------

    def _running(self) -> Block | None:
        return next((b for b in self._blocks if b.first < self._next <= b.last), None)

    def _coming(self) -> Block | None:
        return next((b for b in self._blocks if b.first >= self._next), None)

    def _refuse_in_sync(self, what: str) -> None:
        running = self._running()
        if running is not None and running.kind == "sync":
            raise InputError(f"cannot {what} now", "a sync sequence runs and is always given in full", "wait for it")

    def _cut(self, now_ns: int) -> list[PromptDue]:
        """Return the stop prompts of the block in progress, which ends here."""
        at_s = self._head.position_s(now_ns)
        stops = [Prompt(at_s=at_s, kind=f"{kind}_stop", label=label) for kind, label in self._begun.items()]
        self._begun.clear()
        return [PromptDue(t_ns=now_ns, prompt=stop, detail={"cut_short": True}) for stop in stops]

    def _begin_pause(self, now_ns: int) -> PauseDue:
        self._pausing = False
        self._head.pause(now_ns)
        return PauseDue(t_ns=now_ns, begins=True)

    def _end_pause(self, now_ns: int, countdown_s: float) -> PauseDue:
        self._head.resume(now_ns, countdown_s)
        return PauseDue(t_ns=now_ns, begins=False)


def _marker(command: str, label: str, now_ns: int) -> MarkerDue:
    return MarkerDue(t_ns=now_ns, command=command, label=label, text=f"{command} {label}".strip())
