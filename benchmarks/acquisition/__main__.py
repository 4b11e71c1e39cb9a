"""``python -m benchmarks.acquisition [--minutes 0.5] [--lsl-minutes M]``: the recorder under load, against pylsl."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.acquisition.load import N_SENSORS, PACKET, PERIOD_NS, SAMPLES_A_PACKET
from dataset.support.console import STDERR


def main() -> None:
    """Measure both and print them side by side."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.acquisition", description=__doc__)
    parser.add_argument("--minutes", type=float, default=0.5, help="length of the recording (default 0.5)")
    parser.add_argument("--lsl-minutes", type=float, help="length of the run through pylsl (default: the same)")
    parser.add_argument("--work", type=Path, help="folder for the capture (default: a temporary one)")
    given = parser.parse_args()
    lsl_s = 60 * (given.minutes if given.lsl_minutes is None else given.lsl_minutes)
    print(f"{N_SENSORS} sensors at 1 kHz in packets of {SAMPLES_A_PACKET} samples ({PACKET.size} bytes), "
          f"{N_SENSORS * 10**9 // PERIOD_NS} packets a second; {os.cpu_count()} cores, {sys.platform}")  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="mia-acquisition-", dir=given.work) as folder:
        ours = _measure("recorded", given.minutes * 60, folder)
    theirs = None
    if importlib.util.find_spec("pylsl") is None:
        print("pylsl is not installed (pip install '.[lsl]'): measured without it")
    elif lsl_s > 0:
        theirs = _measure("lsl", "pull", lsl_s, secrets.token_hex(4))
        if "error" in theirs:
            print(f"pylsl: {theirs['error']}")
            theirs = None
    _table(ours, theirs, given.minutes * 60, lsl_s)


def _measure(module: str, *arguments: object) -> dict[str, Any]:
    STDERR.print(f"{module} {' '.join(str(a) for a in arguments)} ...", markup=False)
    command = [sys.executable, "-m", f"benchmarks.acquisition.{module}", *(str(a) for a in arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # liblsl logs to stderr
    if done.returncode:
        raise SystemExit(f"{module} failed:\n{done.stderr[-4000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _table(ours: dict[str, Any], theirs: dict[str, Any] | None, ours_s: float, theirs_s: float) -> None:
    def row(title: str, *keys: str, form: str = "{:.2f}", scale: float = 1.0) -> None:
        cells = []
        for result in (ours, theirs):
            value: Any = result
            for key in keys:
                value = value.get(key) if isinstance(value, dict) else None
            cells.append("-" if value is None else form.format(value * scale))
        print(f"  {title:<46}{cells[0]:>14}{cells[1]:>14}")

    print(f"  {'':<46}{'mia-record':>14}{'pylsl':>14}")
    print(f"  {'seconds':<46}{ours_s:>14.0f}{(f'{theirs_s:.0f}' if theirs else '-'):>14}")
    row("packets", "packets", form="{:.0f}")
    row("packets a second", "per_s", form="{:.1f}")
    row("missing", "missing", form="{:.0f}")
    row("repeated", "repeated", form="{:.0f}")
    for key, title in (("transit_ms", "delay from sending to stamp"), ("jitter_ms", "added jitter of stamps")):
        for which in ("p50", "p99", "max"):
            row(f"{title}, {which}, ms", key, which)
    for which in ("p50", "p99", "max"):
        row(f"delay from callback to commit, {which}, ms", "commit_ms", which, form="{:.0f}")
    row("CPU, % of one core", "cpu_share", form="{:.1f}", scale=100)
    row("peak memory, MB", "peak_bytes", form="{:.0f}", scale=1e-6)
    row("memory growth after the first quarter, MB", "growth_bytes", form="{:+.1f}", scale=1e-6)
    row("stored, MB", "bytes", form="{:.1f}", scale=1e-6)
    sender = ours["sender"]
    share, late_ms = sender["cpu_s"] / ours_s, 1e3 * sender["worst_lateness_s"]
    print("  (the recorder stores the samples, pylsl's receiver discards them; the sensors' process used "
          f"{share:.0%} of a core and was late by {late_ms:.1f} ms at most)")  # fmt: skip
    print(
        f"  {'met   ' if not ours['missing'] and not ours['repeated'] else 'MISSED'}  nothing lost, nothing duplicated"
    )


if __name__ == "__main__":
    main()
