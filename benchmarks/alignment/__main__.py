"""``python -m benchmarks.alignment``: our method and others on a thousand synthetic sessions with known truth."""

from __future__ import annotations

import math
import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.alignment.kept import code_version, keep, kept
from benchmarks.alignment.run import OURS, run_one
from benchmarks.alignment.score import FAST, FILM, OFFSETS, SLOW, Score, Summary, summarise
from benchmarks.alignment.strata import STRATA, plan
from dataset.support.errors import InputError

#: Width of tables written to a file, so that columns are not cut.
_OUT = Console(width=None if sys.stdout.isatty() else 170)
_ERR = Console(stderr=True)


def main(
    sessions: Annotated[int, typer.Option(help="Total number of sessions, in the strata's proportions.")] = 1000,
    jobs: Annotated[int, typer.Option(help="Worker processes.")] = 2,
    seed: Annotated[int, typer.Option(help="First seed.")] = 0,
    stratum: Annotated[list[str] | None, typer.Option(help="Only these strata.")] = None,
    rivals: Annotated[bool, typer.Option(help="Also run the other methods.")] = True,
    scores_file: Annotated[
        Path | None,
        typer.Option("--scores", help="Store scores in this file (JSON lines); sessions in it are not run again."),
    ] = None,
) -> None:
    """Score our alignment and other methods on synthetic sessions."""
    began = time.monotonic()
    counts = {n: c for n, c in plan(sessions).items() if not stratum or n in stratum}
    work = [(name, seed + k) for name, count in counts.items() for k in range(count)]
    scores: list[Score] = []
    crashes: list[str] = []
    version = code_version(rivals=rivals)
    try:
        for name, number, found in kept(scores_file, version) if scores_file else ():
            if (name, number) in work:
                work.remove((name, number))
                scores += found
    except InputError as error:
        _ERR.print(str(error), markup=False)
        raise typer.Exit(2) from error
    n_kept = sum(counts.values()) - len(work)
    # Each worker has one core: threads of the linear algebra libraries would wait for one another.
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    context = multiprocessing.get_context("spawn")
    with Progress(console=_ERR) as bar, ProcessPoolExecutor(jobs, mp_context=context) as pool:
        task = bar.add_task("sessions", total=len(work))
        begun = {pool.submit(run_one, name, number, rivals): (name, number) for name, number in work}
        for done in as_completed(begun):
            found, crash = done.result()
            scores += found
            crashes += [crash] if crash else []
            if scores_file and not crash:
                keep(scores_file, version, *begun[done], found)
            bar.advance(task)
    _OUT.print(
        f"{n_kept + len(work)} synthetic sessions, seeds from {seed}; {os.cpu_count()} cores, {jobs} workers; "
        f"{time.monotonic() - began:.0f} s" + (f" without {n_kept} read from the file" if n_kept else "")
    )
    print_tables(scores)
    print_offsets(scores)
    print_clocks(scores)
    print_targets(scores)
    for crash in crashes:
        _ERR.print(crash, markup=False)
    _OUT.print(f"crashes: {len(crashes)}")


def print_tables(scores: Sequence[Score]) -> None:
    """Print a table per stream, with a row for each stratum and estimator."""
    for stream in ("video", "sensors 10 Hz", "sensors 1 kHz"):
        table = Table(title=f"{stream} (ms)", title_justify="left")
        heads = ["stratum", "estimator", "n", "refused", "mid p50", "p95", "max"]
        heads += ["ends p50", "p95", "max", "mid/ends p95 (frames)"] if stream == "video" else ["bound p50", "p95"]
        for head in [*heads, "coverage", "half-width", "silent"]:
            table.add_column(head, justify="left" if head in ("stratum", "estimator") else "right")
        for name in STRATA:
            for estimator in dict.fromkeys(s.estimator for s in scores):
                rows = [s for s in scores if (s.stratum, s.stream, s.estimator) == (name, stream, estimator)]
                if rows and (estimator == OURS or any(s.accepted for s in rows)):
                    table.add_row(name, estimator, *_cells(summarise(rows), stream))
        _OUT.print(table)


def _cells(s: Summary, stream: str) -> list[str]:
    cells = [str(s.n), f"{s.refused:.1%}", *(f"{v:.1f}" for v in (s.mid_median_ms, s.mid_p95_ms, s.mid_max_ms))]
    if stream == "video":
        cells += [f"{v:.1f}" for v in (s.end_median_ms, s.end_p95_ms, s.end_max_ms)]
        cells.append(f"{s.mid_p95_frames:.2f} / {s.end_p95_frames:.2f}")
    else:
        cells += [f"{v:.1f}" for v in (s.bound_median_ms, s.bound_p95_ms)]
    seeds = f" ({', '.join(map(str, s.silent_seeds[:6]))})" if s.silent_seeds else ""
    return [*cells, f"{s.coverage:.1%}", f"{s.width_ms:.1f}", f"{s.silent}{seeds}"]


def print_offsets(scores: Sequence[Score]) -> None:
    """Print the coverage of our intervals for films, offsets and left-right differences, a row for each stratum."""
    for stream in (f"{what} {rate}" for rate in (SLOW, FAST) for what in (FILM, *OFFSETS)):
        table = Table(title=f"{stream} (ms)", title_justify="left")
        for head in ("stratum", "n", "p50", "p95", "max", "coverage", "half-width", "silent"):
            table.add_column(head, justify="left" if head == "stratum" else "right")
        found = [s for s in scores if s.stream == stream and s.estimator == OURS]
        for name in (*STRATA, "all"):
            rows = [s for s in found if name in (s.stratum, "all")]
            if rows:
                s = summarise(rows)
                cells = (s.mid_median_ms, s.mid_p95_ms, s.mid_max_ms)
                numbers = (f"{v:.1f}" for v in cells)
                table.add_row(name, str(s.n), *numbers, f"{s.coverage:.1%}", f"{s.width_ms:.1f}", str(s.silent))
        if found:
            _OUT.print(table)


def print_clocks(scores: Sequence[Score]) -> None:
    """Print the errors of de-jittered arrivals relative to their median, for all strata together."""
    table = Table(title="arrivals to sensor time, about its median (ms)", title_justify="left")
    for head in ("stream", "estimator", "n", "rms p50", "p95", "largest p50", "p95"):
        table.add_column(head, justify="left" if head in ("stream", "estimator") else "right")
    for stream in ("sensors 10 Hz", "sensors 1 kHz"):
        for estimator in dict.fromkeys(s.estimator for s in scores):
            rows = [s for s in scores if s.stream == stream and s.estimator == estimator]
            rows = [s for s in rows if math.isfinite(s.clock_rms_s)]
            if rows:
                rms = np.percentile([s.clock_rms_s for s in rows], (50, 95)) * 1e3
                largest = np.percentile([s.clock_max_s for s in rows], (50, 95)) * 1e3
                name = estimator.partition(" + ")[0]
                table.add_row(stream, name, str(len(rows)), *(f"{v:.1f}" for v in (*rms, *largest)))
    _OUT.print(table)


def print_targets(scores: Sequence[Score]) -> None:
    """Print each target, the value reached, and whether it is met."""
    table = Table(title="targets", title_justify="left")
    for head in ("target", "reached", "met"):
        table.add_column(head)

    def add(what: str, reached: str, met: bool) -> None:
        table.add_row(what, reached, "yes" if met else "NO")

    def of(stream: str, strata: Sequence[str], *, rolling: bool | None = None) -> list[Score]:
        return [
            s for s in scores
            if s.estimator == OURS and s.stream == stream and s.stratum in strata
            and (rolling is None or s.rolling == rolling)
        ]  # fmt: skip

    well = ("well_posed", "rolling_shutter", "emg_1khz")
    refuse = tuple(n for n, s in STRATA.items() if s.refuse)
    ours = [s for s in scores if s.estimator == OURS]
    silent = sum(s.silent for s in ours)
    add("silent errors 0", str(silent), silent == 0)
    if rows := of("video", well):
        s = summarise(rows)
        add("refusals <= 3 % well-posed (video)", f"{s.refused:.1%}", s.refused <= 0.03)
        add("coverage 93-97 % (video, well-posed)", f"{s.coverage:.1%}", 0.93 <= s.coverage <= 0.97)
        add("video mid p95 <= 0.2 frame", f"{s.mid_p95_frames:.2f}", s.mid_p95_frames <= 0.2)
        add("video ends p95 <= 0.35 frame", f"{s.end_p95_frames:.2f}", s.end_p95_frames <= 0.35)
    if rows := of("video", well, rolling=True):
        s = summarise(rows)
        reached = f"mid {s.mid_p95_ms:.1f}, ends {s.end_p95_ms:.1f} ms"
        add("video p95 <= 3 ms with a rolling shutter over the light", reached, max(s.mid_p95_ms, s.end_p95_ms) <= 3)
    if rows := of("video", refuse):
        s = summarise(rows)
        add("refusals >= 99 % ambiguous or wrong (video)", f"{s.refused:.1%}", s.refused >= 0.99)
    for stream, (p50, p95) in {"sensors 1 kHz": (4, 10), "sensors 10 Hz": (10, 35)}.items():
        if rows := of(stream, well):
            s = summarise(rows)
            add(f"{stream} p50 <= {p50}, p95 <= {p95} ms", f"{s.mid_median_ms:.1f}, {s.mid_p95_ms:.1f} ms "
                f"(known shape: {s.bound_median_ms:.1f}, {s.bound_p95_ms:.1f})",
                s.mid_median_ms <= p50 and s.mid_p95_ms <= p95)  # fmt: skip
            add(f"{stream} refusals <= 3 % well-posed", f"{s.refused:.1%}", s.refused <= 0.03)
            add(f"{stream} coverage 93-97 %", f"{s.coverage:.1%}", 0.93 <= s.coverage <= 0.97)
    no_box = ("no_flash_log", "silent_buzzer", "screen")
    for rate, p95 in ((FAST, 20), (SLOW, 40)):
        for what, strata in (("well-posed", well), ("without box or beep", no_box)):
            if rows := of(f"{FILM} {rate}", strata):
                s = summarise(rows)
                add(f"film {rate} p95 <= {p95} ms ({what})", f"{s.end_p95_ms:.1f} ms", s.end_p95_ms <= p95)
                add(f"film {rate} coverage 93-97 % ({what})", f"{s.coverage:.1%}", 0.93 <= s.coverage <= 0.97)
    for rate in (SLOW, FAST):
        if rows := of(f"{OFFSETS[0]} {rate}", well):
            s = summarise(rows)
            add(f"offsets {rate} coverage 93-97 %", f"{s.coverage:.1%}", 0.93 <= s.coverage <= 0.97)
        if rows := of(f"{OFFSETS[3]} {rate}", well):
            s = summarise(rows)
            # Eight sensors cannot show that their delays agree within a few milliseconds, so it may be higher.
            add(f"left minus right {rate} coverage >= 93 %", f"{s.coverage:.1%}", s.coverage >= 0.93)
    _OUT.print(table)


if __name__ == "__main__":
    typer.run(main)
