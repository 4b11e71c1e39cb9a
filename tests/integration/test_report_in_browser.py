"""The report in a real browser: it opens offline, shows its pictures, and fits the window."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess

import cv2
import numpy as np
import pytest

from acquire.protocol import parse_protocol
from acquire.virtual.simulate import simulate
from sync.pipeline import run_capture

pytestmark = pytest.mark.slow

PROTOCOL = """
name = "short"
rest_s = 0.5
lead_in_s = 1.0
[sync]
claps = 4
stomps = 4
[[exercises]]
name = "squat"
seconds = 4.0
"""
BROWSER = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """The report of a good capture with keypoints, and of one whose flashes were never logged and claps never heard."""
    if BROWSER is None:
        pytest.skip("no Chromium on this machine: sudo apt install chromium")
    out = tmp_path_factory.mktemp("reports")
    capture = simulate(
        tmp_path_factory.mktemp("captures"), subject="B1", minutes=None, seed=21,
        protocol=parse_protocol(PROTOCOL, "short"), protocol_text=PROTOCOL,
    )  # fmt: skip
    good = run_capture(capture, out / "good")
    spoilt = capture.parent.parent / "sub-B2" / capture.name
    shutil.copytree(capture, spoilt)
    database = sqlite3.connect(spoilt / "capture.db")
    with database:
        database.execute("UPDATE event SET t_ns = t_ns + 3600000000000 WHERE kind = 'flash' AND rowid % 2")
        database.execute("DELETE FROM notification WHERE slot > 2")
    database.close()
    refused = run_capture(spoilt, out / "refused", pose=False)
    assert good.verdict != "FAIL"
    assert refused.verdict == "FAIL"
    return {"good": good.report_path, "refused": refused.report_path}


@pytest.mark.parametrize("width", [1100, 400])
@pytest.mark.parametrize("name", ["good", "refused"])
def test_it_opens_offline_and_fits_the_window(reports, tmp_path, name, width):
    page = reports[name].read_text()
    assert not re.findall(r"""(?:src|href)\s*=\s*["']?\s*(?:https?:)?//""", page)
    probe = (
        "<script>window.addEventListener('load', () => { const broken = [...document.images].filter("
        "i => !i.complete || i.naturalWidth === 0).length; document.title = `broken=${broken} "
        "images=${document.images.length} over=${document.documentElement.scrollWidth - window.innerWidth}`; });"
        "</script>"
    )
    probed = tmp_path / "probed.html"
    probed.write_text(page.replace("</body>", probe + "</body>"))
    flags = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},3000",
    ]  # fmt: skip
    # A phone's width in a frame: a headless window is never narrower than 500.
    frame = tmp_path / "frame.html"
    frame.write_text(f'<iframe src="probed.html" style="width:{width - 20}px;height:2900px;border:0"></iframe>')
    dumped = subprocess.run([*flags, "--dump-dom", f"file://{probed}"], capture_output=True, text=True, timeout=120)
    told = re.search(r"<title>broken=(\d+) images=(\d+) over=(-?\d+)</title>", dumped.stdout)
    assert told, dumped.stderr[-500:]
    broken, images, over = (int(v) for v in told.groups())
    assert broken == 0
    assert images >= (5 if name == "good" else 1)
    assert over <= 0
    shot = tmp_path / "shot.png"
    subprocess.run([*flags, f"--screenshot={shot}", f"file://{frame}"], capture_output=True, timeout=120, check=True)
    picture = cv2.imread(str(shot))
    assert picture is not None
    assert float(np.std(picture[:800])) > 5.0
