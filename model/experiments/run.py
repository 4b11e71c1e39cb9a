"""Run experiments: read sessions, tune learning rates, run the jobs, write tables and figures."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from dataset.splits import split_for_experiment
from dataset.support import clock
from dataset.support.errors import InputError, OutputExistsError
from dataset.support.files import sha256_of, write_atomically
from dataset.support.outputs import cannot_write, check_writable
from dataset.support.own_files import own_file
from dataset.support.parsing import parse_json, read_json
from dataset.support.version import software
from model.experiments import exercises, leave_one_subject_out, qualitative, similarity, tables, temporal, transfer
from model.experiments.budget import Budget, budget_of
from model.experiments.context import IN_DISTRIBUTION, PAPER_NETWORKS, Context, Report, Results
from model.experiments.jobs import Job, Result, load_result
from model.experiments.pages import Conditions, page, runs_csv
from model.experiments.runner import Execution, Source, load_windows, run_jobs
from model.options import ExperimentOptions
from model.runs import read_verified
from model.training.loop import SAVE_EVERY_S

FORMAT, FORMAT_VERSION = "mia-experiments", "1"
ABOUT = "experiment.json"
RUNS = "runs"


class _Experiment(Protocol):
    def jobs(self, context: Context) -> list[Job]: ...
    def report(self, context: Context, results: Results, out: Path) -> Report: ...


#: The experiments by name, with their titles.
EXPERIMENTS: dict[str, tuple[_Experiment, str]] = {
    "exercises": (exercises, "Table 1: in distribution, and one exercise left out"),
    "temporal": (temporal, "Table 2: the window's length"),
    "transfer": (transfer, "Figure 7: fine-tuning compared with training from scratch"),
    "similarity": (similarity, "Figure 8: similarity of exercises by pose and by embedding"),
    "qualitative": (qualitative, "Figure 6: predictions and truth, over time and on the body"),
    "people": (leave_one_subject_out, "Leave-one-subject-out"),
}
ALL = "all"

#: Progress display: given a description and a total, yields a function that advances it.
Progress = Callable[[str, float], AbstractContextManager[Callable[[float], None]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Paths and rows of the results written.

    Attributes
    ----------
    out : Path
    pages : mapping of str to Path
        Markdown by experiment.
    figures : tuple of Path
    rows : tuple of dict
        The long tables of all experiments, one after the other.
    notes : tuple of str
    """

    out: Path
    pages: dict[str, Path]
    figures: tuple[Path, ...]
    rows: tuple[dict[str, object], ...]
    notes: tuple[str, ...]


def run_experiments(
    name: str,
    sessions: Sequence[Path],
    out: Path,
    options: ExperimentOptions,
    *,
    progress: Progress = lambda description, total: nullcontext(lambda amount: None),
    save_every_s: float = SAVE_EVERY_S,
) -> Outcome:
    """Run one experiment, or all, and write Markdown, CSV and figures to ``out``.

    Parameters
    ----------
    name : str
        One of :data:`EXPERIMENTS`, or ``all``.
    sessions : sequence of Path
        Files, or folders of files that end in ``.h5``.
    out : Path
        Must not exist, unless ``options.resume``.
    options : ExperimentOptions
    progress : callable, optional
        Given a description and a total, yields a function that advances a bar.
    save_every_s : float
        Seconds between two copies of an unfinished training, of runs in this process.

    Raises
    ------
    InputError, OutputExistsError
    RefusedError
        A session's verdict is FAIL.
    MiaError
        Some runs failed.
    """
    if name != ALL and name not in EXPERIMENTS:
        raise InputError(f"unknown experiment {name!r}", f"known: {', '.join(EXPERIMENTS)}, {ALL}")
    budget = budget_of(options.tier, seeds=options.seeds, steps=options.steps)
    execution = Execution(workers=options.jobs or 1, scheduler=options.scheduler, save_every_s=save_every_s)
    check_writable(out)
    if out.exists() and not options.resume:
        raise OutputExistsError(f"{out} exists", "results are never overwritten", "choose another --out, or --resume")
    read = read_verified(sessions, allow_unverified=options.allow_unverified)
    paths = tuple(str(s.path.resolve()) for s in read if s.path is not None)
    source = Source(sessions=paths, stride=options.stride)
    windows = load_windows(source)
    hashes = [{"session": s.name, "sha256": sha256_of(Path(p))} for s, p in zip(read, paths, strict=True)]
    about = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "settings": {"budget": _as_json(budget), "stride": windows.stride, "sessions": hashes},
    }
    names = tuple(EXPERIMENTS) if name == ALL else (name,)
    untuned = dict.fromkeys(PAPER_NETWORKS, 0.0)
    context = Context(windows=windows, budget=budget, tuned=untuned, virtual=any(s.is_virtual for s in read))
    tuning = context.tuning()
    # Check before anything is written that no part of any run is empty.
    for parts in {IN_DISTRIBUTION, *(job.parts for n in names for job in EXPERIMENTS[n][0].jobs(context))}:
        split_for_experiment(windows, parts)
    runs = _prepared(out, about)

    def done(jobs: Sequence[Job], what: str) -> dict[str, Result]:
        unique = {job.key: job for job in jobs}
        with progress(what, sum(_weight(job) for job in unique.values())) as advance:
            run_jobs(list(unique.values()), source, runs, execution, each=lambda job: advance(_weight(job)))
        return {key: load_result(runs, key) for key in unique}

    tried = done([job for each in tuning.values() for job in each], "tuning")
    tuned = {
        system: min(each, key=lambda job: float(tried[job.key].about["validation_rmse"])).learning_rate
        for system, each in tuning.items()
    }
    context = Context(windows=windows, budget=budget, tuned=tuned, virtual=context.virtual)
    wanted = {n: EXPERIMENTS[n][0].jobs(context) for n in names}
    results = done([job for each in wanted.values() for job in each], "training")

    notes = [f"{s.name}: {s.verdict}, {s.verdict_reason}" for s in read if s.verdict != "PASS"]
    if context.virtual:
        notes.append("virtual data, not people")
    pages: dict[str, Path] = {}
    drawn: list[Path] = []
    rows: list[dict[str, object]] = []
    for n in names:
        found = EXPERIMENTS[n][0].report(context, results, out)
        heading = f"## {n.capitalize()}: {EXPERIMENTS[n][1]}"
        conditions = Conditions(
            context=context, jobs=wanted[n], tuning=tuning, results=results | tried, notes=tuple(notes)
        )
        text = page(heading, found, conditions)
        pages[n] = out / f"{n}.md"
        write_atomically(pages[n], text.encode())
        if found.rows:
            write_atomically(out / f"{n}.csv", tables.as_csv(found.rows).encode())
        drawn += found.figures
        rows += [dict(row) for row in found.rows]
    write_atomically(out / "runs.csv", runs_csv(results | tried).encode())
    return Outcome(out=out, pages=pages, figures=tuple(drawn), rows=tuple(rows), notes=tuple(notes))


def _prepared(out: Path, about: dict[str, Any]) -> Path:
    """Make the folder, or check that it holds the same experiment; return the folder of runs."""
    runs = out / RUNS
    if out.exists():
        try:
            there = read_json(own_file(out, ABOUT))["settings"]
            if not isinstance(there, dict):
                raise TypeError("its settings are not an object")
        except (InputError, KeyError, TypeError) as error:
            raise InputError(f"{out} has no experiment to resume", str(error), "choose another --out") from error
        if there != about["settings"]:
            differing = sorted(key for key in about["settings"] if there.get(key) != about["settings"][key])
            raise InputError(
                f"{out} has another experiment", f"its {', '.join(differing)} differ", "choose another --out"
            )
        return runs
    try:
        runs.mkdir(parents=True)
    except OSError as error:
        raise cannot_write(out, error) from error
    made = {**about, "created_utc": clock.utc_iso(), "software": software()}
    write_atomically(out / ABOUT, (json.dumps(made, indent=2) + "\n").encode())
    return runs


def _as_json(budget: Budget) -> dict[str, Any]:
    made: dict[str, Any] = parse_json(json.dumps(asdict(budget)))
    return made


def _weight(job: Job) -> float:
    """Return a job's share of the progress bar: its steps of 32 windows, in tens."""
    return max(1, round(job.steps * job.batch / 320))
