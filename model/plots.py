"""Plots of predictions over time: truth dotted, prediction solid, one panel per muscle."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dataset.exercises import exercise_title
from dataset.figure_text import channel_text, figure_text
from dataset.muscles import channel_from_name
from dataset.support.arrays import FloatArray
from dataset.windows import Windows

#: Most seconds shown; segments are chosen so that every subject and exercise is shown before any is shown twice.
MOST_SECONDS = 36.0
PAUSE_S = 0.6
#: Most characters of a channel's name beside its panel.
_MOST_SIGNS = 22
#: Most exercise names that fit beside one another.
MOST_UPRIGHT = 5

_TRUTH, _PREDICTION = "#333333", "#d1495b"
_SHADES = ("#e8f0f8", "#fdf3dc", "#e9f5e6", "#f6e9f3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Neighbouring test windows as one run of frames; where windows overlap their predictions are averaged.

    Attributes
    ----------
    truth, predicted : ndarray, shape (T, C)
    exercise, subject : str
    """

    truth: FloatArray
    predicted: FloatArray
    exercise: str
    subject: str


def join_windows(test: Windows, predicted: FloatArray) -> tuple[Stretch, ...]:
    """Join windows that touch or overlap in time, within one recording and run."""
    frames = test.start_frame
    order = np.lexsort((frames, test.run, test.recording))
    groups: list[list[int]] = []
    for i in order:
        last = groups[-1][-1] if groups else None
        if (
            last is not None
            and test.recording[i] == test.recording[last]
            and test.run[i] == test.run[last]
            and frames[i] - frames[last] <= test.length
        ):
            groups[-1].append(int(i))
        else:
            groups.append([int(i)])
    return tuple(_joined(test, predicted, frames, group) for group in groups)


def draw_predictions(test: Windows, predicted: FloatArray, path: Path, *, title: str) -> None:
    """Draw prediction against truth for every channel and write it as PNG.

    Parameters
    ----------
    test : Windows
    predicted : ndarray, shape (N, L, C)
    path : Path
        Ends in ``.png``.
    title : str
    """
    shown = _chosen(join_windows(test, predicted), test.rate_hz)
    n_rows = (len(test.channels) + 1) // 2
    figure = Figure(figsize=(13, 1.6 + 1.75 * n_rows), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(n_rows, 2, sharex=True, squeeze=False)
    for axes, c in zip(grid.ravel(), _paired(test.channels), strict=False):
        _draw_channel(axes, shown, c, test)
    for axes in grid.ravel()[len(test.channels) :]:
        axes.set_visible(False)
    for axes in grid[0]:
        _name_exercises(axes, shown, test.rate_hz)
    for axes in grid[-1]:
        axes.set_xlabel("time in the test part shown (s)")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    figure.suptitle(figure_text(title, len(title), pixels=True), fontsize=12)
    figure.savefig(path, dpi=110, format="png")


def _joined(test: Windows, predicted: FloatArray, frames: NDArray[np.int64], group: list[int]) -> Stretch:
    first = int(frames[group[0]])
    size = (int(frames[group[-1]]) - first + test.length, len(test.channels))
    truth = np.full(size, np.nan)
    total, count = np.zeros(size), np.zeros((size[0], 1))
    for i in group:
        rows = slice(int(frames[i]) - first, int(frames[i]) - first + test.length)
        truth[rows] = test.emg[i]
        total[rows] += predicted[i]
        count[rows] += 1
    return Stretch(
        truth=truth,
        predicted=np.where(count > 0, total / np.maximum(count, 1), np.nan),
        exercise=str(test.exercise[group[0]]),
        subject=str(test.subject[group[0]]),
    )


def _chosen(every: tuple[Stretch, ...], rate_hz: float) -> list[Stretch]:
    """Return segments that fill the plot, each kind once before any is repeated, in order of time."""
    rounds: dict[tuple[str, str], int] = {}
    ranked = []
    for i, stretch in enumerate(every):
        kind = (stretch.subject, stretch.exercise)
        rounds[kind] = rounds.get(kind, -1) + 1
        ranked.append((rounds[kind], i))
    room = MOST_SECONDS
    longest = max(3.0, MOST_SECONDS / max(len(rounds), 1))
    chosen: dict[int, Stretch] = {}
    for _, i in sorted(ranked):
        rows = min(len(every[i].truth), round(longest * rate_hz))
        if chosen and rows / rate_hz > room:
            continue
        room -= rows / rate_hz
        whole = every[i]
        chosen[i] = Stretch(
            truth=whole.truth[:rows],
            predicted=whole.predicted[:rows],
            exercise=whole.exercise,
            subject=whole.subject,
        )
    in_time = sorted(chosen, key=lambda i: (chosen[i].subject, chosen[i].exercise, i))
    return [chosen[i] for i in in_time]


def _offsets(shown: list[Stretch], rate_hz: float) -> list[float]:
    lengths = [len(s.truth) / rate_hz + PAUSE_S for s in shown]
    return [float(t) for t in np.concatenate([[0.0], np.cumsum(lengths)[:-1]])]


def _paired(channels: tuple[str, ...]) -> list[int]:
    """Return the channels' order on the page: one row per muscle, left beside right."""
    muscles = list(dict.fromkeys(channel_from_name(name).muscle for name in channels))

    def place(i: int) -> tuple[int, str]:
        channel = channel_from_name(channels[i])
        return muscles.index(channel.muscle), channel.side

    return sorted(range(len(channels)), key=place)


def _draw_channel(axes: Axes, shown: list[Stretch], c: int, test: Windows) -> None:
    kinds = list(dict.fromkeys((s.subject, s.exercise) for s in shown))
    for i, (stretch, start) in enumerate(zip(shown, _offsets(shown, test.rate_hz), strict=True)):
        t = start + np.arange(len(stretch.truth)) / test.rate_hz
        shade = _SHADES[kinds.index((stretch.subject, stretch.exercise)) % len(_SHADES)]
        axes.axvspan(t[0], t[-1], color=shade, zorder=0, linewidth=0)
        axes.plot(t, stretch.truth[:, c], ":", color=_TRUTH, linewidth=1.8, label=None if i else "measured", zorder=2)
        axes.plot(
            t,
            stretch.predicted[:, c],
            "-",
            color=_PREDICTION,
            linewidth=1.5,
            label=None if i else "predicted",
            zorder=3,
        )
    axes.set_ylabel(
        f"{channel_text(test.channels[c], _MOST_SIGNS, pixels=True)}\n({figure_text(test.unit, pixels=True)})",
        fontsize=9,
    )
    axes.set_ylim(bottom=0.0)
    axes.margins(x=0.005)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def _name_exercises(axes: Axes, shown: list[Stretch], rate_hz: float) -> None:
    """Write each exercise once above its segments, with the subject if there are several."""
    many = len({s.subject for s in shown}) > 1
    groups: list[tuple[str, float, float]] = []
    for stretch, start in zip(shown, _offsets(shown, rate_hz), strict=True):
        name = figure_text(exercise_title(stretch.exercise), pixels=True)
        label = f"{name}\nsubject {stretch.subject}".strip() if many else name
        stop = start + len(stretch.truth) / rate_hz
        if groups and groups[-1][0] == label:
            groups[-1] = (label, groups[-1][1], stop)
        else:
            groups.append((label, start, stop))
    slanted = len(groups) > MOST_UPRIGHT  # many horizontal names would overlap
    for label, start, stop in groups:
        axes.annotate(
            label.replace("\n", ", ") if slanted else label,
            ((start + stop) / 2, 1.02),
            xycoords=("data", "axes fraction"),
            ha="left" if slanted else "center",
            va="bottom",
            rotation=30 if slanted else 0,
            rotation_mode="anchor",
            fontsize=8.5,
            annotation_clip=False,
        )
