"""Each screen at 80 x 24 and 120 x 40, compared with an SVG (all one sees) and a text (which reads well in a diff).

MIA_UPDATE_SNAPSHOTS=1 writes the files anew; look at the SVGs in a browser before they are kept.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from acquire.assignment import Answer, Assigned, Undecided
from acquire.preflight.checks import BodyView
from acquire.screen.app import CaptureApp
from acquire.screen.assign import AssignScreen
from acquire.screen.check import CheckScreen
from acquire.screen.flow import Plan
from acquire.screen.modals import HelpScreen, LeaveScreen, MarkerScreen, ReconnectScreen, StopScreen
from acquire.screen.patience import not_found_words
from acquire.screen.steps import Step
from acquire.screen.summary import Preview, SummaryScreen, preview_text
from dataset.muscles import PAPER_CHANNELS
from tests.unit.acquire.screen import frozen

FOLDER = Path(__file__).parent / "snapshots"
SIZES = ((80, 24), (120, 40))
SCREENS = (
    "setup", "check", "check-bad", "check-opening", "check-phone", "assign", "calibrate", "calibrate-ready",
    "record", "record-ready", "record-trouble", "record-message", "summary", "summary-not-found",
    "help", "marker", "reconnect", "leave", "stop",
)  # fmt: skip
MODALS: dict[str, Any] = {"help": HelpScreen, "marker": MarkerScreen, "leave": LeaveScreen, "stop": StopScreen}


async def _nothing(*_: object) -> None:
    return None


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("name", SCREENS)
async def test_every_screen_looks_as_it_did(
    name: str, size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # no rig file lies here
    monkeypatch.setattr("dataset.support.clock.resolution_ns", lambda: 1)
    monkeypatch.setattr("dataset.support.clock.now_ns", lambda: 10**12)  # the log's times are told from now
    monkeypatch.setattr(SummaryScreen, "_ask", _nothing)
    step = name.partition("-")[0] if name not in (*MODALS, "reconnect") else "record"
    phase = "recording" if step in ("calibrate", "record") and not name.endswith("-ready") else "ready"
    fields: dict[str, Any] = {}
    if name in ("check-bad", "record-trouble"):
        fields["sensors"] = frozen.sensors_in_trouble()
    if name in ("check-opening", "check-phone"):
        fields |= {"camera": None, "sound": None, "box": False}
    if name == "check-opening":
        away = {"state": "scanning", "value": None, "battery_percent": None, "rssi_dbm": None, "trace": ()}
        fields |= {"disk": None, "sensors": tuple(frozen.sensor(n, **away) for n in range(1, 9))}
        phase = "opening"
    recorder: Any = frozen.FrozenRecorder(frozen.snapshot(phase, **fields), muscle="right_biceps")
    app = CaptureApp(lambda _: recorder, Plan(out=tmp_path), first="setup")
    app.recordings.append(frozen.recording())
    if name == "summary-not-found":
        app.flow.not_found = not_found_words(frozen.sensors_in_trouble()[2:4], 8, 60.0)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        if step != "setup":
            app.conductor.go(Step(step))
        await pilot.pause()
        _dress(app, name)
        for _ in range(3):  # the picture comes with each third update
            await pilot.pause()
            app.draw()
        for field in app.screen.query(Input):
            field.cursor_blink = False  # a slow machine would take the picture without the cursor
        await pilot.pause()
        shown = {"txt": frozen.screen_text(app), "svg": frozen.screen_svg(app)}
    assert len(shown["txt"].splitlines()) == size[1]
    for kind, now in shown.items():
        path = FOLDER / f"{name}-{size[0]}x{size[1]}.{kind}"
        if os.environ.get("MIA_UPDATE_SNAPSHOTS"):
            FOLDER.mkdir(exist_ok=True)
            path.write_text(now, encoding="utf-8")
        assert now == path.read_text(encoding="utf-8"), f"{path.name} is another picture now"


def _dress(app: CaptureApp, name: str) -> None:
    step = app.step
    if isinstance(step, CheckScreen):
        app.body_watch.body = BodyView(missing=("left foot", "right foot") if name == "check-bad" else ())
    if isinstance(step, AssignScreen):
        channels = [c.name for c in PAPER_CHANNELS]
        bound = enumerate(channels[:5], start=1)
        answers: dict[str, Answer] = {c: Assigned(slot=n, margin=0.8, why="") for n, c in bound}
        answers[channels[5]] = Undecided(slots=(6, 8), why="alike", hint="do two sensors sit on one muscle?")
        answers[channels[6]] = Undecided(slots=(), why="nobody", hint="flex it harder")
        app.conductor.assignment.answers = answers
    if isinstance(step, SummaryScreen):
        preview = Preview(
            verdict="WARNING", reasons=("no LED box",), streams={"video": "WARNING", "left_biceps": "PASS"}
        )
        step.query_one("#preview").update(preview_text(preview))  # type: ignore[attr-defined]
    if name == "check-opening":
        app.body_watch.body = None
    if name == "record-message":
        for _ in range(3):
            app.say(
                "L biceps: the sensor cannot be connected: it is not in range\nmove it closer", "warning", seconds=1e6
            )
    over = MODALS.get(name)
    if name == "reconnect":
        app.push_screen(ReconnectScreen(frozen.sensors_in_trouble()))
    elif over is not None:
        app.push_screen(over())


def test_trouble_is_told_by_signs_alone() -> None:
    """Without colour: a terminal in black and white, a colour-blind person."""
    for size in ("80x24", "120x40"):
        healthy = (FOLDER / f"record-{size}.txt").read_text(encoding="utf-8")
        trouble = (FOLDER / f"record-trouble-{size}.txt").read_text(encoding="utf-8")
        for sign in (
            "▲ R biceps        80",
            "STALE 2 s",
            "✖ L triceps",
            "LOST 9 s",
            "◌ R triceps",
            "!300/424",
            "CLIP",
            "▲9 %",
            "○ ",
        ):
            assert sign in trouble and sign not in healthy, sign
        assert healthy.count("● ") >= 8
