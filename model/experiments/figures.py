"""Figures of experiments: means with intervals and a matrix by exercise, line plots, and retrieval matrices."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from dataset.exercises import exercise_title
from dataset.figure_text import figure_text
from dataset.support.arrays import FloatArray
from model.experiments.bootstrap import Estimate, Summary

#: Okabe and Ito's colour-blind safe palette: one colour per system in all figures.
COLOURS = {
    "random": "#999999", "mean": "#bbbbbb", "subject_mean": "#777777", "nn": "#000000", "nn_subject": "#555555",
    "cnn-paper": "#0072b2", "transformer-paper": "#d55e00", "mia": "#009e73",
}  # fmt: skip
_DPI = 110


def colour_of(system: str) -> str:
    """Return a system's colour, the same for all learning rates of a network."""
    return COLOURS[system.partition(" ")[0].rstrip(",")]


def draw_by_exercise(
    summaries: Mapping[str, Summary], exercises: Sequence[str], path: Path, *, title: str, unit: str
) -> Path:
    """Draw each system's mean RMSE with its interval, and below it the RMSE of every exercise; write it as PNG."""
    shown = [e for e in range(len(exercises)) if any(s.exercise(e).value is not None for s in summaries.values())]
    systems, columns = list(summaries), np.arange(len(summaries), dtype=np.float64)
    matrix = np.array([[_value(one.exercise(e)) for one in summaries.values()] for e in shown])
    figure = Figure(figsize=(2.2 + 0.85 * len(systems), 4.4 + 0.27 * len(shown)), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2.2, 0.27 * len(shown) + 0.2])
    value, low, high = _ends([one.rmse() for one in summaries.values()])
    for x, system, v, down, up in zip(columns, systems, value, low, high, strict=True):
        colour, hollow = colour_of(system), "published" in system
        above.errorbar(x, v, yerr=[[v - down], [up - v]], fmt="o", color=colour, markersize=7, linewidth=1.8,
                       markerfacecolor="white" if hollow else colour)  # fmt: skip
        above.annotate(f"{v:.1f}", (x, v), xytext=(8, 0), textcoords="offset points", va="center", fontsize=9)
    above.set_ylim(bottom=0.0)
    above.set_ylabel(f"mean of exercises,\nRMSE ({_text(unit)}), 95 %", fontsize=9)
    above.grid(axis="y", color="#dddddd", linewidth=0.6)
    above.spines[["top", "right"]].set_visible(False)
    above.tick_params(labelbottom=False)
    above.set_title(_text(title), fontsize=11, loc="left")
    image = below.imshow(matrix, aspect="auto", cmap="cividis_r", vmin=0.0)
    middle = 0.55 * float(np.nanmax(matrix))
    for (row, column), error in np.ndenumerate(matrix):
        if np.isfinite(error):
            below.text(column, row, f"{error:.0f}", ha="center", va="center", fontsize=8.5,
                       color="white" if error > middle else "black")  # fmt: skip
    below.set_yticks(
        range(len(shown)), [_text(exercise_title(exercises[e])) or "unlabelled" for e in shown], fontsize=9
    )
    below.set_xticks(columns, [name.replace(" (", "\n(") for name in systems], rotation=35, ha="right", fontsize=9)
    below.tick_params(length=0)
    below.spines[:].set_visible(False)
    figure.colorbar(image, ax=below, label=f"RMSE ({_text(unit)})", aspect=30)
    figure.savefig(path, dpi=_DPI)
    return path


def _text(text: str) -> str:
    return figure_text(text, len(text), pixels=True)


def _value(estimate: Estimate) -> float:
    return math.nan if estimate.value is None else estimate.value


def _ends(figures: Sequence[Estimate]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return values and the ends of their intervals; the values themselves where there is no interval."""
    value = np.array([np.nan if f.value is None else f.value for f in figures], dtype=np.float64)
    low = np.array([np.nan if f.low is None else f.low for f in figures], dtype=np.float64)
    high = np.array([np.nan if f.high is None else f.high for f in figures], dtype=np.float64)
    return value, np.fmin(low, value), np.fmax(high, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class LineFigure:
    """Labels of a line plot.

    Attributes
    ----------
    title, xlabel, unit : str
    dashed : sequence of str
        Labels of lines drawn dashed.
    """

    title: str
    xlabel: str
    unit: str
    dashed: Sequence[str] = ()


def draw_lines(x: Sequence[float], lines: Mapping[str, Sequence[Estimate]], path: Path, about: LineFigure) -> Path:
    """Draw lines with their intervals as bands; write the figure as PNG.

    Parameters
    ----------
    x : sequence of float
        Also the ticks of the axis.
    lines : mapping of str to sequence of Estimate
        By label, whose first word is a system's name.
    path : Path
    about : LineFigure
    """
    figure, axes = _figure(8.0, 5.2)
    for label, figures in lines.items():
        value, low, high = _ends(figures)
        colour = colour_of(label)
        style = "--" if label in about.dashed else "-"
        axes.plot(x, value, style, marker="o", color=colour, label=label, markersize=4)
        axes.fill_between(x, low, high, color=colour, alpha=0.12, linewidth=0)
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel(about.xlabel)
    axes.set_ylabel(f"RMSE, mean of exercises ({_text(about.unit)})")
    axes.set_xticks(list(x))
    axes.grid(color="#dddddd", linewidth=0.6)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return _saved(figure, axes, path, about.title)


def draw_matrices(matrices: Mapping[str, FloatArray], exercises: Sequence[str], path: Path, *, title: str) -> Path:
    """Draw retrieval matrices side by side, rows queries and columns retrieved; write the figure as PNG."""
    names = [_text(exercise_title(name)) for name in exercises]
    size = 1.6 + 0.32 * len(names)
    width = len(matrices) * (size + 0.3) + 0.8
    figure = Figure(figsize=(max(width, 8.5), 0.88 * size + 2.0), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(1, len(matrices), squeeze=False, sharey=True)[0]
    for axes, (name, matrix) in zip(grid, matrices.items(), strict=True):
        image = axes.imshow(matrix, vmin=0.0, vmax=1.0, cmap="viridis")
        axes.set_title(name, fontsize=10)
        axes.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=8)
        axes.set_yticks(range(len(names)), names, fontsize=8)
        axes.set_xlabel("retrieved")
        if len(names) <= 6:
            for (i, j), share in np.ndenumerate(matrix):
                axes.text(j, i, f"{share:.2f}", ha="center", va="center", fontsize=8,
                          color="black" if share > 0.6 else "white")  # fmt: skip
    grid[0].set_ylabel("asked for")
    figure.colorbar(image, ax=list(grid), shrink=0.8, label="share of windows")
    figure.suptitle(_text(title), fontsize=11)
    figure.savefig(path, dpi=_DPI)
    return path


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _saved(figure: Figure, axes: Axes, path: Path, title: str) -> Path:
    axes.set_title(_text(title), fontsize=11, loc="left")
    figure.savefig(path, dpi=_DPI)
    return path
