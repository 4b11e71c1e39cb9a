"""``python -m benchmarks.soak [--hours 8] [--video]``: memory and size of simulated recordings of growing length."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from typing import Any

import numpy as np

from dataset.support.console import STDERR

#: Largest growth of memory for each hour recorded, and largest deviation of the size from a straight line.
MOST_MB_AN_HOUR, MOST_OFF_LINE = 5.0, 0.02

WORK = """
import json, resource, sys
from pathlib import Path
from acquire.protocol.protocol import load_protocol
from acquire.virtual.film import Film
from acquire.virtual.simulate import simulate
from acquire.virtual.simulate_options import SimulateOptions
film = Film(width=64, height=36) if sys.argv[3] == "video" else None
options = SimulateOptions(subject="S1", minutes=float(sys.argv[2]), seed=1, protocol=load_protocol(None), film=film)
folder = simulate(Path(sys.argv[1]), options)
sizes = {p.name: p.stat().st_size for p in folder.iterdir()}
print(json.dumps({"sizes": sizes, "peak_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))
"""


def measure(hours: float, *, video: bool) -> dict[str, Any]:
    """Simulate once, in a process of its own."""
    STDERR.print(f"{hours:g} hours ...", markup=False)
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-c", WORK, out, str(60 * hours), "video" if video else "none"]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result | {"took_s": time.monotonic() - began_s}


def main() -> None:
    """Simulate an eighth, a quarter, half and all of the hours, and print a line for each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--hours", type=float, default=8.0)
    parser.add_argument("--video", action="store_true", help="with a picture of 64x36 and sound: much slower")
    given = parser.parse_args()
    lengths = [given.hours * share for share in (0.125, 0.25, 0.5, 0.75, 1.0)]
    print(f"simulated, virtual data, seed 1, {'64x36 at 30 frames/s and sound' if given.video else 'without video'}")
    print(f"  {'hours':>6}{'memory, MB':>12}{'capture.db, MB':>16}{'video.mkv, MB':>15}{'took, s':>9}")
    memory, size = [], []
    for hours in lengths:
        found = measure(hours, video=given.video)
        memory.append(found["peak_kib"] / 1000 * 1.024)
        size.append(sum(found["sizes"].get(name, 0) for name in ("capture.db", "video.mkv")) / 1e6)
        database, video = (found["sizes"].get(name, 0) / 1e6 for name in ("capture.db", "video.mkv"))
        print(f"  {hours:6.2f}{memory[-1]:12.1f}{database:16.2f}{video:15.2f}{found['took_s']:9.0f}", flush=True)
    an_hour = float(np.polyfit(lengths, memory, 1)[0])
    line = np.polyval(np.polyfit(lengths, size, 1), lengths)
    off = float(np.max(np.abs(size - line)) / size[-1])
    for text, met in (
        (f"memory {an_hour:+.1f} MB an hour (under {MOST_MB_AN_HOUR:g})", an_hour < MOST_MB_AN_HOUR),
        (f"size off a straight line by {off:.1%} at most (under {MOST_OFF_LINE:.0%})", off < MOST_OFF_LINE),
    ):
        print(f"  {'met   ' if met else 'MISSED'}  {text}")


if __name__ == "__main__":
    main()
