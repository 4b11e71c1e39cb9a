"""``python -m benchmarks.throughput [--minutes 30] [--no-pose] [--fast 10 60] [--work DIR]``."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.throughput.captures import capture_of
from benchmarks.throughput.child import STAGES
from dataset.support.console import STDERR
from dataset.support.threads import default_workers

#: Targets: speed with keypoints as a multiple of real time; time without keypoints as a multiple of decoding the video
#: alone; peak memory in bytes.
LEAST_SPEED, MOST_DECODINGS, MOST_BYTES = 8.0, 1.5, 1e9


def main() -> None:
    """Make the captures, measure, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="length of the capture (default 30)")
    parser.add_argument("--short", type=float, help="length of the second one, for memory (default a third; 0 none)")
    parser.add_argument("--no-pose", action="store_true", help="leave the runs with keypoints out")
    parser.add_argument(
        "--fast", type=float, nargs="*", default=(), metavar="MINUTES",
        help="also the memory of captures so long with two sensors of 1 kHz, without keypoints",
    )  # fmt: skip
    parser.add_argument("--workers", type=int, default=0, help="threads (default one a core)")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--work", type=Path, help="folder in which captures are kept (default: the temporary one)")
    given = parser.parse_args()
    work = given.work or Path(tempfile.gettempdir()) / "mia-throughput"
    work.mkdir(parents=True, exist_ok=True)
    short = given.minutes / 3 if given.short is None else given.short
    capture = capture_of(work, given.minutes, given.seed)
    second = capture_of(work, short, given.seed) if short else None
    print(f"machine: {_machine()}; seed {given.seed}; capture of {given.minutes:g} minutes, 1280x720 at 30 frames/s, "
          f"{(capture / 'video.mkv').stat().st_size / 1e6:.0f} MB of video")  # fmt: skip
    workers = str(given.workers)

    fast = [(minutes, capture_of(work, minutes, given.seed, mixed=True)) for minutes in sorted(given.fast)]

    # Compared runs alternate, so that changes of the machine's speed affect both.
    many, one = [_measure("decode", capture, "0")], [_measure("decode", capture, "1")]
    plain = _measure("sync", capture, "no-pose", workers)
    one.append(_measure("decode", capture, "1"))
    many.append(_measure("decode", capture, "0"))
    video_s = plain["video_s"]
    print("\ndecoding alone, before and after the run without keypoints")
    for name, runs_alone in (("one thread", one), ("the decoder's own threads", many)):
        took = "".join(f"{run['wall_s']:8.2f}" for run in runs_alone)
        print(f"  {name:<27}{took} s   {video_s / _mean_s(runs_alone):6.1f} x real time")
    alone_s = min(_mean_s(one), _mean_s(many))
    _print_stages("without keypoints", plain, video_s)
    posed = None
    if not given.no_pose:
        posed = _measure("sync", capture, "pose", workers)
        _print_stages("with keypoints", posed, video_s)
        print(f"  keypoints in {posed['frames_looked_at']} frames")

    # File-backed pages are excluded if the system reports them separately: the kernel reclaims them when needed.
    print(f"\npeak of {plain['peak_of']} memory (beside it that of the resident set, which counts pages of files too)")
    runs = [("without keypoints", given.minutes, plain)]
    if posed is not None:
        runs.append(("with keypoints", given.minutes, posed))
    if second is not None:
        runs.insert(0, ("without keypoints", short, _measure("sync", second, "no-pose", workers)))
        if posed is not None:
            runs.insert(2, ("with keypoints", short, _measure("sync", second, "pose", workers)))
    runs += [("two sensors of 1 kHz", minutes, _measure("sync", at, "no-pose", workers)) for minutes, at in fast]
    for how, minutes, run in runs:
        print(f"  {how:<22}{minutes:5g} minutes  {run['peak_bytes'] / 1e6:6.0f} MB"
              f"{run['resident_bytes'] / 1e6:8.0f} MB resident")  # fmt: skip
    for how in dict.fromkeys(how for how, _, _ in runs):
        sizes = [(minutes, run["peak_bytes"]) for each, minutes, run in runs if each == how]
        if len(sizes) > 1 and sizes[0][0] != sizes[-1][0]:
            slope = (sizes[-1][1] - sizes[0][1]) / (sizes[-1][0] - sizes[0][0]) * 60
            print(f"  {how:<22}{slope / 1e6:+6.0f} MB an hour")

    print("\ntargets")
    ratio = plain["wall_s"] / alone_s
    _target(f"without keypoints {ratio:.2f} x decoding alone (at most {MOST_DECODINGS:g})", ratio <= MOST_DECODINGS)
    if posed is not None:
        speed = video_s / posed["wall_s"]
        _target(f"with keypoints {speed:.1f} x real time (at least {LEAST_SPEED:g})", speed >= LEAST_SPEED)
    peak, kind = max(run["peak_bytes"] for _, _, run in runs), plain["peak_of"]
    _target(f"at most {peak / 1e6:.0f} MB of {kind} memory (under {MOST_BYTES / 1e6:.0f})", peak < MOST_BYTES)


def _measure(*arguments: object) -> dict[str, Any]:
    """Run one measured process."""
    STDERR.print(f"{' '.join(str(a) for a in arguments)} ...", markup=False)
    command = [sys.executable, "-m", "benchmarks.throughput.child", *(str(a) for a in arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _print_stages(title: str, run: dict[str, Any], video_s: float) -> None:
    print(f"\n{title}: verdict {run['verdict']}")
    spent: dict[str, float] = run["stages_s"]
    print(f"  {'stage':<28}{'s':>8}{'share':>8}{'x real time':>13}")
    for stage in ("start-up", *(stage for stage, *_ in STAGES)):
        if stage in spent:
            took = spent[stage]
            print(f"  {stage:<28}{took:8.2f}{took / run['wall_s']:8.1%}{video_s / max(took, 1e-9):13.0f}")
    outer = spent["start-up"] + sum(spent.get(stage, 0.0) for stage, _, _, part_of in STAGES if not part_of)
    print(f"  {'the rest':<28}{run['wall_s'] - outer:8.2f}{1 - outer / run['wall_s']:8.1%}")
    print(f"  {'total':<28}{run['wall_s']:8.2f}{'':8}{video_s / run['wall_s']:13.1f}   {run['cpu_s']:.0f} s of CPU")
    print("  (indented stages are part of the one above them; sound and contacts go beside the pictures)")


def _target(text: str, met: bool) -> None:
    print(f"  {'met   ' if met else 'MISSED'}  {text}")


def _machine() -> str:
    memory = ""
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = f", {os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB"
    return f"{default_workers()} cores{memory}, {sys.platform}"


def _mean_s(runs: list[dict[str, Any]]) -> float:
    return sum(float(run["wall_s"]) for run in runs) / len(runs)


if __name__ == "__main__":
    main()
