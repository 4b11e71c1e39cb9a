"""Rest and maximum from marked intervals: told where they were measured, and nowhere else."""

from __future__ import annotations

import itertools
import math
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset.session.types import EventTable
from dataset.support.arrays import FloatArray, IntArray
from dataset.support.disk_arrays import concatenate
from sync import resample
from sync.calibration import calibrate, names, pair_intervals
from sync.events.filters import envelope
from tests.present import present

REST, EFFORT = 20.0, 300.0


def table(*marks: tuple[float, str] | tuple[float, str, str]) -> EventTable:
    """Events of (time, kind) or (time, kind, label)."""
    full = [(*m, "")[:3] for m in marks]
    return EventTable(
        time_s=np.array([m[0] for m in full], dtype=float), uncertainty_s=np.zeros(len(full)),
        kind=tuple(m[1] for m in full), label=tuple(m[2] for m in full), source=("",) * len(full),
    )  # fmt: skip


def slow(
    level: Callable[[FloatArray], FloatArray] = lambda t: np.where((t > 20) & (t < 25), EFFORT, REST),
    until: float = 40.0,
    noise: float = 1.0,
    seed: int = 0,
) -> tuple[FloatArray, FloatArray, IntArray]:
    """A 10 Hz sensor whose muscle is tense from 20 s to 25 s."""
    t = np.arange(0.03, until, 0.1)
    return t, level(t) + np.random.default_rng(seed).normal(0, noise, len(t)), np.zeros(len(t), dtype=np.int64)


BOTH = table((2, "rest_start"), (12, "rest_stop"), (19, "contract_start"), (26, "contract_stop"))


def levels(
    events: EventTable, stream: tuple[FloatArray, FloatArray, IntArray], channel: str = "left_biceps"
) -> tuple[float, float]:
    measured = calibrate(events, [channel], {channel: stream})
    if measured.calibration is None:
        return math.nan, math.nan
    return float(measured.calibration.rest_counts[0]), float(measured.calibration.mvc_counts[0])


def test_both_are_found() -> None:
    rest, maximum = levels(BOTH, slow())
    assert rest == pytest.approx(REST, abs=0.5)
    assert maximum == pytest.approx(EFFORT, abs=2.0)


def test_nothing_marked_is_nothing_stored() -> None:
    measured = calibrate(table((1, "clap_cue"), (3, "exercise_start", "squat")), ["left_biceps"], {})
    assert measured.calibration is None
    assert measured.provenance is None


def test_what_was_not_marked_is_not_measured() -> None:
    only_rest = table((2, "rest_start"), (12, "rest_stop"))
    rest, maximum = levels(only_rest, slow())
    assert rest == pytest.approx(REST, abs=0.5)
    assert math.isnan(maximum)


def test_a_twitch_and_the_ends_of_a_rest_do_not_move_it() -> None:
    def level(t: FloatArray) -> FloatArray:
        busy = (t < 2.4) | (t > 11.6) | ((t > 6) & (t < 7.5))
        return np.where(busy, EFFORT, REST)

    rest, _ = levels(BOTH, slow(level))
    assert rest == pytest.approx(REST, abs=0.5)


def test_the_maximum_is_the_best_half_second_not_a_spike_nor_the_mean() -> None:
    def level(t: FloatArray) -> FloatArray:
        ramp = np.interp(t, [20, 22, 22.6, 25], [REST, 280, 280, REST])
        return np.where(np.abs(t - 24.03) < 0.01, 600.0, ramp)

    _, maximum = levels(BOTH, slow(level, noise=0.0))
    assert maximum == pytest.approx(280.0, abs=0.5)


def test_the_highest_of_several_contractions_counts() -> None:
    def level(t: FloatArray) -> FloatArray:
        return np.where((t > 20) & (t < 23), 250.0, np.where((t > 30) & (t < 33), 310.0, REST))

    events = table((20, "contract_start"), (23, "contract_stop"), (30, "contract_start"), (33, "contract_stop"))
    assert levels(events, slow(level))[1] == pytest.approx(310.0, abs=2.0)


def test_a_contraction_within_a_rest_is_no_part_of_it() -> None:
    events = table((0, "rest_start"), (9.9, "contract_start"), (38, "contract_stop"), (39, "rest_stop"))

    def level(t: FloatArray) -> FloatArray:
        return np.where((t > 10) & (t < 37.9), EFFORT, REST)

    assert levels(events, slow(level))[0] == pytest.approx(REST, abs=0.5)


def test_overlapping_rests_count_once_and_a_reversed_one_not_at_all() -> None:
    events = table((2, "rest_start", "left"), (4, "rest_start", "biceps"), (6, "rest_stop", "left"),
                   (12, "rest_stop", "biceps"), (20, "rest_stop"), (25, "rest_start"))  # fmt: skip
    assert levels(events, slow())[0] == pytest.approx(REST, abs=0.5)
    step = present(calibrate(events, ["left_biceps"], {"left_biceps": slow()}).provenance)
    assert step["n_rests"] == 2
    assert step["n_marks_without_partner"] == 2


@pytest.mark.parametrize(
    "marks",
    [
        [(19, "contract_start")],
        [(26, "contract_stop")],
        [(26, "contract_start"), (19, "contract_stop")],
        [(22, "contract_start"), (22.3, "contract_stop")],
        [(19, "contract_start"), (26, "contract_stop", "left_biceps")],
        [(50, "contract_start"), (60, "contract_stop")],
    ],
    ids=["no stop", "no start", "reversed", "too short", "stop of another", "beyond the recording"],
)
def test_marks_that_make_no_interval_measure_nothing(marks: list[tuple[float, str] | tuple[float, str, str]]) -> None:
    measured = calibrate(table(*marks), ["left_biceps"], {"left_biceps": slow()})
    assert measured.calibration is None
    if len(marks) == 1:
        assert present(measured.provenance)["n_marks_without_partner"] == 1


def test_a_start_that_was_not_stopped_does_not_reach_into_the_next() -> None:
    events = table((5, "contract_start"), (30, "contract_start"), (35, "contract_stop"))
    assert levels(events, slow())[1] == pytest.approx(REST, abs=2.0)  # the effort at 20 s lies outside


def test_labels_choose_channels_and_the_missing_stay_empty() -> None:
    channels = ["left_biceps", "right_biceps", "left_quadriceps", "pulse"]
    streams = {name: slow(seed=i) for i, name in enumerate(channels[:2])}
    events = table((2, "rest_start", "Left Biceps"), (12, "rest_stop", "left_biceps"),
                   (19, "contract_start", "biceps"), (26, "contract_stop", "biceps"),
                   (30, "rest_start", "left_lats"), (35, "rest_stop", "left_lats"))  # fmt: skip
    measured = calibrate(events, channels, streams)
    calibration = present(measured.calibration)
    assert np.isfinite(calibration.rest_counts).tolist() == [True, False, False, False]
    assert np.isfinite(calibration.mvc_counts).tolist() == [True, True, False, False]
    assert present(measured.provenance)["labels_of_no_channel"] == ["left_lats"]


@pytest.mark.parametrize(
    ("label", "channel", "meant"),
    [
        ("", "left_biceps", True), ("all", "left_biceps", True), ("biceps", "right_biceps", True),
        ("right", "right_biceps", True), ("right", "left_biceps", False), ("Biceps", "left_biceps", True),
        ("bi", "left_biceps", False), ("emg1", "emg1", True), ("emg1", "emg2", False),
    ],
)  # fmt: skip
def test_labels(label: str, channel: str, meant: bool) -> None:
    assert names(label, channel) is meant


def test_the_maximum_never_reaches_over_a_gap() -> None:
    """Values of an effort that come in pieces shorter than half a second tell no maximum."""
    t, value, _ = slow()
    keep = ~((t > 19) & (t < 26) & (np.arange(len(t)) % 4 == 0))
    run = np.cumsum(~keep)[keep]
    assert math.isnan(levels(BOTH, (t[keep], value[keep], run))[1])


def test_too_little_rest_is_none() -> None:
    events = table((2, "rest_start"), (3.5, "rest_stop"))
    assert math.isnan(levels(events, slow())[0])


def test_a_waveform_is_measured_as_the_grid_shows_it() -> None:
    t = np.arange(0, 40, 1e-3)
    scale = np.where((t > 20) & (t < 25), 200.0, 10.0)
    value = 700.0 + scale * np.random.default_rng(3).normal(0, 1, len(t))  # with a constant, as amplifiers have
    run = np.zeros(len(t), dtype=np.int64)
    rest, maximum = levels(BOTH, (t, value, run))
    on_grid = resample.sensor_on_grid(np.arange(2.5, 11.6, 0.1), t, value, run)
    assert rest == pytest.approx(float(np.median(on_grid)), rel=0.02)
    # The highest of many half seconds of noise lies somewhat above the mean.
    assert 20.0 * 0.98 < maximum / rest < 20.0 * 1.2


def waveform() -> tuple[FloatArray, FloatArray, IntArray]:
    """A 1 kHz sensor that is tense from 20 s to 25 s, with gaps after 8 s, in a contraction and in a rest."""
    t = np.arange(0, 60, 1e-3)
    value = 700.0 + np.where((t > 20) & (t < 25), 200.0, 10.0) * np.random.default_rng(3).standard_normal(len(t))
    run = np.searchsorted([8.0, 22.0, 51.0, 51.4], t)
    return t + 0.1 * run, value, run


def test_a_waveform_s_levels_are_those_of_its_whole_runs() -> None:
    t, value, run = waveform()
    events = table((2, "rest_start"), (12, "rest_stop"), (10, "rest_start", "left"), (16, "rest_stop", "left"),
                   (50, "rest_start"), (54, "rest_stop"), (14, "contract_start"), (15, "contract_stop"),
                   (19, "contract_start"), (26, "contract_stop"))  # fmt: skip
    runs = [(t[run == k], envelope(value[run == k], 1000.0, resample.ENVELOPE_CUTOFF_HZ)) for k in (0, 1, 2, 4)]
    at_rest = [y[((s >= 2.5) & (s < 13.5)) | ((s >= 50.5) & (s <= 53.5))] for s, y in runs]
    tense = [y[(s >= 19) & (s <= 26)] for s, y in runs]
    highest = max(np.convolve(y, np.full(500, 1 / 500), "valid").max() for y in tense if len(y) >= 500)
    assert levels(events, (t, value, run)) == pytest.approx((np.median(np.concatenate(at_rest)), highest), rel=1e-6)


def test_what_was_not_marked_takes_no_memory() -> None:
    t, value, run = concatenate(
        ((t + 60 * k, value, np.full(len(t), k)) for k, (t, value, _) in enumerate([waveform()] * 30)),
        (np.float64, np.float64, np.int64),
    )
    tracemalloc.start()
    rest, maximum = levels(BOTH, (t, value, run))
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 0.3 * value.nbytes
    assert maximum > 10 * rest > 0


times = st.floats(0, 100, allow_nan=False)
marks = st.lists(
    st.tuples(times, st.sampled_from(["rest_start", "rest_stop"]), st.sampled_from(["", "biceps", "left"])), max_size=30
)


@given(marks)
def test_pairs_are_made_of_marks_and_none_is_used_twice(drawn: list[tuple[float, str, str]]) -> None:
    intervals, unpaired = pair_intervals(table(*drawn), "rest")
    starts = sorted((t, label) for t, kind, label in drawn if kind == "rest_start")
    assert all(x.stop_s > x.start_s for x in intervals)
    assert {x.stop_s for x in intervals} <= {t for t, kind, _ in drawn if kind == "rest_stop"}
    used = [(x.start_s, x.label) for x in intervals]
    assert all(used.count(u) <= starts.count(u) for u in used)
    assert 0 <= unpaired <= len(drawn)
    for label in ("", "biceps", "left"):
        own = [x for x in intervals if x.label == label]
        assert all(a.stop_s <= b.start_s for a, b in itertools.pairwise(own))


@given(st.integers(0, 10_000), st.floats(0.05, 20.0))
def test_levels_scale_with_the_counts(seed: int, factor: float) -> None:
    t, value, run = slow(seed=seed, noise=3.0)
    rest, maximum = levels(BOTH, (t, value, run))
    assert levels(BOTH, (t, factor * value, run)) == pytest.approx((factor * rest, factor * maximum))
    assert rest < maximum <= value.max() + 1e-9
