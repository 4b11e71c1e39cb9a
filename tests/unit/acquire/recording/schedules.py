"""Short schedules, and a player of them that needs no thread and no time: the clock is a number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from acquire.protocol.protocol import Protocol, parse_protocol
from acquire.protocol.schedule import Schedule, build_schedule
from acquire.recording.schedule_runner import Action, FlashDue, MarkerDue, PauseDue, PromptDue, Reply, ScheduleRunner

S = 1_000_000_000
BEGAN_NS = 7 * S

PLAN = parse_protocol(
    """
name = "three"
lead_in_s = 0.1
rest_s = 0.3
[sync]
claps = 1
stomps = 1
shortest_gap_s = 0.1
longest_gap_s = 0.2
[calibration]
rest_s = 2.5
contract_s = 1.5
[[exercises]]
name = "squat"
seconds = 0.4
[[exercises]]
name = "twist"
repetitions = 2
seconds_each = 0.2
[[exercises]]
name = "running"
seconds = 0.4
rest_s = 0.5
""",
    "three",
)
WITHOUT_SYNC = PLAN.model_copy(update={"sync": PLAN.sync.model_copy(update={"claps": 0, "stomps": 0})})
SPANS = ("exercise_start", "exercise_stop", "pause_start", "pause_stop")
SYNC = ("sync_start", "clap_cue", "stomp_cue", "sync_stop")


@dataclass(frozen=True)
class Row:
    """An event as the capture would hold it."""

    t_ns: int
    kind: str
    label: str = ""
    requested: bool = False
    detail: dict[str, object] = field(default_factory=dict)


def rows_of(action: Action) -> list[Row]:
    """Return the event that an action leaves, where it leaves one."""
    if isinstance(action, PromptDue):
        detail = dict(action.detail)
        return [Row(action.t_ns, action.prompt.kind, action.prompt.label, action.requested, detail)]
    if isinstance(action, FlashDue):
        return [Row(action.t_ns, "flash", requested=action.requested)]
    if isinstance(action, MarkerDue):
        return [Row(action.t_ns, "marker", action.text, requested=True)]
    if isinstance(action, PauseDue):
        detail = {"cut_short": True} if action.cut_short else {}
        return [Row(action.t_ns, "pause_start" if action.begins else "pause_stop", detail=detail)]
    return []


class Played:
    """A runner and a clock that is set by hand."""

    def __init__(self, protocol: Protocol, calibrate: tuple[str, ...] = ()) -> None:
        self.schedule: Schedule = build_schedule(protocol, 3, calibrate=calibrate)
        self.runner = ScheduleRunner(self.schedule, BEGAN_NS)
        self.now_ns = BEGAN_NS
        self.rows: list[Row] = []
        self.actions: list[Action] = []
        self.ended = False

    def take(self, actions: tuple[Action, ...]) -> None:
        """Note what is due."""
        self.actions.extend(actions)
        self.rows.extend(row for action in actions for row in rows_of(action))

    def do(self, command: Callable[[int], Reply]) -> str:
        """Carry out a command now."""
        reply = command(self.now_ns)
        self.take(reply.actions)
        return reply.words

    def wait(self, seconds: float) -> None:
        """Let time go by, looking at the runner exactly when it asks to be looked at."""
        until_ns = self.now_ns + round(seconds * S)
        while not self.ended:
            step = self.runner.advance(self.now_ns)
            self.take(step.actions)
            if step.wait_s is None:
                self.ended = True
            elif not step.actions:
                if step.wait_s * S > until_ns - self.now_ns:
                    break
                self.now_ns += max(1, round(step.wait_s * S))
        self.now_ns = max(self.now_ns, until_ns)

    def until(self, kind: str, label: str = "", times: int = 1) -> None:
        """Let time go by until an event is there."""
        for _ in range(10_000):
            if sum((row.kind, row.label) == (kind, label) for row in self.rows) >= times:
                return
            assert not self.ended, f"{kind} {label} did not come"
            step = self.runner.advance(self.now_ns)
            self.take(step.actions)
            self.ended = step.wait_s is None
            if not step.actions and step.wait_s is not None:
                assert step.wait_s < 100.0, f"{kind} {label} does not come: it stands"
                self.now_ns += max(1, round(step.wait_s * S))
        raise AssertionError(f"{kind} {label} did not come")

    def end(self) -> None:
        """Play to the end."""
        self.wait(1000.0)
        assert self.ended

    def stop(self) -> None:
        """End it here."""
        self.take(self.runner.stop(self.now_ns))

    def kinds(self, *wanted: str) -> list[tuple[str, str]]:
        """Return kind and label of the events, of those kinds or of all."""
        return [(row.kind, row.label) for row in self.rows if not wanted or row.kind in wanted]
