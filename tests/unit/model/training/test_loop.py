"""Training is seeded, chooses by the validation part alone, and resumes to the same weights, bit for bit."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from dataset.session.file import read_session
from dataset.support.errors import InputError
from dataset.windows import Windows, windows_from_sessions
from model import networks
from model.networks.base import Network
from model.training import loop
from model.training.loop import TrainingSettings, train, train_steps

Maker = Callable[..., Path]


@pytest.fixture
def windows(make_session: Maker) -> Windows:
    return windows_from_sessions([read_session(make_session())], stride=8)


class CutError(Exception):
    pass


def fresh(name: str, windows: Windows) -> Network:
    torch.manual_seed(5)
    return networks.build(name, windows)


@pytest.mark.parametrize("name", ["mia", "cnn-paper", "transformer-paper"])
def test_a_training_that_was_cut_off_ends_like_one_that_was_not(windows: Windows, tmp_path: Path, name: str) -> None:
    part, validation = windows.take(np.arange(0, 12)), windows.take(np.arange(12, 20))
    recipe = dataclasses.replace(fresh(name, part).recipe, batch=5, learning_rate=1e-3)
    settings = TrainingSettings(steps=11, seed=2, recipe=recipe, checks=3, save_every_s=0.0)
    whole = train_steps(fresh(name, part), part, settings, validation=validation)

    def cut(at: int) -> Callable[[int], None]:
        def report(step: int) -> None:
            if step == at:
                raise CutError

        return report

    saved = tmp_path / "unfinished.safetensors"
    for at in (5, 9):
        with pytest.raises(CutError):
            train_steps(fresh(name, part), part, settings, validation=validation, saved=saved, progress=cut(at))
        assert saved.is_file()
        torch.rand(at)  # whatever else was drawn meanwhile does not matter
    reported: list[int] = []
    again = train_steps(fresh(name, part), part, settings, validation=validation, saved=saved, progress=reported.append)
    assert reported == [9, 10, 11]
    assert not saved.exists()
    assert (again.checks, again.losses, again.best_step) == (whole.checks, whole.losses, whole.best_step)
    for key, value in whole.network.state_dict().items():
        assert torch.equal(value, again.network.state_dict()[key]), key


def test_the_kept_weights_are_those_of_the_best_check(windows: Windows) -> None:
    part, validation = windows.take(np.arange(0, 20)), windows.take(np.arange(20, len(windows)))
    recipe = dataclasses.replace(fresh("mia", part).recipe, learning_rate=3e-2, one_cycle=False)
    done = train_steps(
        fresh("mia", part), part, TrainingSettings(steps=30, seed=0, recipe=recipe), validation=validation
    )  # a rate so high that the last state is not the best
    assert [step for step, _ in done.checks] == list(range(3, 31, 3))
    best = min(rmse for _, rmse in done.checks)
    assert dict(done.checks)[done.best_step] == best
    error = loop.predict(done.network, validation) - validation.emg
    assert np.sqrt(np.mean(error**2)) == pytest.approx(best, rel=1e-5)


@pytest.mark.slow
def test_mixed_precision_gives_the_same_loss_within_its_noise(windows: Windows) -> None:
    for name in networks.NETWORKS:
        losses = [
            train_steps(fresh(name, windows), windows, TrainingSettings(steps=2, seed=0, bfloat16=mixed)).losses
            for mixed in (False, True)
        ]
        assert losses[1] == pytest.approx(losses[0], rel=0.05), name


def test_a_damaged_unfinished_training_is_refused(windows: Windows, tmp_path: Path) -> None:
    saved = tmp_path / "unfinished.safetensors"
    saved.write_bytes(b"nothing")
    with pytest.raises(InputError, match="cannot be read"):
        train_steps(fresh("mia", windows), windows, TrainingSettings(steps=2, seed=0), saved=saved)


def test_epochs_are_reported_as_they_end(windows: Windows) -> None:
    reported: list[tuple[int, int]] = []
    done = train("mia", windows, epochs=3, progress=lambda k, n: reported.append((k, n)))
    assert reported == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert (done.epochs, len(done.losses)) == (3, 3)
