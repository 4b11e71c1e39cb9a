"""``python -m benchmarks.kills [--kills 200] [--seed N]``: kill -9 over recordings of the virtual rig, camera on."""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.kills.loss import Loss, measure_loss
from dataset.capture.schema import DATABASE
from dataset.support.clock import now_ns
from dataset.support.console import STDERR, progress

#: Longest time from the start of the capture to the kill; every fifth kill comes while the recording is closing.
LATEST_S = 6.0
CLOSING_EVERY, CLOSING_LATEST_S = 5, 1.2
MOST_LOST_S = 0.5


def kill_one(work: Path, seed: int, number: int) -> Loss | None:
    """Record, kill, recover and measure the loss; None if the kill came before there was a capture."""
    rng = random.Random(f"{seed}/{number}")
    out, sent = work / f"out{number}", work / f"sent{number}"
    sent.mkdir(parents=True)
    errors = (work / f"errors{number}").open("wb")
    victim = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.kills.victim", str(out), str(sent), str(rng.randrange(1 << 30))],
        stdin=subprocess.DEVNULL,
        stdout=errors,
        stderr=errors,
    )
    try:
        while not list(out.glob("sub-*/ses-*")):
            if victim.poll() is not None:
                raise RuntimeError(
                    f"the recorder ended before the kill: {(work / f'errors{number}').read_text()[-500:]}"
                )
            time.sleep(0.002)
        began_ns = now_ns()
        if number % CLOSING_EVERY == 0:
            time.sleep(rng.uniform(1.0, 2.0))
            until_ns = now_ns()
            victim.send_signal(signal.SIGTERM)
            time.sleep(rng.uniform(0.0, CLOSING_LATEST_S))
        else:
            time.sleep(rng.uniform(0.0, LATEST_S))
            until_ns = now_ns()
        victim.kill()
    finally:
        victim.kill()
        victim.wait()
        errors.close()
    time.sleep(0.3)  # the rig's processes log what they sent until they notice that the recorder is gone
    (folder,) = out.glob("sub-*/ses-*")
    return measure_loss(folder, sent, began_ns, until_ns) if (folder / DATABASE).is_file() else None


def main() -> None:
    """Kill many recordings and print the losses."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    losses: list[Loss] = []
    n_before = 0
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mia-kills-") as folder, progress("killing", given.kills) as advance:
        for number in range(given.kills):
            work = Path(folder) / str(number)
            loss = kill_one(work, given.seed, number)
            if loss is None:
                n_before += 1
            else:
                losses.append(loss)
                if loss.integrity != "ok" or loss.mismatches or max((*loss.sensors_s, loss.picture_s or 0)) > 0.5:
                    STDERR.print(f"kill {number}: {loss}", markup=False)
            subprocess.run(["rm", "-rf", str(work)], check=True)
            advance(1)
    report(losses, n_before, time.monotonic() - began_s, given.seed)


def report(losses: list[Loss], n_before: int, took_s: float, seed: int) -> None:
    """Print the distribution of the losses."""
    n_closed = sum(loss.closed for loss in losses)
    print(f"{len(losses) + n_before} kills in {took_s / 60:.1f} minutes, seed {seed}, {os.cpu_count()} cores; "
          f"virtual rig: 8 sensors at 10 Hz, 1280x720 at 30 frames/s, sound")  # fmt: skip
    print(f"  {n_before} before there was a capture, {len(losses) - n_closed} in a recording or while it "
          f"closed, {n_closed} when it was closed")  # fmt: skip
    print(f"  opened and recovered {len(losses)} of {len(losses)}; integrity_check ok in "
          f"{sum(loss.integrity == 'ok' for loss in losses)}; as the manifest says "
          f"{sum(loss.mismatches == 0 for loss in losses)}")  # fmt: skip
    print(f"  values missing before the end: {sum(loss.holes for loss in losses)}; "
          f"events older than {MOST_LOST_S:g} s missing: {sum(loss.events_lost for loss in losses)}")  # fmt: skip
    print(f"  {'lost, in seconds':<24}{'n':>6}{'p50':>8}{'p90':>8}{'p99':>8}{'max':>8}")
    rows = {
        "sensors": [s for loss in losses for s in loss.sensors_s],
        "decodable video": [loss.picture_s for loss in losses if loss.picture_s is not None],
        "frame table rows": [loss.frame_rows_s for loss in losses if loss.frame_rows_s is not None],
    }
    worst = 0.0
    for name, lost in rows.items():
        if lost:
            p50, p90, p99 = np.percentile(lost, [50, 90, 99])
            worst = max(worst, *lost)
            print(f"  {name:<24}{len(lost):6}{p50:8.3f}{p90:8.3f}{p99:8.3f}{max(lost):8.3f}")
    print(f"  {'met   ' if worst <= MOST_LOST_S else 'MISSED'}  at most {MOST_LOST_S:g} s of anything: {worst:.3f} s")


if __name__ == "__main__":
    main()
