"""Make the large virtual set: two virtual people doing the paper's twenty exercises, as sessions.

`make virtual-set TIER=quick` or `full`. Each recording is one pass over the exercises, five minutes. Existing
recordings are skipped, so an interrupted run continues where it stopped. Everything in it is virtual.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dataset.capture.schema import MANIFEST
from dataset.support.console import STDERR, progress

#: Minutes of one recording, and the protocol that it follows.
MINUTES = 5
PROTOCOL = "paper"

#: Recordings by virtual subject: 15 + 10 minutes, and the paper's 100 + 20.
TIERS = {"quick": {"V1": 3, "V2": 2}, "full": {"V1": 20, "V2": 4}}

_TRUTH = "truth.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """One recording of the set; its seed and name are the same each time the set is made.

    Attributes
    ----------
    subject : str
    number : int
        From 1 for each subject.
    seed : int
    stamp : str
        Name of the recording.
    """

    subject: str
    number: int
    seed: int
    stamp: str

    def folder(self, captures: Path) -> Path:
        """Return where the capture lies."""
        return captures / f"sub-{self.subject}" / f"ses-{self.stamp}"

    def command(self, captures: Path, minutes: float) -> list[str]:
        """Return the command that makes the capture."""
        record = shutil.which("mia-record", path=str(Path(sys.executable).parent)) or "mia-record"
        return [
            record, "simulate", "--out", str(captures), "--subject", self.subject, "--minutes", f"{minutes:g}",
            "--seed", str(self.seed), "--protocol", PROTOCOL, "--stamp", self.stamp, "--json",
        ]  # fmt: skip


def takes(tier: str) -> tuple[Take, ...]:
    """Return the recordings of a tier; those of ``quick`` are the first of ``full``."""
    return tuple(
        Take(subject=subject, number=n, seed=1000 * s + n, stamp=f"202601{s:02d}T{n:02d}0000")
        for s, (subject, count) in enumerate(TIERS[tier].items(), 1)
        for n in range(1, count + 1)
    )


def is_made(folder: Path) -> bool:
    """Return whether a capture is there, closed, with its truth."""
    return (folder / MANIFEST).is_file() and (folder / _TRUTH).is_file()


def record_all(captures: Path, wanted: tuple[Take, ...], *, jobs: int, minutes: float, each: Callable[[], None]) -> int:
    """Simulate the missing recordings, several at a time; return how many were made.

    Raises
    ------
    subprocess.CalledProcessError
        One of them failed; those that run are finished first.
    """
    missing = [take for take in wanted if not is_made(take.folder(captures))]

    def make(take: Take) -> None:
        # A recording left open by an interrupted run is made again: it is the same recording.
        shutil.rmtree(take.folder(captures), ignore_errors=True)
        subprocess.run(take.command(captures, minutes), check=True, capture_output=True, text=True)
        each()

    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(make, take) for take in missing]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return len(missing)


def synchronise(captures: Path, sessions: Path, *, jobs: int) -> int:
    """Run ``mia-sync run`` over all captures; returns its exit code."""
    sync = shutil.which("mia-sync", path=str(Path(sys.executable).parent)) or "mia-sync"
    return subprocess.run(
        [sync, "run", str(captures), "--out", str(sessions), "--jobs", str(jobs), "--resume"], check=False
    ).returncode


def main() -> int:
    """Make the set and say where it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tier", choices=TIERS, default="quick", help="quick: 15 + 10 minutes; full: 100 + 20")
    parser.add_argument("--out", type=Path, help="default: virtual-set/TIER")
    parser.add_argument("--jobs", type=int, default=2, help="recordings at a time (default 2)")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="length of each recording (default 5)")
    chosen = parser.parse_args()
    out: Path = chosen.out or Path("virtual-set") / chosen.tier
    captures, sessions = out / "captures", out / "sessions"
    wanted = takes(chosen.tier)
    left = sum(not is_made(take.folder(captures)) for take in wanted)
    began_s = time.monotonic()
    try:
        with progress(f"simulating {left} of {len(wanted)} virtual recordings", left) as advance:
            made = record_all(
                captures, wanted, jobs=max(1, chosen.jobs), minutes=chosen.minutes, each=partial(advance, 1)
            )
    except subprocess.CalledProcessError as error:
        STDERR.print(error.stderr or error.stdout, markup=False, soft_wrap=True)
        return int(error.returncode)
    took_s = time.monotonic() - began_s
    if made:
        STDERR.print(f"{made} recordings of {chosen.minutes:g} minutes in {took_s:.0f} s: "
                     f"{made * chosen.minutes * 60 / took_s:.1f} x real time")  # fmt: skip
    began_s = time.monotonic()
    code = synchronise(captures, sessions, jobs=max(1, chosen.jobs))
    STDERR.print(f"synchronised in {time.monotonic() - began_s:.0f} s")
    sys.stdout.write(f"{sessions}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
