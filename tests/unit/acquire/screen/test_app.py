"""The capture screen with a pilot on fake hardware: one key records; the steps; leaving; keys that steer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input, Select, Static

from acquire.assignment import Assigned, Undecided
from acquire.hardware import SETTLE_S
from acquire.preflight.checks import BodyView
from acquire.protocol.protocol import parse_protocol
from acquire.recording.recorder import Recorder
from acquire.recording.subject import Subject
from acquire.recording.take import Take
from acquire.screen.app import CaptureApp
from acquire.screen.assign import AssignScreen
from acquire.screen.bars import TopBar
from acquire.screen.calibrate import CalibrateScreen
from acquire.screen.cell import SensorCell
from acquire.screen.check import CheckScreen
from acquire.screen.flow import Plan
from acquire.screen.modals import HelpScreen, LeaveScreen, MarkerScreen, ReconnectScreen, StopScreen
from acquire.screen.record import RecordScreen
from acquire.screen.run import run_screen
from acquire.screen.setup import SetupScreen
from acquire.screen.steps import Step
from acquire.screen.summary import Preview, SummaryScreen
from acquire.screen.widgets import CuePanel, StatusLine
from dataset.capture.reader import Capture, find_captures

PLAN_TOML = """
name = "short"
lead_in_s = 0.5
[sync]
claps = 3
stomps = 0
[[exercises]]
name = "squat"
seconds = 30
[[exercises]]
name = "front_kick"
seconds = 30
"""
PLAN = parse_protocol(PLAN_TOML, "short")


async def _preview(_: Path) -> Preview:
    return Preview(verdict="WARNING", reasons=("no LED box",), streams={"video": "WARNING"})


@pytest.fixture(autouse=True)
def _no_alignment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The synchroniser's process is the integration tests'; rig files lie in the folder the screen is started in."""
    monkeypatch.setattr("acquire.screen.summary.preview_verdict", _preview)
    monkeypatch.chdir(tmp_path)


def make_app(
    fakes: Any, out: Path, *, n: int = 8, off: Sequence[int] = (), settle_s: float = SETTLE_S, **more: Any
) -> tuple[CaptureApp, Any]:
    """Return an app on fake hardware and the hardware of each take."""
    made: list[Any] = []

    def make_recorder(plan: Plan) -> Recorder:
        sensors = fakes.sensors(n)
        for at in off:
            sensors[at].switched_on = False
        parts = {"camera": fakes.camera(30), "microphone": fakes.microphone()}
        made.append(fakes.hardware(sensors, settle_s=settle_s, **parts))
        subject = plan.subject
        take = Take(
            protocol=PLAN, out=plan.out, subject=subject.label, seed=3, protocol_toml=PLAN_TOML,
            subject_info=subject.info(), setup_id=plan.setup_id, sensors=plan.sensors,
        )  # fmt: skip
        return Recorder(made[-1], take)

    return CaptureApp(make_recorder, Plan(out=out, subject=Subject(label="S1")), **more), made


async def until(pilot: Pilot[int], condition: Any, what: str) -> None:
    """Wait for a condition; it is asked twenty times a second."""
    for _ in range(300):
        if condition():
            await pilot.pause(0.15)
            return
        await pilot.pause(0.05)
    raise AssertionError(f"never {what}, but {step_of(pilot)} {phase(pilot)}")


def step_of(pilot: Pilot[int]) -> str:
    assert isinstance(pilot.app, CaptureApp)
    return type(pilot.app.step).__name__


def shows(app: CaptureApp, kind: type[LeaveScreen | HelpScreen]) -> bool:
    return isinstance(app.screen, kind)


def phase(pilot: Pilot[int]) -> str:
    assert isinstance(pilot.app, CaptureApp)
    return pilot.app.recorder.snapshot().phase


def seen(app: CaptureApp, kind: type[Any]) -> str:
    assert app.step is not None
    return "\n".join(str(widget.render()) for widget in app.step.query(kind))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_one_key_records(fakes: Any, tmp_path: Path, size: tuple[int, int]) -> None:
    app, made = make_app(fakes, tmp_path)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        assert isinstance(app.step, SetupScreen)
        await pilot.press("ctrl+r")
        await until(pilot, lambda: phase(pilot) == "recording", "recording")
        await pilot.pause(1.2)
        assert "● REC" in seen(app, TopBar)
        cells = seen(app, SensorCell)
        assert all(name in cells for name in ("L biceps", "R triceps", "L quadriceps", "R hamstrings"))
        assert cells.count("●") == 8
        assert "camera ●" in seen(app, StatusLine) and "0 dropped" in seen(app, StatusLine)
        for widget in app.step.query(SensorCell):
            assert widget.size.height >= 4, "a headline, details and a trace fit"
        await pilot.press("ctrl+x", "enter")
        await until(pilot, lambda: isinstance(app.step, SummaryScreen) and app.step.preview, "a summary")
        summary = seen(app, Static)
        assert "saved sub-S1/ses-" in summary and "WARNING" in summary and "mia-sync run" in summary
        await pilot.press("ctrl+q")
        await pilot.pause(0.3)
    assert app.return_code == 0
    assert len(app.recordings) == 1
    assert made[0].finished_with == [app.recordings[0].folder]
    with Capture.open(app.recordings[0].folder) as capture:
        assert capture.closed
        assert all(len(capture.notifications(s.slot).payload) > 10 for s in capture.sensors)
        assert len(capture.frames().pts_ns) > 10


async def test_the_whole_flow_and_a_further_take(fakes: Any, tmp_path: Path) -> None:
    app, made = make_app(fakes, tmp_path, n=2)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        app.step.query_one("#label", Input).value = "P7"  # type: ignore[union-attr]
        app.step.query_one("#height_m", Input).value = "1,82"  # type: ignore[union-attr]
        app.step.query_one("#handedness", Input).value = "l"  # type: ignore[union-attr]
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.step, CheckScreen) and phase(pilot) == "ready", "checked")
        assert len(made) == 2, "the rig was made again for another person"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.step, AssignScreen), "assigning")
        app.conductor.assignment.answers = {
            "left_biceps": Assigned(slot=2, margin=0.9, why=""),
            "right_biceps": Assigned(slot=1, margin=0.9, why=""),
        }
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.step, CalibrateScreen), "rest and contract")
        await pilot.press("enter")
        await until(pilot, lambda: phase(pilot) == "recording", "recording")
        assert app.recorder.calibrating() == "right_biceps" and isinstance(app.step, CalibrateScreen)
        await pilot.pause(0.8)
        for _ in range(2):
            await pilot.press("s")
            await pilot.pause(0.3)
        await until(pilot, lambda: isinstance(app.step, RecordScreen), "recording after the calibration")
        await pilot.press("ctrl+x", "y")
        await until(pilot, lambda: isinstance(app.step, SummaryScreen), "a summary")
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.step, CheckScreen) and phase(pilot) == "ready", "ready again")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.step, RecordScreen), "straight to the recording")
        await pilot.press("ctrl+r")
        await until(pilot, lambda: phase(pilot) == "recording", "recording again")
        await pilot.press("ctrl+x", "enter")
        await until(pilot, lambda: len(app.recordings) == 2, "saved again")
        await pilot.press("ctrl+q")
        await pilot.pause(0.3)
    first, second = (Capture.open(r.folder) for r in app.recordings)
    assert first.subject == "P7"
    (info,) = [detail for _, _, what, detail in first.log() if what == "subject"]
    assert info == {"handedness": "left", "height_m": 1.82}
    assert first.meta["setup_id"] and first.meta["setup_id"] == second.meta["setup_id"]
    assert [s.channel for s in first.sensors] == ["right_biceps", "left_biceps"], "who answered sits there"
    assert [s.channel for s in second.sensors] == ["right_biceps", "left_biceps"], "and stays there"
    assert {e.label for e in first.events("rest_start", "contract_start")} <= {"left_biceps", "right_biceps"}
    assert first.events("rest_start") and not second.events("rest_start")
    first.close()
    second.close()


async def test_keys_steer_the_recording(fakes: Any, tmp_path: Path) -> None:
    app, _ = make_app(fakes, tmp_path, n=1)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+r")
        await until(pilot, lambda: phase(pilot) == "recording", "recording")
        await until(pilot, lambda: "SQUAT" in big(app), "the first exercise")
        await pilot.press("m")
        await pilot.pause(0.1)
        assert isinstance(app.screen, MarkerScreen)
        before_s = app.recorder.elapsed_s()
        await pilot.press(*"knee", "enter")
        await pilot.press("s")
        await until(pilot, lambda: "FRONT" in big(app), "the second exercise")
        await pilot.press("c", "space")
        await until(pilot, lambda: app.recorder.snapshot().pausing, "a pause asked for")
        await pilot.press("n")
        await until(pilot, lambda: app.recorder.snapshot().paused, "paused")
        await pilot.press("d")
        await pilot.press("t", "v")
        assert app.step is not None and app.step.has_class("camera-only")
        await pilot.press("ctrl+x", "enter")
        await until(pilot, lambda: bool(app.recordings), "saved")
        await pilot.press("ctrl+q")
        await pilot.pause(0.2)
    with Capture.open(app.recordings[0].folder) as capture:
        markers = {e.label: e.t_ns for e in capture.events("marker")}
        (began_ns,) = [t for t, _, what, _ in capture.log() if what == "recording"]
        assert {"knee", "skip squat", "next front_kick", "redo front_kick"} <= set(markers)
        assert (markers["knee"] - began_ns) * 1e-9 < before_s, "a marker's time is that of its key"
        assert any(e.source == "control" for e in capture.events("clap_cue"))
        assert capture.events("pause_start")


@pytest.mark.parametrize("name", ["Maria", "aprwnodskqxq", "RMXAPWQNSDFCKVT"])
async def test_a_name_full_of_key_letters_goes_into_the_label_and_nowhere_else(
    fakes: Any, tmp_path: Path, name: str
) -> None:
    app, made = make_app(fakes, tmp_path, n=1)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press(*name)
        await pilot.pause(0.2)
        assert isinstance(app.step, SetupScreen) and app.is_running
        assert app.step.query_one("#label", Input).value == name, "what is typed takes the place of the default"
        assert phase(pilot) == "closed" and len(made) == 1
        await pilot.press("ctrl+r")
        await until(pilot, lambda: phase(pilot) == "recording", "recording")
        assert app.recorder.subject == name
        await pilot.press("ctrl+x", "enter")
        await until(pilot, lambda: isinstance(app.step, SummaryScreen), "a summary")
        await pilot.press("ctrl+q")
        await pilot.pause(0.2)
    assert [r.subject for r in app.recordings] == [name]


async def test_no_letter_starts_stops_or_leaves_a_recording(fakes: Any, tmp_path: Path) -> None:
    """What is typed by mistake: no recording begins or ends by it. Next, skip and redo steer it, and are markers."""
    app, _ = make_app(fakes, tmp_path, n=1)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.step, CheckScreen) and phase(pilot) == "ready", "ready")
        for step in ("check", "record"):
            app.conductor.go(Step(step))
            await pilot.pause(0.2)
            await pilot.press(*"bcdefghijlmnprstuvwxyz")
            assert phase(pilot) == "ready" and app.step is not None and step == app.step.STEP
        await pilot.press("ctrl+r")
        await until(pilot, lambda: phase(pilot) == "recording", "recording")
        for letter in "abcfghijklopqrtuvwxyz":
            await pilot.press(letter)
            if isinstance(app.screen, LeaveScreen | ReconnectScreen):
                await pilot.press("enter", "escape")
        assert phase(pilot) == "recording" and app.is_running and isinstance(app.step, RecordScreen)
        await pilot.press("ctrl+x", "enter")
        await until(pilot, lambda: isinstance(app.step, SummaryScreen), "a summary")
        await pilot.press(*"bcdefghijklmnorstuvxyz")
        assert isinstance(app.step, SummaryScreen) and len(app.recordings) == 1
        await pilot.press("ctrl+q")
        await pilot.pause(0.2)


async def test_stopping_asks_and_one_key_confirms(fakes: Any, tmp_path: Path) -> None:
    app, _ = make_app(fakes, tmp_path, n=1)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+r")
        await until(pilot, lambda: phase(pilot) == "recording", "recording")
        for back in ("escape", "n"):
            for ask in ("ctrl+x", "escape"):
                # A flash of the sync sequence may lie on top for a moment; keys pass through it.
                await pilot.press(ask)
                await until(pilot, lambda: isinstance(app.screen, StopScreen), "the question")
                await pilot.press(back)
                await until(pilot, lambda: isinstance(app.screen, RecordScreen), "the recording")
                assert phase(pilot) == "recording"
        await pilot.press("ctrl+r")
        assert phase(pilot) == "recording"
        await pilot.press("ctrl+x", "enter")
        await until(pilot, lambda: isinstance(app.step, SummaryScreen), "a summary")
        await pilot.press("ctrl+q")
        await pilot.pause(0.2)
    assert len(app.recordings) == 1


async def test_every_step_has_a_way_back(fakes: Any, tmp_path: Path) -> None:
    app, made = make_app(fakes, tmp_path, n=1)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.step, CheckScreen) and phase(pilot) == "ready", "ready")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.step, AssignScreen), "assigning")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.step, CalibrateScreen), "rest and contract")
        for kind in (AssignScreen, CheckScreen, SetupScreen):
            await pilot.press("escape")
            await until(pilot, lambda kind=kind: isinstance(app.step, kind), f"back at {kind.__name__}")
        assert phase(pilot) == "ready" and len(made) == 1, "the rig is kept"
        await pilot.press("escape")
        await pilot.pause(0.1)
        assert isinstance(app.step, SetupScreen), "the first step"
        await pilot.press(*"P2", "enter")
        await until(pilot, lambda: isinstance(app.step, CheckScreen) and phase(pilot) == "ready", "ready again")
        assert len(made) == 2 and made[0].radio_open == 0, "another person's rig is opened when the first is closed"
        await pilot.press("escape", "ctrl+r")
        await until(pilot, lambda: phase(pilot) == "recording", "recording")
        await pilot.press("escape", "enter")
        await until(pilot, lambda: isinstance(app.step, SummaryScreen), "a summary")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.step, SetupScreen), "setup")
        await pilot.press("ctrl+q")
        await pilot.pause(0.3)
    assert [r.subject for r in app.recordings] == ["P2"]
    assert all(hardware.radio_open == 0 for hardware in made)


async def test_a_further_take_that_does_not_find_its_sensors_says_so_and_goes_back(fakes: Any, tmp_path: Path) -> None:
    off: list[int] = []
    app, made = make_app(fakes, tmp_path, n=2, off=off, settle_s=0.1, patience_s=2.0)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+r")
        await until(pilot, lambda: phase(pilot) == "recording", "recording")
        await pilot.press("ctrl+x", "enter")
        await until(pilot, lambda: isinstance(app.step, SummaryScreen), "a summary")
        off.append(1)
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.step, SummaryScreen) and app.flow.not_found, "back at the summary")
        words = " ".join(seen(app, Static).split())
        assert "1 of 2 sensors were not found in 2 s" in words and "R biceps (SN002)" in words
        await until(pilot, lambda: made[1].radio_open == 0, "its rig is released")
        off.clear()
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.step, CheckScreen) and phase(pilot) == "ready", "ready")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.step, SummaryScreen), "given up by hand")
        assert "not found" not in seen(app, Static)
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.step, CheckScreen) and phase(pilot) == "ready", "ready again")
        await pilot.press("ctrl+r")
        await until(pilot, lambda: phase(pilot) == "recording", "recording again")
        await pilot.press("ctrl+x", "enter")
        await until(pilot, lambda: len(app.recordings) == 2, "saved again")
        await pilot.press("ctrl+q")
        await pilot.pause(0.3)
    first, second = (Capture.open(r.folder) for r in app.recordings)
    assert first.meta["setup_id"] == second.meta["setup_id"]
    assert [s.serial for s in first.sensors] == [s.serial for s in second.sensors]
    first.close()
    second.close()
    assert all(hardware.radio_open == 0 for hardware in made)


async def test_a_take_that_begins_by_itself_does_not_wait_for_ever(fakes: Any, tmp_path: Path) -> None:
    app, _ = make_app(fakes, tmp_path, n=2, off=[1], settle_s=0.1, patience_s=1.0)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+r")
        await until(pilot, lambda: isinstance(app.step, CheckScreen), "checking")
        assert not app.flow.at_once and phase(pilot) == "waiting"
        said = app.notices.current()
        assert said is not None and "R biceps" in said.words
        await pilot.press("ctrl+q")
        await pilot.pause(0.2)


def big(app: CaptureApp) -> str:
    cue = app.recorder.snapshot().cue
    return cue.title.upper() if cue else ""


async def test_quitting_while_recording_asks_and_saves(fakes: Any, tmp_path: Path) -> None:
    app, _ = make_app(fakes, tmp_path, n=2)
    async with app.run_test() as pilot:
        await pilot.press("ctrl+r")
        await until(pilot, lambda: phase(pilot) == "recording", "recording")
        await pilot.press("ctrl+q")
        await pilot.pause(0.1)
        assert shows(app, LeaveScreen)
        await pilot.press("n")
        await pilot.pause(0.1)
        assert phase(pilot) == "recording" and not shows(app, LeaveScreen)
        await pilot.press("ctrl+q", "y")
        await pilot.pause(0.5)
    with Capture.open(app.recordings[0].folder) as capture:
        assert capture.closed


async def test_a_missing_sensor_is_shown_and_recording_waits_for_it(fakes: Any, tmp_path: Path) -> None:
    app, _ = make_app(fakes, tmp_path, n=3, off=(2,), settle_s=0.1)
    async with app.run_test() as pilot:
        await pilot.press("ctrl+r")
        await until(pilot, lambda: "2 of 3" in seen(app, CuePanel), "two of three")
        assert "○" in seen(app, SensorCell) and "searching" in seen(app, SensorCell)
        await pilot.press("ctrl+q")
        await pilot.pause(0.2)
    assert not app.recordings and not list(tmp_path.glob("sub-*"))


async def test_a_wrong_field_is_named_and_nothing_goes_on(fakes: Any, tmp_path: Path) -> None:
    app, made = make_app(fakes, tmp_path, n=1)
    async with app.run_test() as pilot:
        await pilot.pause()
        step = app.step
        assert isinstance(step, SetupScreen)
        step.query_one("#mass_kg", Input).value = "heavy"
        await pilot.press("enter")
        await until(pilot, lambda: "mass" in seen(app, Static), "told")
        step.query_one("#mass_kg", Input).value = ""
        step.query_one("#label", Input).value = "Jane Doe"
        await pilot.press("enter")
        await until(pilot, lambda: "letters and digits" in seen(app, Static), "told")
        assert app.step is step
        assert {value for _, value in step.query_one("#rig", Select)._options} == {"virtual", "virtual-mixed"}
        await pilot.press("ctrl+q")
        await pilot.pause(0.2)
    assert len(made) == 1


async def test_the_body_is_looked_for_while_checking(fakes: Any, tmp_path: Path) -> None:
    class Scanner:
        n = 0

        def look(self, picture: Any) -> tuple[BodyView, None]:
            self.n += 1
            assert picture.shape == (48, 64, 3)
            return BodyView(missing=("left foot",)), None

        def close(self) -> None: ...

    scanner: Any = Scanner()
    app, _ = make_app(fakes, tmp_path, n=1, scanner=scanner)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: "left foot" in seen(app, Static), "a foot that is not seen")
        assert "→ step back" in seen(app, Static)
        await pilot.press("ctrl+q")
        await pilot.pause(0.2)
    assert scanner.n >= 1


async def test_help_opens_and_any_key_closes_it(fakes: Any, tmp_path: Path) -> None:
    app, _ = make_app(fakes, tmp_path, n=1)
    async with app.run_test() as pilot:
        await pilot.press("f1")
        assert shows(app, HelpScreen)
        await pilot.press("x")
        assert not shows(app, HelpScreen)
        await pilot.press("ctrl+q")
        await pilot.pause(0.2)


async def test_the_palette_offers_what_the_keys_do(fakes: Any, tmp_path: Path) -> None:
    app, _ = make_app(fakes, tmp_path, n=1)
    async with app.run_test() as pilot:
        await pilot.pause()
        commands = {c.title: c for c in app.get_system_commands(app.screen)}
        assert {"Record at once", "Continue", "Quit", "Help"} <= set(commands)
        commands["Help"].callback()
        await pilot.pause(0.1)
        assert isinstance(app.screen, HelpScreen)
        await pilot.press("x", "ctrl+q")
        await pilot.pause(0.2)


async def test_who_does_not_answer_is_said(fakes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app, _ = make_app(fakes, tmp_path, n=2)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: phase(pilot) == "ready", "ready")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.step, AssignScreen), "assigning")
        answers = {
            "left_biceps": Undecided(slots=(1, 2), why="alike", hint="move one"),
            "right_biceps": Undecided(slots=(), why="nobody", hint="flex harder"),
        }

        def run(*, stop: Any, on_prompt: Any) -> Any:
            on_prompt("", 0.1)
            on_prompt("left_biceps", 0.1)
            return answers

        monkeypatch.setattr(app.recorder.assigning, "run", run)
        await pilot.press("a")
        await until(pilot, lambda: "sensors 1, 2 alike" in seen(app, Static), "refused")
        assert "move one" in seen(app, Static) and "2 not clear" in seen(app, CuePanel)
        await pilot.press("ctrl+q")
        await pilot.pause(0.2)


async def test_a_terminal_that_does_not_read_is_not_drawn_on(
    fakes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, _ = make_app(fakes, tmp_path, n=1)
    async with app.run_test() as pilot:
        await pilot.press("ctrl+r")
        await until(pilot, lambda: phase(pilot) == "recording", "recording")
        monkeypatch.setattr(app, "terminal_lags", lambda: True)
        await pilot.pause(0.3)
        before = app.step.query_one(TopBar).snapshot  # type: ignore[union-attr]
        await pilot.pause(0.5)
        assert app.step.query_one(TopBar).snapshot is before  # type: ignore[union-attr]
        app.recorder.stop()
        await until(pilot, lambda: bool(app.recordings), "saved all the same")
        await pilot.press("ctrl+q")
        await pilot.pause(0.2)


def test_a_crash_of_the_screen_leaves_the_capture_closed(
    fakes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A defect in drawing, in the middle of a recording: the person gets a traceback and the capture."""
    hardware = fakes.hardware(fakes.sensors(2))
    take = Take(protocol=PLAN, out=tmp_path, subject="S1", seed=3, protocol_toml=PLAN_TOML)
    monkeypatch.setattr(CaptureApp, "run", lambda app: App.run(app, headless=True, size=(80, 24)))
    draw = CaptureApp.draw

    def draw_and_fail(app: CaptureApp) -> None:
        draw(app)
        snapshot = app.recorder.snapshot()
        if snapshot.phase == "ready":
            app.conductor.start(calibrate=False)
        if isinstance(app.step, SetupScreen) and app.step.laid_out:
            app.conductor.go(Step.RECORD)
        if snapshot.phase == "recording" and snapshot.elapsed_s > 1.0:
            raise ZeroDivisionError("a defect of the screen")

    monkeypatch.setattr(CaptureApp, "draw", draw_and_fail)
    code = run_screen(
        rig="virtual", out=tmp_path, subject="S1", protocol_path=None, make_recorder=lambda _: Recorder(hardware, take)
    )
    assert code != 0
    told = capsys.readouterr().err
    assert "a defect of the screen" in told and "saved " in told.replace("\n", "")
    (folder,) = find_captures([tmp_path])
    with Capture.open(folder) as capture:
        assert capture.closed
        assert all(len(capture.notifications(s.slot).arrival_ns) >= 5 for s in capture.sensors)
    assert hardware.radio_open == 0


def test_the_preview_reads_what_the_synchroniser_prints() -> None:
    from acquire.screen.summary import read_preview

    error = json.dumps({"error": {"code": "x", "what": "no", "why": "because", "hint": ""}})
    assert read_preview(error) == Preview(verdict="", reasons=("no: because",), streams={})
    assert read_preview("Traceback\nValueError: x").reasons == ("ValueError: x",)
    found: dict[str, Any] = {
        "sessions": [{"verdict": "PASS", "reasons": [], "error": None, "streams": {"video": {"verdict": "PASS"}}}]
    }
    assert read_preview(json.dumps(found)) == Preview(verdict="PASS", reasons=(), streams={"video": "PASS"})
