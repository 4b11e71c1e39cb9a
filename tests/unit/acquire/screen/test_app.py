"""The capture screen with a pilot: start, record, stop; small and large terminals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from acquire.protocol import load_protocol
from acquire.recorder import Recorder
from acquire.screen.app import CaptureApp, HelpScreen
from acquire.screen.widgets import CuePanel, SensorCell, StatusLine, TopBar
from acquire.take import Take
from dataset.capture import Capture

PLAN, PLAN_TOML = load_protocol(None)


def make_app(fakes: Any, out: Path, *, n: int = 8, off: tuple[int, ...] = ()) -> tuple[CaptureApp, list[Any]]:
    """Return an app on fake hardware and the hardware of each take."""
    made: list[Any] = []

    def make_recorder() -> Recorder:
        sensors = fakes.sensors(n)
        for at in off:
            sensors[at].switched_on = False
        made.append(fakes.hardware(sensors, camera=fakes.camera(30), microphone=fakes.microphone()))
        return Recorder(made[-1], Take(protocol=PLAN, out=out, subject="S1", seed=3, protocol_toml=PLAN_TOML))

    return CaptureApp(make_recorder), made


async def until(pilot: Pilot[int], phase: str) -> None:
    """Wait for a phase of the recorder."""
    app = pilot.app
    assert isinstance(app, CaptureApp)
    for _ in range(100):
        if app.recorder.snapshot().phase == phase:
            await pilot.pause(0.15)
            return
        await pilot.pause(0.05)
    raise AssertionError(f"never {phase}, but {app.recorder.snapshot().phase}")


def seen(app: CaptureApp, kind: type[Any]) -> str:
    return "\n".join(str(widget.render()) for widget in app.query(kind))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_start_record_stop_and_again(fakes: Any, tmp_path: Path, size: tuple[int, int]) -> None:
    app, made = make_app(fakes, tmp_path)
    async with app.run_test(size=size) as pilot:
        await until(pilot, "ready")
        assert "press r to record" in seen(app, CuePanel)
        await pilot.press("r")
        await pilot.pause(1.2)
        assert "● REC" in seen(app, TopBar)
        cells = seen(app, SensorCell)
        assert all(name in cells for name in ("L biceps", "R triceps", "L quadriceps", "R hamstrings"))
        assert cells.count("●") == 8
        assert "camera ●" in seen(app, StatusLine) and "0 dropped" in seen(app, StatusLine)
        for widget in app.query(SensorCell):
            assert widget.size.height >= 3, "a headline and a trace fit"
        await pilot.press("r")
        await until(pilot, "done")
        assert "█" in seen(app, CuePanel) and "sub-S1/ses-" in seen(app, CuePanel)
        assert "next: mia-sync run" in seen(app, StatusLine)
        if size == (80, 24):
            await pilot.press("r")
            await until(pilot, "ready")
            assert len(made) == 2
        await pilot.press("q")
        await pilot.pause(0.3)
    assert app.return_code == 0
    assert len(app.recordings) == 1
    assert made[0].finished_with == [app.recordings[0].folder]
    with Capture.open(app.recordings[0].folder) as capture:
        assert capture.closed
        assert all(len(capture.notifications(s.slot).payload) > 10 for s in capture.sensors)
        assert len(capture.frames().pts_ns) > 10


async def test_quitting_while_recording_saves(fakes: Any, tmp_path: Path) -> None:
    app, _ = make_app(fakes, tmp_path, n=2)
    async with app.run_test() as pilot:
        await until(pilot, "ready")
        await pilot.press("r")
        await pilot.pause(0.5)
        await pilot.press("q")
        await pilot.pause(0.3)
    with Capture.open(app.recordings[0].folder) as capture:
        assert capture.closed


async def test_a_missing_sensor_is_shown_and_recording_waits_for_it(
    fakes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("acquire.sensors.finder.SETTLE_S", 0.1)
    app, _ = make_app(fakes, tmp_path, n=3, off=(2,))
    async with app.run_test() as pilot:
        for _ in range(100):
            if seen(app, SensorCell).count("●") == 2 and "2 of 3" in seen(app, CuePanel):
                break
            await pilot.pause(0.05)
        await pilot.press("r")
        await pilot.pause(0.2)
        assert "2 of 3 sensors stream" in seen(app, CuePanel)
        assert "○" in seen(app, SensorCell) and "searching" in seen(app, SensorCell)
        await pilot.press("q")
        await pilot.pause(0.2)
    assert not app.recordings and not list(tmp_path.iterdir())


async def test_help_opens_and_any_key_closes_it(fakes: Any, tmp_path: Path) -> None:
    app, _ = make_app(fakes, tmp_path, n=1)
    async with app.run_test() as pilot:
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        await pilot.press("x")
        assert not isinstance(app.screen, HelpScreen)
        await pilot.press("q")
        await pilot.pause(0.2)
