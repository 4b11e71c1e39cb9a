"""One visit without a terminal: which step comes next, when a take begins and ends, what is said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from acquire.bluetooth.status import SensorStatus
from acquire.recording.phase import Phase
from acquire.recording.subject import Subject
from acquire.recording.take import Recording
from acquire.screen.conductor import Conductor
from acquire.screen.controls import Control
from acquire.screen.flow import Plan
from acquire.screen.notices import Level
from acquire.screen.steps import Step
from dataset.support.errors import InputError
from tests.unit.acquire.screen import frozen


class Recorder(frozen.FrozenRecorder):
    """Opens, records and closes at once."""

    lacks: tuple[SensorStatus, ...] = ()

    def missing(self) -> tuple[SensorStatus, ...]:
        return self.lacks

    def open(self) -> None:
        super().open()
        self.now = replace(self.now, phase=Phase.WAITING if self.lacks else Phase.READY)

    def start(self) -> None:
        super().start()
        self.now = frozen.snapshot("recording")

    def close(self) -> Recording | None:  # type: ignore[override]
        super().close()
        recorded = self.now.phase == "recording"
        self.now = replace(self.now, phase=Phase.DONE)
        return frozen.recording() if recorded else None


@dataclass
class Stage:
    """Notes what is shown and said."""

    shown: list[Step] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    stops: list[Callable[[], None]] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def show_step(self, step: Step) -> None:
        self.shown.append(step)

    def say(self, words: str, level: Level = "information", *, seconds: float = 5.0) -> None:
        self.said.append(words)

    def show_problem(self, words: str) -> bool:
        self.problems.append(words)
        return True

    def ask_to_stop(self, on_yes: Callable[[], None]) -> None:
        self.stops.append(on_yes)

    def run_beside(self, work: Coroutine[Any, Any, None], group: str) -> None:
        self.tasks.append(asyncio.create_task(work))

    async def settle(self) -> None:
        await asyncio.gather(*self.tasks)


@dataclass
class Visit:
    """A conductor, its stage, the recorders it made, and a clock that stands still."""

    lacks: tuple[SensorStatus, ...] = ()
    refuses: str = ""
    stage: Stage = field(default_factory=Stage)
    made: list[Recorder] = field(default_factory=list)
    now_s: float = 0.0

    def __post_init__(self) -> None:
        self.conductor = Conductor(self.stage, self.make, Plan(), patience_s=5.0, clock_s=lambda: self.now_s)

    def make(self, plan: Plan) -> Any:
        if self.refuses:
            raise InputError(self.refuses, "it went away", "bring it back")
        recorder = Recorder(frozen.snapshot("closed"))
        recorder.lacks = self.lacks
        self.made.append(recorder)
        return recorder

    def update(self) -> None:
        self.conductor.update(self.stage.shown[-1])

    async def record(self) -> None:
        """Record a take and save it."""
        self.conductor.record_when_ready()
        await self.stage.settle()
        self.update()
        self.conductor.ask_to_stop()
        self.stage.stops.pop()()
        await self.conductor.takes.end()


async def test_a_take_from_setup_to_summary() -> None:
    visit = Visit()
    conductor, stage = visit.conductor, visit.stage
    conductor.go(Step.SETUP)
    conductor.choose_plan(conductor.flow.plan, at_once=False)
    await stage.settle()
    for step in (Step.CHECK, Step.ASSIGN):
        conductor.go_on(step)
    conductor.start(calibrate=True)
    visit.made[0].muscle = "left_biceps"
    visit.update()
    assert stage.shown[-1] is Step.CALIBRATE, "a muscle is still asked for"
    visit.made[0].muscle = ""
    visit.update()
    visit.made[0].finished.set()
    visit.update()
    await conductor.takes.end()
    assert stage.shown == list(Step)
    assert visit.made[0].asked == ["open", "calibrate True", "start", "close"]
    assert len(conductor.flow.recordings) == 1 and stage.said == []


async def test_nothing_goes_on_before_every_sensor_streams() -> None:
    visit = Visit(lacks=(frozen.sensor(2, state="scanning"),))
    visit.conductor.go(Step.CHECK)
    await visit.stage.settle()
    visit.conductor.go_on(Step.CHECK)
    visit.conductor.start(calibrate=False)
    assert visit.stage.shown == [Step.CHECK] and "start" not in visit.made[0].asked
    assert visit.stage.said == ["not every sensor streams yet: right_biceps"] * 2


async def test_another_plan_makes_another_recorder_and_releases_the_first() -> None:
    visit = Visit()
    plan = replace(visit.conductor.flow.plan, subject=Subject(label="P2"))
    visit.conductor.choose_plan(plan, at_once=True)
    await visit.stage.settle()
    visit.update()
    visit.conductor.takes.wait_until_released()
    assert visit.made[0].asked == ["close"]
    assert visit.made[1].asked == ["open", "calibrate False", "start"]
    assert visit.stage.shown == [Step.RECORD]


async def test_a_refused_plan_is_shown_in_the_form_and_nothing_goes_on() -> None:
    visit = Visit()
    visit.refuses = "no such rig"
    visit.conductor.go(Step.SETUP)
    visit.conductor.choose_plan(replace(visit.conductor.flow.plan, rig="gone.toml"), at_once=True)
    assert visit.stage.shown == [Step.SETUP] and not visit.conductor.flow.at_once
    (problem,) = visit.stage.problems
    assert "no such rig" in problem and "bring it back" in problem


async def test_back_out_of_a_recording_asks_and_stops_it_once() -> None:
    visit = Visit()
    visit.conductor.go(Step.SETUP)
    visit.conductor.record_when_ready()
    await visit.stage.settle()
    visit.update()
    visit.conductor.go_back()
    visit.conductor.go_back()
    assert len(visit.stage.stops) == 2 and visit.stage.shown == [Step.SETUP, Step.RECORD]
    for yes in visit.stage.stops:
        yes()
    await visit.conductor.takes.end()
    assert visit.made[0].asked.count("close") <= 2 and len(visit.conductor.flow.recordings) == 1
    assert visit.stage.shown[-1] is Step.SUMMARY


@pytest.mark.parametrize("placed", [True, False])
async def test_a_take_that_waits_in_vain_goes_back_and_says_why(placed: bool) -> None:
    visit = Visit()
    if placed:
        await visit.record()
    visit.lacks = (frozen.sensor(2, state="scanning"),)
    if placed:
        visit.made[0].sensors = tuple(s.sensor for s in visit.made[0].now.sensors)
        visit.conductor.flow.recorded(frozen.recording())
        visit.conductor.another_take(same_placement=True)
    else:
        visit.conductor.choose_plan(replace(visit.conductor.flow.plan, rig="other"), at_once=True)
    await visit.stage.settle()
    for at_s in (10.0, 14.9):
        visit.now_s = at_s
        visit.update()
    assert visit.stage.shown[-1] is (Step.CHECK if placed else Step.RECORD), "it waits for five seconds"
    visit.now_s = 15.1
    visit.update()
    why = visit.conductor.flow.not_found if placed else visit.stage.said[-1]
    assert "1 of 8 sensors were not found in 5 s" in why and "R biceps (M40-0002)" in why
    assert visit.stage.shown[-1] is (Step.SUMMARY if placed else Step.CHECK)
    assert not visit.conductor.flow.at_once
    visit.conductor.takes.wait_until_released()


async def test_a_rig_file_that_went_away_is_said() -> None:
    visit = Visit()
    await visit.record()
    visit.refuses = "no rig file"
    visit.conductor.another_take(same_placement=False)
    assert visit.stage.shown[-1] is Step.SUMMARY and "no rig file" in visit.stage.said[-1]
    assert visit.conductor.error is not None


@pytest.mark.parametrize("control", Control)
async def test_each_control_reaches_the_recorder(control: Control) -> None:
    visit = Visit()
    visit.conductor.steer(control)
    assert visit.made[0].asked == [control.value] and visit.stage.said == [control.value]


async def test_a_marker_and_a_reconnection_are_reported() -> None:
    visit = Visit()
    visit.conductor.mark("knee", 5)
    visit.conductor.reconnect(3)
    await visit.stage.settle()
    assert visit.made[0].asked == ["mark knee", "reconnect 3"] and visit.stage.said == ["knee", "reconnect"]


async def test_leaving_saves_and_shows_no_summary() -> None:
    visit = Visit()
    visit.conductor.record_when_ready()
    await visit.stage.settle()
    visit.update()
    await visit.conductor.leave()
    assert len(visit.conductor.flow.recordings) == 1 and visit.stage.shown == [Step.RECORD]
