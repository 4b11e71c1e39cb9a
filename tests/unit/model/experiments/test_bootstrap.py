from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dataset.session.file import read_session
from dataset.splits import split_for_experiment
from dataset.windows import Windows, windows_from_sessions
from model.evaluation import Errors, ErrorSums, measure
from model.experiments.bootstrap import Summary, interval
from model.experiments.jobs import exercise_axis
from model.experiments.sentences import below, figure

Maker = Callable[..., Path]


@pytest.fixture
def halves(make_session: Maker) -> tuple[Windows, Windows, tuple[str, ...]]:
    made = [make_session(f"r{i}", seed=i, subject=f"S{i % 2}", passes=3) for i in range(4)]
    windows = windows_from_sessions([read_session(path) for path in made], stride=8)
    parts = split_for_experiment(windows, "in-distribution")
    return windows.take(parts.known), windows.take(parts.test), exercise_axis(windows)


def test_the_figures_are_those_of_metrics_json(halves: tuple[Windows, Windows, tuple[str, ...]]) -> None:
    known, test, exercises = halves
    test.valid[:3, 4:9, 2] = False
    test.emg[:3, 4:9, 2] = np.nan
    predicted = np.nan_to_num(test.emg, nan=5.0) + np.random.default_rng(0).normal(0, 9, test.emg.shape)
    expected = measure(known, test, predicted)
    one = Summary([Errors(known, test, predicted).sums(exercises)])
    assert one.pooled().value == pytest.approx(expected["rmse"])
    assert one.rmse().value == pytest.approx(expected["rmse_mean_exercises"])
    for e, name in enumerate(exercises):
        assert one.exercise(e).value == pytest.approx(expected["rmse_per_exercise"][name])
    for c, name in enumerate(test.channels):
        assert one.channel(c).value == pytest.approx(expected["rmse_per_channel"][name])
        assert one.r2(c).value == pytest.approx(expected["r2"][name])
    assert np.sqrt(one._sums["sse_z"][0].sum() / one._sums["n"][0].sum()) == pytest.approx(expected["rmse_normalised"])


def test_the_course_alone_does_not_see_scale_and_offset(halves: tuple[Windows, Windows, tuple[str, ...]]) -> None:
    known, test, exercises = halves
    stretched = Summary([Errors(known, test, 3.0 * test.emg + 40.0).sums(exercises)])
    assert stretched.rmse("sse_shape").value == pytest.approx(0.0, abs=1e-6)
    assert (stretched.rmse().value or 0) > 40.0
    constant = Errors(known, test, np.zeros_like(test.emg)).sums(exercises)
    assert np.sqrt(constant.sse_shape.sum() / constant.n.sum()) == pytest.approx(1.0)


def made_up(errors: np.ndarray) -> ErrorSums:
    """Return the sums of recordings with one exercise and one channel, 100 values each, of the errors given."""
    n = np.full((len(errors), 1, 1), 100.0)
    sse = n * errors[:, None, None] ** 2
    return ErrorSums(n=n, sse=sse, sse_z=sse, sse_shape=sse, total=n, square=2 * n)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    draw = np.random.default_rng(1)
    hits = 0
    for _ in range(200):
        estimate = Summary([made_up(np.sqrt(draw.exponential(4.0, 30)))]).pooled()
        assert estimate.low is not None
        assert estimate.high is not None
        hits += estimate.low < 2.0 < estimate.high  # the mean square is 4
    assert 0.86 <= hits / 200 <= 0.99


def test_recordings_that_differ_make_a_wider_interval_than_recordings_alike() -> None:
    def width(errors: list[float]) -> float:
        found = Summary([made_up(np.array(errors))]).pooled()
        return (found.high or 0.0) - (found.low or 0.0)

    assert width([5.0, 5.0, 5.0, 5.0]) == 0.0
    assert width([1.0, 9.0, 2.0, 8.0]) > 3.0


def test_seeds_that_differ_make_a_wider_interval() -> None:
    one, other = made_up(np.array([5.0, 5.0])), made_up(np.array([9.0, 9.0]))
    found = Summary([one, other]).pooled()
    assert (found.low, found.high) == (5.0, 9.0)


def test_one_recording_gives_no_interval() -> None:
    found = Summary([made_up(np.array([5.0])), made_up(np.array([6.0]))]).pooled()
    assert found.value == pytest.approx(np.sqrt((25 + 36) / 2))
    assert found.low is None
    assert figure(found) == "5.5"


def test_what_was_not_measured_has_no_figure() -> None:
    empty = ErrorSums(**{name: np.zeros((2, 1, 1)) for name in ErrorSums.__slots__})
    assert Summary([made_up(np.array([5.0, 6.0])) + empty]).pooled().value is not None
    assert interval(np.array([np.nan, 1.0])).value is None
    assert figure(interval(np.array([np.nan]))) == "-"


def test_words_follow_from_the_draws() -> None:
    draw = np.random.default_rng(0).normal(0, 1, 2000)
    low, high = np.append(10.0, 10.0 + draw), np.append(20.0, 20.0 + draw[::-1])
    assert "**agrees**" in below("a against b", low, high, "counts", enough=True)
    assert "disagrees" in below("a against b", high, low, "counts", enough=True)
    unclear = below("a against b", low, low + draw.mean() + np.append(0, draw), "c", enough=True)
    assert "no significant difference" in unclear
    assert "no interval" in below("a against b", low, high, "counts", enough=False)
