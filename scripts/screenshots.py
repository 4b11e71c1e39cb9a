"""Make the pictures of the README: the capture screen, the report and a prediction, all of virtual data.

Run `make demo` first; the report and the prediction are those of the newest demo. The screens are the real ones, each
step of the flow, run on the virtual rig without a terminal. Needs Chromium.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from acquire.open_rig import open_hardware
from acquire.preflight.body_in_view import BodyFinder
from acquire.protocol.protocol import load_protocol
from acquire.recording.recorder import Recorder
from acquire.recording.subject import Subject
from acquire.recording.take import Take
from acquire.screen.app import CaptureApp
from acquire.screen.flow import Plan

IMAGES = Path(__file__).resolve().parent.parent / "docs/images"
BROWSER_FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
                 "--disable-background-networking", "--disable-component-update", "--disable-sync")  # fmt: skip
SEED = 11
WAIT_S = 120.0
#: Into the first exercises.
RECORD_S = 12.0


def main() -> None:
    """Make them all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", type=Path, help="output folder of a demo; default: the newest under demo/")
    parser.add_argument("--screens-only", action="store_true", help="the capture screen only; needs no demo")
    arguments = parser.parse_args()
    demo: Path | None = arguments.demo
    if demo is None and not arguments.screens_only:
        made = sorted(Path("demo").glob("*/run"))
        if not made:
            sys.exit("no demo found: run make demo first")
        demo = made[-1].parent
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("Chromium is missing: sudo apt install chromium")
    IMAGES.mkdir(parents=True, exist_ok=True)
    if demo is not None:
        report = next((demo / "sessions").glob("*.html"))
        photograph(browser, report, IMAGES / "report.png", 1160, 1500)
        plots = sorted((demo / "run").rglob("*.png"))
        shutil.copyfile(plots[0], IMAGES / "prediction.png")
    with tempfile.TemporaryDirectory() as folder:
        for name, svg in asyncio.run(screens(Path(folder))).items():
            drawing = Path(folder) / f"{name}.svg"
            drawing.write_text(svg, encoding="utf-8")
            small = 'viewBox="0 0 994' in svg
            picture = IMAGES / ("screen.png" if name == "record" else f"screen-{name}.png")
            photograph(browser, drawing, picture, *((994, 635) if small else (1482, 1026)))


async def screens(out: Path) -> dict[str, str]:
    """Walk the flow on the virtual rig; returns each step's picture as SVG, by name."""
    protocol, text = load_protocol(None)

    def make_recorder(plan: Plan) -> Recorder:
        hardware, rig_toml = open_hardware("virtual", seed=SEED, subject="S01")
        take = Take(
            protocol=protocol, out=out, subject="S01", seed=SEED, protocol_toml=text, rig_toml=rig_toml,
            setup_id=plan.setup_id, sensors=plan.sensors,
        )  # fmt: skip
        return Recorder(hardware, take)

    subject = Subject(label="S01", consent_id="C-2026-001", handedness="right", height_m=1.75, mass_kg=70.0)
    scanner = BodyFinder()
    app = CaptureApp(make_recorder, Plan(out=out, subject=subject), scanner=scanner)
    made: dict[str, str] = {}

    async with app.run_test(size=(120, 40)) as pilot:

        async def until(condition: Callable[[], object]) -> None:
            deadline_s = time.monotonic() + WAIT_S
            while not condition():
                if time.monotonic() > deadline_s:
                    sys.exit(f"the screen did not continue after {list(made)}")
                await pilot.pause(0.1)

        await pilot.pause(0.5)
        made["setup"] = app.export_screenshot()
        await pilot.press("enter")
        await until(lambda: app.recorder.snapshot().phase == "ready" and app.body_watch.body)
        await pilot.pause(4.0)
        made["check"] = app.export_screenshot()
        await pilot.press("enter")
        await pilot.pause(0.5)
        assignment = app.conductor.assignment
        await pilot.press("a")
        await until(lambda: len(assignment.answers) == 5 and assignment.view().asked)
        await pilot.pause(0.5)
        made["assign"] = app.export_screenshot()
        await until(lambda: len(assignment.answers) == 8 and not assignment.running)
        await pilot.press("enter")
        await pilot.pause(0.5)
        await pilot.press("enter")
        await until(lambda: app.recorder.calibrating() == "right_biceps" and cue_kind(app) == "contract")
        await pilot.pause(2.0)
        made["calibrate"] = app.export_screenshot()
        while app.recorder.calibrating():
            await pilot.press("s")
            await pilot.pause(0.3)
        await until(lambda: cue_kind(app) == "exercise")
        await pilot.pause(RECORD_S)
        made["record"] = app.export_screenshot()
        await pilot.resize_terminal(80, 24)
        await pilot.pause(1.0)
        made["record-80x24"] = app.export_screenshot()
        await pilot.press("f1")
        await pilot.pause(0.3)
        made["help"] = app.export_screenshot()
        await pilot.press("x")
        await pilot.resize_terminal(120, 40)
        await until(lambda: getattr(app.step, "preview", None))  # the schedule ends the recording
        await pilot.pause(0.5)
        made["summary"] = app.export_screenshot()
        await pilot.press("ctrl+q")
        await pilot.pause(0.5)
    scanner.close()
    return made


def cue_kind(app: CaptureApp) -> str:
    """Return what is asked for now."""
    cue = app.recorder.snapshot().cue
    return cue.kind if cue else ""


def photograph(browser: str, page: Path, picture: Path, width_px: int, height_px: int) -> None:
    """Render a local page or drawing to PNG."""
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, *BROWSER_FLAGS, f"--user-data-dir={profile}", f"--window-size={width_px},{height_px}",
                   f"--screenshot={picture}", page.resolve().as_uri()]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True)


if __name__ == "__main__":
    main()
