"""A run keeps its result, is not done twice, resumes where it was cut off, and never looks at the test part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from dataset.session.file import read_session
from dataset.splits import split_for_experiment
from dataset.support.errors import InputError
from dataset.windows import Windows, windows_from_sessions
from model import networks
from model.baselines import channel_means
from model.experiments import jobs
from model.experiments.budget import TIERS
from model.experiments.context import PAPER_NETWORKS, Context
from model.experiments.jobs import Job, load_result, run_job
from model.training import loop
from tests.present import present

Maker = Callable[..., Path]
JOB = Job(system="cnn-paper", rate="tuned", parts="in-distribution", learning_rate=1e-3, steps=12, batch=8, seed=1,
          keep=("predicted", "neighbours", "weights"))  # fmt: skip


@pytest.fixture
def windows(make_session: Maker) -> Windows:
    made = [make_session(f"r{i}", seed=i, passes=3, subject=f"S{i}") for i in range(2)]
    return windows_from_sessions([read_session(path) for path in made], stride=8)


class CutError(Exception):
    pass


def test_a_run_that_was_cut_off_gives_the_same_file(windows: Windows, tmp_path: Path) -> None:
    for folder in ("whole", "cut"):
        (tmp_path / folder).mkdir()
    whole = load_result(tmp_path / "whole", _done(JOB, windows, tmp_path / "whole"))
    steps: list[int] = []

    def cut(at: int) -> Callable[[int], None]:
        def report(step: int) -> None:
            steps.append(step)
            if step == at:
                raise CutError

        return report

    for at in (4, 6):
        with pytest.raises(CutError):
            run_job(JOB, windows, tmp_path / "cut", save_every_s=0.0, progress=cut(at))
        assert not list((tmp_path / "cut").glob("*.npz"))
    run_job(JOB, windows, tmp_path / "cut", progress=steps.append)
    again = load_result(tmp_path / "cut", JOB.key)
    assert steps == [1, 2, 3, 4, 4, 5, 6, 6, 7, 8, 9, 10, 11, 12]
    assert again.about["checks"] == whole.about["checks"]
    assert np.array_equal(present(again.predicted), present(whole.predicted))
    assert np.array_equal(present(again.neighbours), present(whole.neighbours))
    (a,), (b,) = (list((tmp_path / folder).glob("*.safetensors")) for folder in ("whole", "cut"))
    assert all(np.array_equal(value, load_file(b)[key]) for key, value in load_file(a).items())
    assert not list((tmp_path / "cut").glob("*.unfinished"))


def _done(job: Job, windows: Windows, folder: Path) -> str:
    run_job(job, windows, folder)
    return job.key


def test_a_run_that_is_there_is_not_done_again(
    windows: Windows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_job(JOB, windows, tmp_path)
    monkeypatch.setattr(jobs, "train_steps", lambda *_, **__: pytest.fail("trained twice"))
    run_job(JOB, windows, tmp_path)


def test_nothing_that_is_chosen_depends_on_the_test_part(windows: Windows, tmp_path: Path) -> None:
    """Other values and other motions in the test part: the same weights, the same checks."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    run_job(JOB, windows, tmp_path / "a")
    test = split_for_experiment(windows, JOB.parts).test
    windows.emg[test] = 900.0
    windows.keypoints[test] += 3.0
    if windows.image_xy is not None:
        windows.image_xy[test] = 0.0
    run_job(JOB, windows, tmp_path / "b")
    one, other = (load_result(tmp_path / folder, JOB.key) for folder in ("a", "b"))
    assert one.about["checks"] == other.about["checks"]
    first, second = (load_file(tmp_path / folder / f"{JOB.key}.safetensors") for folder in ("a", "b"))
    assert all(np.array_equal(first[key], second[key]) for key in first)
    name = JOB.label
    assert not np.array_equal(one.scores[name].sse, other.scores[name].sse)


def test_fine_tuning_starts_from_the_other_runs_weights(windows: Windows, tmp_path: Path) -> None:
    source = replace(JOB, parts="source:S0", keep=("weights",))
    tuned = replace(
        JOB, parts="target:S1:hook_punch,squat", start_from=source.key, steps=1, learning_rate=1e-9, keep=("weights",)
    )
    with pytest.raises(InputError, match="cannot be read"):
        run_job(tuned, windows, tmp_path)
    run_job(source, windows, tmp_path)
    run_job(tuned, windows, tmp_path)
    a, b = (load_file(tmp_path / f"{job.key}.safetensors") for job in (source, tuned))
    np.testing.assert_allclose(a["convolutions.0.weight"], b["convolutions.0.weight"], atol=1e-6)
    result = load_result(tmp_path, tuned.key)
    assert set(windows.subject[result.test]) == {"S1"}
    assert set(windows.exercise[result.test]) == set(windows.exercise)


@pytest.mark.parametrize("system", ["cnn-paper", "transformer-paper", "mia"])
def test_a_network_that_starts_at_the_mean_predicts_it_whatever_it_is_fed(system: str, windows: Windows) -> None:
    network = networks.build(system, windows)
    mean = channel_means(windows.emg)
    network.start_at(mean)
    found = loop.predict(network, windows)
    if system == "mia":  # it standardises by subject: near each one's own mean, nearer than its spread
        assert np.sqrt(np.mean((found - windows.emg)[windows.valid] ** 2)) < 1.3 * np.nanstd(windows.emg)
    else:
        assert np.allclose(found, mean, atol=1e-3)


def test_only_the_tuned_rate_starts_at_the_mean(windows: Windows) -> None:
    context = Context(windows=windows, budget=TIERS["quick"], tuned=dict.fromkeys(PAPER_NETWORKS, 1e-4), virtual=True)
    made = context.all_systems("in-distribution")
    assert {job.rate for job in made if job.start_at_mean} == {"tuned"}
    assert all(job.start_at_mean for each in context.tuning().values() for job in each)
    assert not context.training("cnn-paper", "tuned", "in-distribution", 0, start_from="other").start_at_mean
    assert len({job.seed for job in made if job.steps}) == TIERS["quick"].seeds
    elsewhere = context.all_systems("exercise:squat", everywhere=True)
    assert len({job.seed for job in elsewhere if job.steps}) == TIERS["quick"].seeds_elsewhere


def test_baselines_of_shorter_windows_are_judged_on_the_same_frames(windows: Windows, tmp_path: Path) -> None:
    results = []
    for length in (1, 30):
        job = Job(system="floors", parts="in-distribution", length=length)
        run_job(job, windows, tmp_path)
        results.append(load_result(tmp_path, job.key))
    assert np.array_equal(results[0].scores["nn"].n, results[1].scores["nn"].n)
    assert np.array_equal(results[0].scores["nn"].total, results[1].scores["nn"].total)
    assert not np.allclose(results[0].scores["nn"].sse, results[1].scores["nn"].sse)


@pytest.mark.parametrize("content", [b"nothing", b"PK\x03\x04 cut off"])
def test_a_damaged_result_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / f"{JOB.key}.npz").write_bytes(content)
    with pytest.raises(InputError, match="cannot be read"):
        load_result(tmp_path, JOB.key)
