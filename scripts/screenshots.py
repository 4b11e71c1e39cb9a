"""Make the pictures of the README: the capture screen, the report and a prediction, all of virtual data.

Run `make demo` first; the report and the prediction are those of the newest demo. The screen is the real one, run on
the virtual rig without a terminal. Needs Chromium.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from acquire.protocol import load_protocol
from acquire.recorder import Recorder
from acquire.rig import open_hardware
from acquire.screen.app import CaptureApp
from acquire.take import Take

IMAGES = Path(__file__).resolve().parent.parent / "docs/images"
BROWSER_FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
                 "--disable-background-networking", "--disable-component-update", "--disable-sync")  # fmt: skip
SEED = 11
WAIT_FOR_SENSORS_S = 60.0
RECORD_S = 26.0


def main() -> None:
    """Make all three."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", type=Path, help="output folder of a demo; default: the newest under demo/")
    demo: Path | None = parser.parse_args().demo
    if demo is None:
        made = sorted(Path("demo").glob("*/run"))
        if not made:
            sys.exit("no demo found: run make demo first")
        demo = made[-1].parent
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("Chromium is missing: sudo apt install chromium")
    IMAGES.mkdir(parents=True, exist_ok=True)
    report = next((demo / "sessions").glob("*.html"))
    photograph(browser, report, IMAGES / "report.png", 1160, 1500)
    plots = sorted((demo / "run").rglob("*.png"))
    shutil.copyfile(plots[0], IMAGES / "prediction.png")
    with tempfile.TemporaryDirectory() as folder:
        drawing = Path(folder) / "screen.svg"
        drawing.write_text(asyncio.run(screen_svg(Path(folder))), encoding="utf-8")
        photograph(browser, drawing, IMAGES / "screen.png", 1480, 1010)


async def screen_svg(out: Path) -> str:
    """Return the capture screen in the middle of a recording."""
    protocol, text = load_protocol(None)

    def make_recorder() -> Recorder:
        hardware, rig_toml = open_hardware("virtual", seed=SEED, subject="S01")
        take = Take(
            protocol=protocol, out=out, subject="S01", seed=SEED, protocol_toml=text, rig_toml=rig_toml
        )  # fmt: skip
        return Recorder(hardware, take)

    app = CaptureApp(make_recorder)
    async with app.run_test(size=(120, 40)) as pilot:
        waited_s = 0.0
        while app.recorder.snapshot().phase != "ready" and waited_s < WAIT_FOR_SENSORS_S:
            await pilot.pause(0.5)
            waited_s += 0.5
        await pilot.press("r")
        await pilot.pause(RECORD_S)
        picture = app.export_screenshot()
        await pilot.press("q")
    return picture


def photograph(browser: str, page: Path, picture: Path, width_px: int, height_px: int) -> None:
    """Render a local page or drawing to PNG."""
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, *BROWSER_FLAGS, f"--user-data-dir={profile}", f"--window-size={width_px},{height_px}",
                   f"--screenshot={picture}", page.resolve().as_uri()]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True)


if __name__ == "__main__":
    main()
