from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dataset.importers.mia import import_mia
from dataset.session.file import read_session
from dataset.splits import split_windows
from dataset.windows import Windows, windows_from_sessions
from model.baselines import BASELINES, nearest_windows, predict_baselines
from model.evaluation import measure

Maker = Callable[..., Path]


@pytest.fixture
def parts(make_session: Maker) -> tuple[Windows, Windows]:
    sessions = [read_session(make_session(f"s{i}", seed=i, subject=f"S{i}")) for i in range(2)]
    windows = windows_from_sessions(sessions, stride=8)
    split = split_windows(windows, "pass")
    return windows.take(split.train), windows.take(split.test)


def test_the_nearest_window_is_the_one_with_the_least_mean_square(parts: tuple[Windows, Windows]) -> None:
    train, test = parts
    found = nearest_windows(train, test, np.arange(len(train)), np.arange(len(test)))
    for i in range(len(test)):
        distance = [np.mean((test.keypoints[i] - other) ** 2) for other in train.keypoints]
        assert found[i] == np.argmin(distance)


def test_missing_joints_are_left_out_of_the_distance(parts: tuple[Windows, Windows]) -> None:
    train, test = parts
    train.keypoints[3, :, 4] = np.nan
    test.keypoints[0] = train.keypoints[3]
    test.keypoints[0, :5, 2] = np.nan
    assert nearest_windows(train, test, np.arange(len(train)), np.array([0])).tolist() == [3]


def test_each_baseline_is_what_it_says(parts: tuple[Windows, Windows]) -> None:
    train, test = parts
    baselines = predict_baselines(train, test, seed=1)
    assert tuple(baselines) == BASELINES
    np.testing.assert_allclose(baselines["mean"][5, 7], train.emg.mean((0, 1)))
    mine = train.subject == test.subject[0]
    np.testing.assert_allclose(baselines["subject_mean"][0, 0], train.emg[mine].mean((0, 1)))
    for i in range(len(test)):
        same = (train.exercise == test.exercise[i]).nonzero()[0]
        assert any(np.array_equal(baselines["random"][i], train.emg[j]) for j in same)
        own = (train.subject == test.subject[i]).nonzero()[0]
        assert any(np.array_equal(baselines["nn_subject"][i], train.emg[j]) for j in own)


def test_a_new_subject_takes_what_all_subjects_give(parts: tuple[Windows, Windows]) -> None:
    train, test = parts
    test.subject[:] = "S9"
    baselines = predict_baselines(train, test)
    np.testing.assert_array_equal(baselines["subject_mean"], baselines["mean"])
    np.testing.assert_array_equal(baselines["nn_subject"], baselines["nn"])


def test_a_perfect_prediction_has_no_error_and_the_mean_explains_nothing(parts: tuple[Windows, Windows]) -> None:
    train, test = parts
    perfect = measure(train, test, test.emg)
    assert perfect["rmse"] == perfect["rmse_normalised"] == perfect["rmse_mean_exercises"] == 0.0
    assert set(perfect["r2"].values()) == {1.0}
    own_mean = np.broadcast_to(test.emg.mean((0, 1)), test.emg.shape)
    assert measure(train, test, own_mean)["r2"]["left_biceps"] == pytest.approx(0.0, abs=1e-12)


def test_errors_are_pooled_over_windows_frames_and_channels(parts: tuple[Windows, Windows]) -> None:
    train, test = parts
    error = np.random.default_rng(0).normal(0, 7, test.emg.shape)
    measured = measure(train, test, test.emg + error)
    assert measured["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)))
    assert measured["rmse_per_channel"]["right_triceps"] == pytest.approx(np.sqrt(np.mean(error[..., 3] ** 2)))
    squat = error[test.exercise == "squat"]
    assert measured["rmse_per_exercise"]["squat"] == pytest.approx(np.sqrt(np.mean(squat**2)))
    assert measured["rmse_mean_exercises"] == pytest.approx(np.mean(list(measured["rmse_per_exercise"].values())))


def test_what_was_not_measured_counts_nowhere(parts: tuple[Windows, Windows]) -> None:
    train, test = parts
    test.valid[:, :, 2] = False
    test.emg[:, :, 2] = np.nan
    wrong = np.where(test.valid, test.emg, 1e6)
    measured = measure(train, test, wrong)
    assert measured["rmse"] == 0.0
    assert measured["rmse_per_channel"]["left_triceps"] is None
    assert measured["r2"]["left_triceps"] is None


@pytest.mark.realdata
def test_the_baselines_of_the_published_squats_are_those_measured_before(shared_data: Path, tmp_path: Path) -> None:
    results = import_mia(shared_data / "mia_squat" / "MIADatasetOfficial", tmp_path)
    windows = windows_from_sessions([read_session(r.path) for r in results])
    split = split_windows(windows, "time")
    train, test = windows.take(split.train), windows.take(split.test)
    baselines = measure(train, test, test.emg)["floors"]
    expected = {"mean": 37.96, "subject_mean": 34.43, "nn": 23.98, "nn_subject": 23.39}
    assert {name: baselines[name] for name in expected} == pytest.approx(expected, abs=0.02)
