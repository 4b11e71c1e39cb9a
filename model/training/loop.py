"""Training with AdamW on windows: seeded, on the GPU if there is one, and resumable bit for bit."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dataset.support.errors import InputError
from dataset.windows import Windows
from model import networks
from model.networks.base import Network, Recipe
from model.training import resume_file
from model.training.optimiser import adamw, one_cycle
from model.training.state import State

_PREDICTION_BATCH = 512
#: Threads of a step wait for one another: with one per core, another busy program slows a training many times, and
#: these networks gain little from the last threads.
_CORES_A_THREAD = 2
#: Seconds between two copies of an unfinished training on the disk.
SAVE_EVERY_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """Settings of one training.

    Attributes
    ----------
    steps : int
    seed : int
        Seed of the order and of all draws in training; not of the initial weights.
    recipe : Recipe or None
        None: the network's own; its batch, learning rate and weight decay are used.
    checks : int
        Number of evenly spaced checks on the validation part.
    save_every_s : float
        Seconds between two copies of an unfinished training.
    bfloat16 : bool or None
        Mixed precision; None: only on a GPU, where it is faster.
    """

    steps: int
    seed: int
    recipe: Recipe | None = None
    checks: int = 10
    save_every_s: float = SAVE_EVERY_S
    bfloat16: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A trained network, and the course and cost of its training.

    Attributes
    ----------
    network : Network
        On the CPU, in evaluation mode.
    epochs : int
        Number of passes over the training windows, including a started one.
    steps : int
    seconds : float
        Time in this process; for a resumed training only the last part.
    device : str
    losses : tuple of float
        Mean training loss of each epoch.
    checks : tuple of (int, float)
        Step, and RMSE on the validation part after it, if there is one.
    best_step : int
        Step whose weights were kept: that of the best check, or the last.
    """

    network: Network
    epochs: int
    steps: int
    seconds: float
    device: str
    losses: tuple[float, ...]
    checks: tuple[tuple[int, float], ...] = ()
    best_step: int = 0


def planned_epochs(network: Network, n_windows: int, epochs: int | None) -> int:
    """Return the number of passes over the training windows."""
    if epochs is not None:
        if epochs < 1:
            raise InputError("a training needs at least one epoch", f"{epochs} were requested")
        return epochs
    steps = math.ceil(n_windows / network.recipe.batch)
    return max(network.recipe.epochs, math.ceil(network.recipe.fewest_steps / steps))


def train(
    name: str,
    windows: Windows,
    *,
    seed: int = 0,
    epochs: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Training:
    """Train the network called ``name`` on all of ``windows`` with AdamW.

    No checkpoint is selected: the weights of the last step are kept, so no window needs to be held out for selection.
    The same seed on the same machine gives the same weights.

    Parameters
    ----------
    name : str
        One of :data:`model.networks.NETWORKS`.
    windows : Windows
        Only the training part.
    epochs : int, optional
        By default the network's recipe.
    progress : callable, optional
        Called with the epochs done and their total, before the first and after each.
    """
    torch.manual_seed(seed)
    network = networks.build(name, windows)
    n_epochs = planned_epochs(network, len(windows), epochs)
    steps = math.ceil(len(windows) / network.recipe.batch)
    report = None
    if progress is not None:
        progress(0, n_epochs)

        def report(step: int) -> None:
            if step % steps == 0:
                progress(step // steps, n_epochs)

    return train_steps(network, windows, TrainingSettings(steps=n_epochs * steps, seed=seed), progress=report)


def train_steps(
    network: Network,
    windows: Windows,
    settings: TrainingSettings,
    *,
    validation: Windows | None = None,
    saved: Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> Training:
    """Train ``network`` for a number of steps with AdamW.

    Parameters
    ----------
    network : Network
        Changed in place.
    windows : Windows
        Only the training part.
    settings : TrainingSettings
    validation : Windows, optional
        Windows used neither for training nor for testing: the weights with the lowest RMSE on them are kept. Without
        them, the last weights are kept.
    saved : Path, optional
        File that stores an unfinished training. If it exists, the training resumes from it and ends with the same
        weights, bit for bit, as an uninterrupted one; at the end it is removed.
    progress : callable, optional
        Called with the steps done, after each.
    """
    torch.set_num_threads(max(1, min(torch.get_num_threads(), (os.cpu_count() or 1) // _CORES_A_THREAD)))
    recipe, steps = settings.recipe or network.recipe, settings.steps
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    mixed = device.type == "cuda" if settings.bfloat16 is None else settings.bfloat16
    data = _tensors(network, windows)
    network = network.to(device).train()
    optimiser = adamw(network, learning_rate=recipe.learning_rate, weight_decay=recipe.weight_decay)
    torch.manual_seed(settings.seed)
    state = State()
    if saved is not None and saved.is_file():
        state = resume_file.load(saved, network, optimiser)
    cycle = one_cycle(optimiser, recipe.learning_rate, steps=steps, done=state.step) if recipe.one_cycle else None
    in_epoch = math.ceil(len(windows) / recipe.batch)
    check_at = {math.ceil(k * steps / settings.checks) for k in range(1, settings.checks + 1)}
    started = at_disk = time.perf_counter()
    order: list[NDArray[np.int64]] = []
    while state.step < steps:
        epoch, k = divmod(state.step, in_epoch)
        if k == 0 or not order:
            order = np.array_split(np.random.default_rng([settings.seed, epoch]).permutation(len(windows)), in_epoch)
        rows = torch.from_numpy(order[k])
        with _precision(device, mixed):
            loss = network.loss(*(values[rows].to(device) for values in data))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if cycle is not None:
            cycle.step()
        state.step += 1
        state.total += float(loss.detach()) * len(rows)
        if k + 1 == in_epoch:
            state.losses.append(state.total / len(windows))
            state.total = 0.0
        if state.step in check_at and validation is not None:
            _check(network, validation, state)
        if progress is not None:
            progress(state.step)
        if saved is not None and time.perf_counter() - at_disk > settings.save_every_s:
            resume_file.save(saved, network, optimiser, state)
            at_disk = time.perf_counter()
    if state.best:
        network.load_state_dict(state.best)
    if saved is not None:
        saved.unlink(missing_ok=True)
    return Training(
        network=network.cpu().eval(),
        epochs=math.ceil(steps / in_epoch),
        steps=steps,
        seconds=time.perf_counter() - started,
        device=device.type,
        losses=tuple(state.losses),
        checks=tuple(state.checks),
        best_step=state.best_step or steps,
    )


def predict(network: Network, windows: Windows) -> NDArray[np.float64]:
    """Return predicted sEMG in the channels' unit, shape (N, L, C)."""
    return _in_batches(network, windows, network.predict).astype(np.float64)


def embed(network: Network, windows: Windows) -> NDArray[np.float32]:
    """Return the embedding of each window, the input of the network's last layer; shape (N, L, W)."""
    return _in_batches(network, windows, network.embed)


def with_rate(recipe: Recipe, learning_rate: float | None, batch: int | None = None) -> Recipe:
    """Return a recipe with another learning rate or batch size."""
    return replace(recipe, learning_rate=learning_rate or recipe.learning_rate, batch=batch or recipe.batch)


def _in_batches(
    network: Network, windows: Windows, function: Callable[[Tensor, Tensor], Tensor]
) -> NDArray[np.float32]:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device).eval()
    x, subject, *_ = _tensors(network, windows)
    parts = []
    with torch.inference_mode():
        for a in range(0, len(windows), _PREDICTION_BATCH):
            b = a + _PREDICTION_BATCH
            parts.append(function(x[a:b].to(device), subject[a:b].to(device)).float().cpu().numpy())
    return np.concatenate(parts)


def _tensors(network: Network, windows: Windows) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the arguments of the loss: x (N, L, J, D), subject (N), emg and valid (N, L, C)."""
    return (
        torch.from_numpy(network.features(windows)),
        torch.from_numpy(network.subject_index(windows.subject.tolist())),
        torch.from_numpy(np.nan_to_num(windows.emg, nan=0.0).astype(np.float32)),
        torch.from_numpy(windows.valid),
    )


def _check(network: Network, validation: Windows, state: State) -> None:
    """Evaluate the network on the validation part, and keep a copy of its weights if it is the best so far."""
    with np.errstate(invalid="ignore"):
        error = (predict(network, validation) - validation.emg)[validation.valid]
    network.train()
    rmse = math.sqrt(float(np.mean(error**2)))
    if not state.checks or rmse < min(value for _, value in state.checks):
        state.best_step = state.step
        state.best = {key: value.detach().clone() for key, value in network.state_dict().items()}
    state.checks.append((state.step, rmse))


def _precision(device: torch.device, mixed: bool) -> AbstractContextManager[None]:
    """Return the context for computing a loss: with mixed precision, products in bfloat16 and sums in float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=mixed)
