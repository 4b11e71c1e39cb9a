"""The report in a real browser: it loads without a network, fits a desk's and a phone's width, and is not blank."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from acquire.protocol.protocol import parse_protocol
from acquire.virtual.simulate import simulate
from acquire.virtual.simulate_options import SimulateOptions
from sync.options import SyncOptions
from sync.pipeline import run_capture
from tests.sealed import seal_again
from tests.short_protocol import PROTOCOL

BROWSER = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
    "--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=127.0.0.1:9",
)  # fmt: skip
#: Put into a copy of the page: the page itself has no script.
PROBE = """<script>addEventListener("load", () => {
  const images = [...document.images];
  document.title = JSON.stringify([document.documentElement.scrollWidth, innerWidth, images.length,
    images.filter(i => !i.naturalWidth).length, performance.getEntriesByType("resource")
      .filter(r => !r.name.startsWith("data:")).length]);
});</script>"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed: apt install chromium"),
]


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The report of a good capture with keypoints, and of one whose flashes' log and sensors are spoilt."""
    out = tmp_path_factory.mktemp("reports")
    capture = simulate(
        tmp_path_factory.mktemp("captures"),
        SimulateOptions(subject="B1", minutes=None, seed=21, protocol=(parse_protocol(PROTOCOL, "short"), PROTOCOL)),
    )
    accepted = run_capture(capture, out / "accepted")
    spoilt = capture.parent.parent / "sub-B2" / capture.name
    shutil.copytree(capture, spoilt)
    with closing(sqlite3.connect(spoilt / "capture.db")) as database, database:
        database.execute("UPDATE event SET t_ns = t_ns + 3600000000000 WHERE kind = 'flash' AND rowid % 2")
        database.execute("DELETE FROM notification WHERE slot > 2")
    seal_again(spoilt)
    refused = run_capture(spoilt, out / "refused", SyncOptions(pose=False))
    assert accepted.verdict in ("PASS", "WARNING")
    assert refused.verdict == "FAIL"
    return {"accepted": accepted.report_path, "refused": refused.report_path}


class Sources(HTMLParser):
    """Everything that a page would fetch."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.alts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data", "action")]
        if tag == "img":
            self.alts.append(dict(attrs).get("alt") or "")


def browse(page: Path, *arguments: str) -> str:
    """Run the browser on a page and return what it prints."""
    assert BROWSER is not None
    profile = page.with_suffix(".profile")
    done = subprocess.run(
        [BROWSER, *FLAGS, f"--user-data-dir={profile}", *arguments, page.as_uri()],
        check=True, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    return done.stdout


@pytest.mark.parametrize("which", ["accepted", "refused"])
def test_the_page_fetches_nothing_and_every_picture_has_words(reports: dict[str, Path], which: str) -> None:
    page = reports[which].read_text(encoding="utf-8")
    sources = Sources(page)
    assert len(sources.found) >= 3
    assert all(source.startswith("data:") for source in sources.found)
    assert not re.search(r"url\(|@import|<script", page)
    assert all(sources.alts)
    assert len(page) < 3e6


@pytest.mark.parametrize("width_px", [1100, 400])
@pytest.mark.parametrize("which", ["accepted", "refused"])
def test_it_shows_in_a_browser(reports: dict[str, Path], which: str, width_px: int, tmp_path: Path) -> None:
    # Headless Chromium has no window narrower than 500 px: a phone is a frame of its width.
    page, shown, probed = reports[which], tmp_path / "shown.html", tmp_path / "probed.html"
    text = page.read_text(encoding="utf-8").replace("</head>", PROBE + "</head>")
    probed.write_text(text, encoding="utf-8")
    relay = "addEventListener('load', () => { document.title = frames[0].document.title; });"
    shown.write_text(
        f"<!DOCTYPE html><body style='margin:0'><iframe src='{probed.name}' width='{width_px}' height='2600' "
        f"style='border:0'></iframe><script>{relay}</script></body>"
    )
    dom = browse(shown, "--allow-file-access-from-files", "--window-size=1200,2700", "--dump-dom")
    told = re.search(r"<title>\[(\d+),(\d+),(\d+),(\d+),(\d+)\]</title>", dom)
    assert told is not None, dom[:400]
    scroll_px, inner_px, n_images, n_broken, n_requests = (int(v) for v in told.groups())
    assert inner_px == width_px
    assert scroll_px <= width_px
    assert n_images >= 3
    assert n_broken == 0
    assert n_requests == 0
    picture = tmp_path / "page.png"
    browse(shown, "--window-size=1200,2700", f"--screenshot={picture}")
    image = cv2.imread(str(picture))
    assert image is not None
    seen = image[:2600, :width_px]
    dark = (seen.max(axis=2) < 110).mean(axis=1)
    assert float((dark > 0.005).mean()) > 0.15  # text and figures all the way down
    sign = {"accepted": (77, 105, 0), "refused": (0, 59, 163)}[which]  # the verdict's colour, BGR
    assert int((np.abs(seen.astype(int) - sign).max(axis=2) < 12).sum()) > 200
