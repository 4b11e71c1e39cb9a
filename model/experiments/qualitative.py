"""Figure 6: predictions beside truth, muscle by muscle, and on the body from yellow to red."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dataset.errors import InputError
from dataset.exercises import exercise_title
from model import plots
from model.experiments.bodies import draw_activity
from model.experiments.context import IN_DISTRIBUTION, Context, Report, Results
from model.experiments.exercises import spaced
from model.experiments.jobs import Job

SYSTEM, RATE = "transformer-paper", "tuned"
_FRAMES = (2, 8, 14, 20, 26)
_MOST_BODIES = 6


def jobs(context: Context) -> list[Job]:
    """Return the run that is shown."""
    return [context.training(SYSTEM, RATE, IN_DISTRIBUTION, 0)]


def report(context: Context, results: Results, out: Path) -> Report:
    """Draw the figures into ``out``.

    Raises
    ------
    InputError
        The run kept no predictions.
    """
    (job,) = jobs(context)
    result = results[job.key]
    if result.predicted is None:
        raise InputError(f"{job.key} holds no predictions", "it was made by another version", "run anew")
    test = context.windows.take(result.test)
    end = " - virtual data" if context.virtual else ""
    plot = out / "qualitative.png"
    plots.draw_predictions(test, result.predicted, plot, title=f"{job.label}, test part, measured and predicted{end}")
    sections = [
        f"{job.label}, seed 0, in distribution, on its test part. Measured dotted, predicted solid:",
        f"![{job.label} beside the truth]({plot.name})",
        "On the body: yellow is relaxed, red flexed (the 98th percentile of the muscle in the training part, for this "
        "subject). Each limb's flexor and extensor lie beside each other; the window shown is the one whose error is "
        "the median of its exercise.",
    ]
    drawn = [plot]
    known = context.windows
    there = tuple(name for name in context.exercises if (test.exercise == name).any())
    for name in spaced(there, _MOST_BODIES):
        mine = np.flatnonzero(test.exercise == name)
        error = np.where(test.valid[mine], result.predicted[mine] - test.emg[mine], 0.0)
        i = int(mine[np.argsort((error**2).mean((1, 2)))[len(mine) // 2]])
        theirs = np.setdiff1d(np.flatnonzero(known.subject == test.subject[i]), result.test)
        emg = known.emg[theirs] if len(theirs) else test.emg
        top = np.nanpercentile(emg.reshape(-1, emg.shape[-1]), 98, axis=0)
        frames = np.array([f for f in _FRAMES if f < test.length])
        path = out / f"qualitative-{name or 'unlabelled'}.png"
        title = f"{exercise_title(name)}, subject {test.subject[i]}, median error{end}"
        draw_activity(
            {"measured": test.emg[i, frames], "predicted": result.predicted[i, frames]},
            test.keypoints[i, frames].astype(np.float64),
            test.channels,
            path,
            top=np.where(top > 0, top, 1.0),
            times_s=[f / test.rate_hz for f in frames],
            title=title,
        )
        drawn.append(path)
        sections.append(f"![{title}]({path.name})")
    return Report(markdown="\n\n".join(sections), rows=(), figures=tuple(drawn))
