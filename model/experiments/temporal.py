"""Table 2: error by window length, every length evaluated on the same frames."""

from __future__ import annotations

from pathlib import Path

from model.experiments import figures, paper, tables
from model.experiments.bootstrap import Summary
from model.experiments.context import IN_DISTRIBUTION, PAPER_NETWORKS, Context, Report, Results, by_system
from model.experiments.jobs import Job
from model.experiments.sentences import below, figure


def jobs(context: Context) -> list[Job]:
    """Return the runs: for each length the baselines and the paper's networks."""
    return [job for length in _lengths(context) for job in _of(context, length)]


def report(context: Context, results: Results, out: Path) -> Report:
    """Write the figure to ``out`` and return the table."""
    unit, rate_hz = context.windows.unit, context.windows.rate_hz
    lengths = _lengths(context)
    seconds = [0.0 if length == 1 else length / rate_hz for length in lengths]
    found = [by_system(_of(context, length), results) for length in lengths]
    names = [name for name in found[0] if name not in _LEFT_OUT]
    body = [[name, *(figure(at[name].rmse()) for at in found)] for name in names]
    for name, values in paper.TABLE_2.items():
        beside = dict(zip(paper.TABLE_2_S, values, strict=True))
        body.append([f"*{name}, paper*", *(f"{beside[s]:.1f}" if s in beside else "-" for s in seconds)])
    title = "Error by the window's length" + (" - virtual data" if context.virtual else "")
    about = figures.LineFigure(
        title=title,
        xlabel="window (s); 0 is a single frame",
        unit=unit,
        dashed=[name for name in names if "published" in name],
    )
    lines = {name: [at[name].rmse() for at in found] for name in names}
    drawn = figures.draw_lines(seconds, lines, out / "temporal.png", about)
    rows = [
        row
        for s, at in zip(seconds, found, strict=True)
        for row in tables.long_rows(
            "temporal",
            f"{s:.1f} s",
            {name: at[name] for name in names},
            context.exercises,
            context.windows.channels,
            unit,
        )
    ]  # fmt: skip
    sections = [
        "Each length is evaluated on the same frames of the same test windows, cut into windows of that length. A step "
        "uses the same number of frames at each length.",
        tables.markdown([f"RMSE, mean of exercises ({unit})", *(f"{s:.1f} s" for s in seconds)], body),
        "Paper: longer windows are better.",
        "\n".join(f"- {_longer(name, found[-1][name], found[0][name], unit)}" for name in names),
        f"![{title}]({drawn.name})",
    ]
    return Report(markdown="\n\n".join(sections), rows=rows, figures=(drawn,))


#: Baselines that do not depend on the window's length, or that the paper does not have.
_LEFT_OUT = ("random", "mean", "subject_mean", "nn_subject")


def _lengths(context: Context) -> list[int]:
    return [length for length in context.budget.lengths if length <= context.windows.length]


def _of(context: Context, length: int) -> list[Job]:
    return [
        context.baselines(IN_DISTRIBUTION, length=length),
        *(
            context.training(system, rate, IN_DISTRIBUTION, seed, length=length)
            for system in PAPER_NETWORKS
            for rate, seed in context.runs(system, everywhere=True)
        ),
    ]


def _longer(name: str, longest: Summary, shortest: Summary, unit: str) -> str:
    return below(f"{name}, longest window compared with a single frame", longest.mean_exercises(),
                 shortest.mean_exercises(), unit, enough=longest.n_recordings > 1)  # fmt: skip
