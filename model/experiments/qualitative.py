"""Figure 6: predictions and truth over time for each muscle, and as colours on the body."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np

from dataset.exercises import canonical_exercise, exercise_title
from dataset.support.arrays import FloatArray, IntArray
from dataset.support.errors import InputError
from dataset.windows import Windows
from model import plots
from model.experiments.body_figures import BodyFrames, draw_activity
from model.experiments.context import IN_DISTRIBUTION, OWN_NETWORK, Context, Report, Results
from model.experiments.exercises import spaced
from model.experiments.jobs import Job, Result

#: Systems shown (the paper's as in its Figure 6, and the project's own), their rates and plot files.
_SHOWN = {"transformer-paper": ("tuned", "qualitative.png"), OWN_NETWORK: ("own", "qualitative-own.png")}
_FRAMES = (2, 8, 14, 20, 26)
_MOST_BODIES = 6
#: Most characters of an exercise's name in a file name.
_MOST_SIGNS = 60


def jobs(context: Context) -> list[Job]:
    """Return the runs that are shown."""
    return [context.training(system, rate, IN_DISTRIBUTION, 0) for system, (rate, _) in _SHOWN.items()]


def report(context: Context, results: Results, out: Path) -> Report:
    """Draw the figures into ``out``.

    Raises
    ------
    InputError
        A run stored no predictions.
    """
    runs = jobs(context)
    predicted = {job.label: _kept(job, results[job.key]) for job in runs}
    tested = results[runs[0].key].test
    test = context.windows.take(tested)
    end = " - virtual data" if context.virtual else ""
    sections, drawn = [], []
    for job in runs:
        plot = out / _SHOWN[job.system][1]
        title = f"{job.label}, test part, measured and predicted{end}"
        plots.draw_predictions(test, predicted[job.label], plot, title=title)
        drawn.append(plot)
        sections += [
            f"{job.label}, seed 0, in distribution, on its test part. Measured dotted, predicted solid:",
            f"![{job.label}, measured and predicted]({plot.name})",
        ]
    sections.append(
        "On the body: yellow is relaxed, red flexed (the 5th and the 98th percentile of the muscle in the training "
        "part, for this subject). Each limb's flexor and extensor are side by side; the window shown is the one "
        f"whose error with {runs[0].label} is the median of its exercise."
    )
    there = tuple(name for name in context.exercises if (test.exercise == name).any())
    for name in spaced(there, _MOST_BODIES):
        i = _median_window(test, predicted[runs[0].label], name)
        title = f"{exercise_title(name)}, subject {test.subject[i]}{end}"
        path = figure_path(out, name, drawn)
        rest, top = _rest_and_top(context.windows, tested, str(test.subject[i]))
        frames = np.array([f for f in _FRAMES if f < test.length])
        activity = {"measured": test.emg[i, frames]} | {label: emg[i, frames] for label, emg in predicted.items()}
        body = BodyFrames(
            keypoints=test.keypoints[i, frames].astype(np.float64),
            times_s=[f / test.rate_hz for f in frames],
            channels=test.channels,
            rest=rest,
            top=top,
        )
        draw_activity(activity, body, path, title=title)
        drawn.append(path)
        sections.append(f"![{title}]({path.name})")
    return Report(markdown="\n\n".join(sections), rows=(), figures=tuple(drawn))


def figure_path(folder: Path, exercise: str, taken: Collection[Path]) -> Path:
    """Return the file of an exercise's figure: its name in letters and digits, with a number if already used."""
    stem = f"qualitative-{canonical_exercise(exercise)[:_MOST_SIGNS] or 'unlabelled'}"
    names = (stem, *(f"{stem}-{number}" for number in range(2, len(taken) + 2)))
    return next(path for name in names if (path := folder / f"{name}.png") not in taken)


def _kept(job: Job, result: Result) -> FloatArray:
    if result.predicted is None:
        raise InputError(f"{job.key} has no predictions", "it was made by another version", "run it again")
    return result.predicted


def _median_window(test: Windows, predicted: FloatArray, exercise: str) -> int:
    """Return the window of an exercise with the median error."""
    mine = np.flatnonzero(test.exercise == exercise)
    error = np.where(test.valid[mine], predicted[mine] - test.emg[mine], 0.0)
    return int(mine[np.argsort((error**2).mean((1, 2)))[len(mine) // 2]])


def _rest_and_top(windows: Windows, tested: IntArray, subject: str) -> tuple[FloatArray, FloatArray]:
    """Return the 5th and 98th percentile of each channel of a subject outside the test part, shape (C,) each."""
    mine = np.flatnonzero(windows.subject == subject)
    theirs = np.setdiff1d(mine, tested)
    emg = windows.emg[theirs if len(theirs) else mine]
    rest, top = np.nanpercentile(emg.reshape(-1, emg.shape[-1]), (5, 98), axis=0)
    return rest, np.where(top > rest, top, rest + 1.0)
