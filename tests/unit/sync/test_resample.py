"""The 10 Hz grid: nothing invented in gaps, keypoints at the frames' own times, runs numbered."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset.session.types import ExerciseTable, Pose
from dataset.support.arrays import FloatArray, IntArray
from dataset.support.disk_arrays import block_rows, concatenate
from sync import resample
from tests.present import present


def pose_of(frame_time_s: FloatArray, missing: Sequence[int] = ()) -> Pose:
    """Keypoints that move on a line, found in all frames but some."""
    x = 100.0 + 30.0 * np.asarray(frame_time_s)
    flat = np.repeat(np.stack([x, 2 * x], axis=1)[:, None], 25, axis=1)
    flat[list(missing)] = np.nan
    n = len(frame_time_s)
    return Pose(
        keypoints_2d=flat, keypoints_3d=None, confidence=np.ones((n, 25)), frame_index=np.arange(n), backend="test",
        model_sha256="",
    )  # fmt: skip


def test_grid_times_are_multiples_of_a_tenth_inside_the_span() -> None:
    assert resample.grid_times(0.05, 0.42) == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert resample.grid_times(-0.1, 0.1) == pytest.approx([-0.1, 0.0, 0.1])
    assert len(resample.grid_times(3.0, 1.0)) == 0


def test_a_cubic_keeps_the_variance_that_a_line_loses() -> None:
    rng = np.random.default_rng(0)
    fine = np.arange(0, 60, 0.01)
    smooth = np.convolve(rng.normal(0, 1, len(fine)), np.hanning(35), "same")
    time_s = np.arange(0.0, 59.9, 0.1) + 0.05
    value = np.interp(time_s, fine, smooth)
    at = resample.grid_times(1, 58)
    cubic = resample.sensor_on_grid(at, time_s, value, np.zeros(len(time_s), dtype=np.int64))
    truth = np.interp(at, fine, smooth)
    lost_by_cubic = 1 - np.var(cubic) / np.var(truth)
    lost_by_line = 1 - np.var(np.interp(at, time_s, value)) / np.var(truth)
    assert lost_by_line > 0.1
    assert abs(lost_by_cubic) < 0.4 * lost_by_line


def test_gaps_stay_empty() -> None:
    time_s = np.concatenate([np.arange(0, 2, 0.1), np.arange(3.0, 5, 0.1)])
    run = np.repeat([0, 1], 20)
    level = resample.sensor_on_grid(resample.grid_times(0, 5), time_s, time_s**2, run)
    at = resample.grid_times(0, 5)
    inside = (at > 1.95) & (at < 2.95)
    assert np.isnan(level[inside]).all()
    assert np.isfinite(level[(at <= 1.9) | ((at >= 3.0) & (at <= 4.9))]).all()


def test_a_waveform_is_enveloped_before_it_is_sampled() -> None:
    time_s = np.arange(0, 10, 1e-3)
    wave = np.where(time_s > 5, 2.0, 1.0) * np.sin(2 * np.pi * 130 * time_s)
    at = resample.grid_times(1, 9)
    level = resample.sensor_on_grid(at, time_s, wave, np.zeros(len(time_s), dtype=np.int64))
    assert level[at < 4] == pytest.approx(2 / np.pi, abs=0.03)
    assert level[at > 6] == pytest.approx(4 / np.pi, abs=0.06)


@pytest.mark.parametrize("rate_hz", [10.0, 150.0, 1000.0])
@pytest.mark.parametrize("block", [64, 1500])
def test_the_level_is_the_same_in_blocks(rate_hz: float, block: int) -> None:
    """Runs of many blocks, of one, shorter than the filters' memory, too short to be told, and of a few values."""
    rng = np.random.default_rng(4)
    time_s = np.arange(0, 40, 1 / rate_hz) + rng.uniform(-0.2, 0.2, round(40 * rate_hz)) / rate_hz
    value = 500.0 + np.where(time_s % 7 > 4, 50.0, 5.0) * rng.standard_normal(len(time_s))
    run = np.searchsorted([20.0, 21.2, 22.0, 22.25, 30.0], time_s)
    time_s += run
    at = resample.grid_times(-3, 50)
    whole = resample.sensor_on_grid(at, time_s, value, run)
    with block_rows(block):
        in_blocks = resample.sensor_on_grid(at, time_s, value, run)
    assert np.isfinite(whole).sum() > 350
    assert np.array_equal(np.isnan(in_blocks), np.isnan(whole))
    there = np.isfinite(whole)
    assert in_blocks[there] == pytest.approx(whole[there], rel=1e-10)


def test_half_an_hour_of_a_waveform_takes_little_memory_on_its_way_to_the_grid() -> None:
    def minutes() -> Iterator[tuple[FloatArray, FloatArray, IntArray]]:
        t = np.arange(0, 60, 1e-3)
        for k in range(30):
            yield t + 60 * k, (1 + k) * np.sin(2 * np.pi * 130 * t), np.full(len(t), k // 20)

    time_s, value, run = concatenate(minutes(), (np.float64, np.float64, np.int64))
    at = resample.grid_times(1, 1799)
    tracemalloc.start()
    level = resample.sensor_on_grid(at, time_s, value, run)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < value.nbytes
    assert level[at % 60 == 30] == pytest.approx(np.arange(1, 31) * 2 / np.pi, rel=0.03)


@pytest.mark.parametrize("rate_hz", [10.0, 1000.0])
def test_a_value_that_came_twice_has_one_time(rate_hz: float) -> None:
    time_s = np.repeat(np.arange(0, 20, 1 / rate_hz), 1 + (np.arange(20 * rate_hz) % 30 == 7))
    run = np.zeros(len(time_s), dtype=np.int64)
    at = resample.grid_times(1, 19)
    once = np.diff(time_s, prepend=-1) > 0
    value = np.sin(time_s)
    level = resample.sensor_on_grid(at, time_s, value, run)
    if rate_hz < 100:
        assert level == pytest.approx(resample.sensor_on_grid(at, time_s[once], value[once], run[once]))
    assert np.isfinite(level).all()
    assert np.isnan(resample.sensor_on_grid(at, np.full(5, 2.0), np.ones(5), np.zeros(5, dtype=np.int64))).all()


def test_a_failed_channel_is_all_empty() -> None:
    at = resample.grid_times(0, 1)
    emg = resample.emg_on_grid(at, {"a": None, "b": (at, at, np.zeros(len(at), dtype=np.int64))})
    assert np.isnan(emg[:, 0]).all()
    assert emg[:, 1] == pytest.approx(at)


def test_keypoints_are_taken_between_the_frames_at_their_own_times() -> None:
    frames = np.sort(np.random.default_rng(1).uniform(0, 5, 150))
    at = resample.grid_times(frames[0], frames[-1])
    found = resample.pose_on_grid(at, frames, pose_of(frames))["keypoints_2d"]
    good = np.isfinite(found[:, 0, 0])
    assert good.mean() > 0.5
    assert found[good, 0, 0] == pytest.approx(100 + 30 * at[good], abs=30 * np.median(np.diff(frames)))


def test_a_regular_movement_is_exact_between_regular_frames() -> None:
    frames = np.arange(0.013, 4, 1 / 30)
    at = resample.grid_times(0.1, 3.8)
    found = resample.pose_on_grid(at, frames, pose_of(frames))
    assert found["keypoints_2d"][:, 3, 1] == pytest.approx(2 * (100 + 30 * at))
    assert found["confidence"] == pytest.approx(1.0)


def test_one_found_neighbour_counts_only_within_half_a_frame() -> None:
    frames = np.arange(0, 2, 1 / 30)
    near, far = 0.1 + 0.2 / 30, 0.1 + 0.8 / 30
    found = resample.pose_on_grid(np.array([near, far]), frames, pose_of(frames, missing=[4]))["keypoints_2d"]
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1]).all()


def test_nothing_is_bridged_over_dropped_frames() -> None:
    frames = np.concatenate([np.arange(0, 1, 1 / 30), np.arange(1.5, 2.5, 1 / 30)])
    found = resample.pose_on_grid(np.array([1.2, 1.3]), frames, pose_of(frames))["keypoints_2d"]
    assert np.isnan(found).all()
    assert resample.nearest_frame(np.array([1.2, 1.52]), frames).tolist()[0] == -1


def test_the_nearest_frame_of_each_grid_time_is_asked_for() -> None:
    frames = np.arange(0.004, 10, 1 / 30)
    at = resample.grid_times(0.05, 9.9)
    wanted = resample.frames_to_look_at(at, frames)
    assert len(wanted) == len(at)
    assert set(resample.nearest_frame(at, frames)) == set(wanted.tolist())


def test_of_two_near_frames_the_one_seen_already_is_taken() -> None:
    frames = np.arange(0, 3, 1 / 30)
    at = np.array([1.0 + 0.48 / 30, 2.0 + 0.3 / 30])
    assert resample.frames_to_look_at(at, frames).tolist() == [30, 60]
    assert resample.frames_to_look_at(at, frames, np.array([31, 61])).tolist() == [31, 60]
    assert resample.frames_to_look_at(at, frames, np.array([30, 31, 61])).tolist() == [30, 60]
    assert resample.frames_to_look_at(at, frames, np.zeros(0, dtype=np.int64)).tolist() == [30, 60]


def test_a_slow_or_a_lost_frame_is_made_up_for_by_both_neighbours() -> None:
    at = np.array([1.0])
    slow = np.arange(0.967, 3, 1 / 12)
    assert resample.frames_to_look_at(np.array([1.01]), slow).tolist() == [0, 1]
    lost = np.delete(np.arange(0, 3, 1 / 30), 30)
    assert resample.frames_to_look_at(at, lost).tolist() == [29, 30]
    away = np.concatenate([np.arange(0, 0.5, 1 / 30), np.arange(2, 3, 1 / 30)])
    assert len(resample.frames_to_look_at(at, away)) == 0
    assert len(resample.frames_to_look_at(at, np.zeros(0))) == 0


@given(seed=st.integers(0, 10_000), spacing_s=st.sampled_from([1 / 60, 1 / 30, 1 / 24, 1 / 12]), lost=st.floats(0, 0.3))
def test_what_is_asked_for_is_enough(seed: int, spacing_s: float, lost: float) -> None:
    """Keypoints from the frames asked for alone are there wherever those from all frames are."""
    rng = np.random.default_rng(seed)
    frames = np.arange(0, 5, spacing_s)
    frames = (frames + rng.uniform(-0.3, 0.3, len(frames)) * spacing_s)[rng.random(len(frames)) >= lost]
    at = resample.grid_times(frames[0], frames[-1])
    everything = pose_of(frames)
    keypoints = present(everything.keypoints_2d)
    wanted = resample.frames_to_look_at(at, frames)
    some = Pose(
        keypoints_2d=keypoints[wanted], keypoints_3d=None, confidence=everything.confidence[wanted],
        frame_index=wanted, backend="test", model_sha256="",
    )  # fmt: skip
    of_all, of_some = (resample.pose_on_grid(at, frames, p)["keypoints_2d"][:, 0, 0] for p in (everything, some))
    assert np.array_equal(np.isnan(of_all), np.isnan(of_some))
    there = np.isfinite(of_some)
    # A steady movement; before the first and behind the last frame it is held.
    assert of_some[there] == pytest.approx(100 + 30 * at[there], abs=30 * max(0.6 * spacing_s, 0.025) + 1e-6)


def test_a_cubic_through_nearest_frames_is_no_worse_than_a_line_between_neighbours() -> None:
    frames = np.arange(0.0, 60, 1 / 29.97)
    at = resample.grid_times(1, 59)
    wave = 100.0 * np.sin(2 * np.pi * 1.2 * frames)
    nearest = resample.frames_to_look_at(at, frames)
    flat = np.repeat(wave[nearest, None, None], 25, axis=1).repeat(2, axis=2)
    pose = Pose(
        keypoints_2d=flat, keypoints_3d=None, confidence=np.ones((len(nearest), 25)), frame_index=nearest,
        backend="test", model_sha256="",
    )  # fmt: skip
    truth = 100.0 * np.sin(2 * np.pi * 1.2 * at)
    cubic = resample.pose_on_grid(at, frames, pose)["keypoints_2d"][:, 0, 0]
    by_cubic = np.sqrt(np.mean((cubic - truth) ** 2))
    by_line = np.sqrt(np.mean((np.interp(at, frames, wave) - truth) ** 2))
    assert by_cubic < by_line < 1.0


def test_confidence_stays_within_its_bounds() -> None:
    frames = np.arange(0, 4, 1 / 30)
    pose = pose_of(frames)
    confidence = np.where(np.arange(len(frames)) % 6 < 3, 1.0, 0.0)[:, None].repeat(25, axis=1)
    pose = Pose(
        keypoints_2d=pose.keypoints_2d, keypoints_3d=None, confidence=confidence, frame_index=pose.frame_index,
        backend="test", model_sha256="",
    )  # fmt: skip
    found = resample.pose_on_grid(resample.grid_times(0.5, 3.5), frames, pose)["confidence"]
    assert found.min() >= 0.0
    assert found.max() <= 1.0


def test_half_an_hours_keypoints_take_little_memory_on_their_way_to_the_grid() -> None:
    frames = np.arange(0, 1800, 1 / 10)
    pose = pose_of(frames, missing=[500])
    at = resample.grid_times(1, 1799)
    tracemalloc.start()
    found = resample.pose_on_grid(at, frames, pose)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < found["keypoints_2d"].nbytes, "what it gives lies in files"
    assert found["keypoints_2d"][9000, 3, 0] == pytest.approx(100 + 30 * at[9000], abs=0.1)


@given(usable=st.lists(st.booleans(), max_size=40))
def test_runs_are_numbered_in_order_and_breaks_are_minus_one(usable: list[bool]) -> None:
    number = resample.number_runs(np.array(usable, dtype=bool))
    assert len(number) == len(usable)
    for i, flag in enumerate(usable):
        assert (number[i] >= 0) == flag
        if i and flag and usable[i - 1]:
            assert number[i] == number[i - 1]
    starts = [number[i] for i in range(len(usable)) if usable[i] and (i == 0 or not usable[i - 1])]
    assert starts == list(range(len(starts)))


def test_each_row_is_labelled_with_the_exercise_of_its_time() -> None:
    table = ExerciseTable(name=("squat", "lunge"), start_s=np.array([0.2, 0.6]), stop_s=np.array([0.4, 0.7]))
    assert resample.exercise_at(resample.grid_times(0, 0.8), table) == (
        "",
        "",
        "squat",
        "squat",
        "",
        "",
        "lunge",
        "",
        "",
    )


@given(st.lists(st.booleans(), max_size=60))
def test_only_short_gaps_inside_are_closed(values: list[bool]) -> None:
    seen = np.array(values, dtype=bool)
    closed = resample.close_short_gaps(seen)
    assert np.all(closed[seen])
    padded = "".join("x" if v else " " for v in seen)
    expected = re.sub(r"(?<=x) {1,5}(?=x)", lambda gap: "x" * len(gap[0]), padded)
    assert "".join("x" if v else " " for v in closed) == expected
