"""``mia-train``: train a model on sessions, evaluate it, show its results, run the paper's experiments."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dataset.support.command_options import with_options
from dataset.support.console import STDERR, print_result, progress, run_app
from dataset.support.errors import UsageError
from model.options import AllowUnverified, ExperimentOptions, FitOptions

if TYPE_CHECKING:
    from model.run_files import Metrics
    from model.runs import Result

app = typer.Typer(
    name="mia-train",
    help="Train models that predict muscle activity from motion, and compare them with baselines.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Sessions = Annotated[list[Path], typer.Argument(metavar="SESSION...", help="Session files, or folders of .h5 files.")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="Folder written by `mia-train fit`.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


@app.callback()
def _root() -> None:
    """Keep subcommands even if there is only one."""


@app.command()
@with_options
def fit(
    sessions: Sessions,
    out: Annotated[Path, typer.Option("--out", metavar="RUN", help="Folder to create; must not exist.")],
    options: FitOptions,
    as_json: AsJson = False,
) -> None:
    """Train on sessions; write weights, metrics and a plot to RUN, and print the error against the baselines."""
    from model import runs

    with _epochs_bar(options.model) as report:
        result = runs.fit(sessions, out, options, progress=report)
    _tell(result, options.model, as_json=as_json)


@app.command()
def evaluate(
    run: RunFolder, sessions: Sessions, allow_unverified: AllowUnverified = False, as_json: AsJson = False
) -> None:
    """Evaluate RUN on sessions; of sessions it was trained on, only the test part is used."""
    from model import run_files, runs

    model = run_files.load_config(run).model
    _tell(runs.evaluate(run, sessions, allow_unverified=allow_unverified), model, as_json=as_json)


@app.command()
@with_options
def experiment(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="exercises, temporal, transfer, similarity, qualitative, people, or all."),
    ],
    sessions: Sessions,
    out: Annotated[Path, typer.Option("--out", help="Folder for tables and figures; must not exist.")],
    options: ExperimentOptions,
    as_json: AsJson = False,
) -> None:
    """Run the paper's experiments on sessions: splits without leakage, all systems, baselines, intervals, figures."""
    from model.experiments.run import run_experiments

    if options.jobs is not None and options.scheduler is not None:
        raise UsageError(
            "--jobs and --scheduler exclude each other", "a cluster has its own workers", "give only one of them"
        )
    outcome = run_experiments(name, sessions, out, options, progress=progress)
    for note in outcome.notes:
        STDERR.print(f"note: {note}", markup=False, soft_wrap=True)
    if not as_json:
        _overview(outcome.rows)
    text = "\n".join(f"{n}: {page}" for n, page in outcome.pages.items())
    paths = {"out": outcome.out, "pages": outcome.pages, "figures": list(outcome.figures), "notes": list(outcome.notes)}
    print_result({**paths, "rows": list(outcome.rows)}, as_json=as_json, text=text)


@app.command()
def show(run: RunFolder, as_json: AsJson = False) -> None:
    """Print the settings and results of RUN."""
    from model import run_files

    config, metrics = run_files.load_config(run), run_files.load_metrics(run)
    words = [
        f"{config.model}, {metrics.parameters:,} parameters, trained {config.created_utc}",
        f"{config.steps} steps in {metrics.seconds:.0f} s on {config.device}",
        f"{metrics.n_train} training and {metrics.n_test} test windows of {config.length} frames, "
        f"--split {metrics.split.name}, seed {metrics.split.seed}",
    ]
    if not as_json:
        _table(metrics, config.model, config.unit)
    fields = {"model": config.model, "channels": config.channels, "unit": config.unit, "metrics": metrics.as_dict()}
    print_result({"run": run, **fields}, as_json=as_json, text="\n".join(words))


@contextmanager
def _epochs_bar(model: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on stderr once the number of epochs is known."""
    with ExitStack() as stack:
        advance: Callable[[float], None] | None = None

        def report(done: int, total: int) -> None:
            nonlocal advance
            if advance is None:
                advance = stack.enter_context(progress(f"training {model}", total))
            advance(1 if done else 0)

        yield report


def _tell(result: Result, model: str, *, as_json: bool) -> None:
    from model import run_files

    metrics = result.metrics
    for note in result.notes:
        STDERR.print(f"note: {note}", markup=False, soft_wrap=True)
    unit = run_files.load_config(result.run).unit
    if not as_json:
        _table(metrics, model, unit)
    text = "\n".join(
        (
            f"RMSE {_number(metrics.rmse)} {unit} on {metrics.n_test} test windows "
            f"(mean {_number(metrics.floors.get('mean'))}, NN {_number(metrics.floors.get('nn'))})",
            f"run:     {result.run}",
            f"metrics: {result.metrics_path}",
            f"plot:    {result.plot_path}",
        )
    )
    paths = {"run": result.run, "metrics_path": result.metrics_path, "plot_path": result.plot_path}
    print_result({**paths, "model": model, "unit": unit, "metrics": metrics.as_dict()}, as_json=as_json, text=text)


def _table(metrics: Metrics, model: str, unit: str) -> None:
    from rich.markup import escape
    from rich.table import Table

    from dataset.exercises import exercise_title
    from dataset.muscles import channel_from_name

    baselines = Table(title=f"RMSE ({unit})", title_justify="left")
    baselines.add_column("predictor")
    baselines.add_column("RMSE", justify="right")
    baselines.add_column(f"{model} is", justify="right")
    for baseline, value in metrics.floors.items():
        baselines.add_row(_BASELINE_NAMES[baseline], _number(value), _against(metrics.rmse, value))
    baselines.add_section()
    baselines.add_row(model, _number(metrics.rmse), "", style="bold")
    STDERR.print(baselines)
    muscles = Table(title="by muscle", title_justify="left")
    for column in ("muscle", f"RMSE ({unit})", "R2"):
        muscles.add_column(column, justify="left" if column == "muscle" else "right")
    for name, value in metrics.rmse_per_channel.items():
        muscles.add_row(escape(channel_from_name(name).label), _number(value), _number(metrics.r2[name]))
    STDERR.print(muscles)
    if len(metrics.rmse_per_exercise) > 1:
        exercises = Table(title="by exercise", title_justify="left")
        exercises.add_column("exercise")
        exercises.add_column(f"RMSE ({unit})", justify="right")
        for name, value in metrics.rmse_per_exercise.items():
            exercises.add_row(escape(exercise_title(name)) or "none", _number(value))
        exercises.add_section()
        exercises.add_row("mean of exercises", _number(metrics.rmse_mean_exercises))
        STDERR.print(exercises)


def _overview(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print one table: the mean over exercises of every system in every comparison."""
    from rich.table import Table

    table = Table(title="RMSE, mean of exercises", title_justify="left")
    for column in ("experiment", "comparison", "system"):
        table.add_column(column)
    for column in ("RMSE", "95 % interval"):
        table.add_column(column, justify="right")
    last: tuple[str, str] | None = None
    for row in rows:
        if not str(row["metric"]).startswith("rmse_mean_exercises_") or "_z" in str(row["metric"]):
            continue
        place = (str(row["experiment"]), str(row["comparison"]))
        if last is not None and place != last:
            table.add_section()
        interval = "-" if row["low"] is None else f"{row['low']:.1f} to {row['high']:.1f}"
        table.add_row(*(place if place != last else ("", "")), str(row["system"]), _number(row["value"]), interval)
        last = place
    if table.row_count:
        STDERR.print(table)


_BASELINE_NAMES = {
    "random": "random window, same exercise",
    "mean": "mean",
    "subject_mean": "mean of the subject",
    "nn": "nearest neighbour",
    "nn_subject": "nearest neighbour in the subject",
}


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _against(mine: float | None, baseline: float | None) -> str:
    if mine is None or not baseline:
        return "-"
    change = 100.0 * (1.0 - mine / baseline)
    return f"{abs(change):.0f} % {'better' if change >= 0 else 'worse'}"


def main() -> None:
    """Run ``mia-train``."""
    run_app(app, "mia-train")
