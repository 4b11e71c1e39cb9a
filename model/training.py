"""Training a network on windows: seeded, on the GPU where there is one."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dataset.errors import InputError
from dataset.windows import Windows
from model import networks
from model.networks.base import Network

_PREDICTION_BATCH = 512
#: Threads of a step wait for one another: with as many as cores, another busy program makes a training many times
#: longer, and these networks gain little from the last ones.
_CORES_A_THREAD = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A trained network and what it took.

    Attributes
    ----------
    network : Network
        On the CPU, in evaluation mode.
    epochs, steps : int
    seconds : float
    device : str
    losses : tuple of float
        Mean training loss of each epoch.
    """

    network: Network
    epochs: int
    steps: int
    seconds: float
    device: str
    losses: tuple[float, ...]


def planned_epochs(network: Network, n_windows: int, epochs: int | None) -> int:
    """Return how often the training windows will be shown."""
    if epochs is not None:
        if epochs < 1:
            raise InputError("a training has at least one epoch", f"{epochs} were asked for")
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
    """Train the network called ``name`` on all of ``windows``.

    No checkpoint is chosen: the weights of the last step are kept, so that no window needs to be held back for a
    choice. The same seed on the same machine gives the same weights.

    Parameters
    ----------
    name : str
        One of :data:`model.networks.NETWORKS`.
    windows : Windows
        The training part alone.
    epochs : int, optional
        By default the network's recipe.
    progress : callable, optional
        Called with the epochs done and their number, before the first and after each.
    """
    torch.set_num_threads(max(1, min(torch.get_num_threads(), (os.cpu_count() or 1) // _CORES_A_THREAD)))
    torch.manual_seed(seed)
    order = np.random.default_rng(seed)
    network = networks.build(name, windows)
    recipe = network.recipe
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    x = torch.from_numpy(network.features(windows))
    subject = torch.from_numpy(network.subject_index(windows.subject.tolist()))
    emg = torch.from_numpy(np.nan_to_num(windows.emg, nan=0.0).astype(np.float32))
    valid = torch.from_numpy(windows.valid)
    network = network.to(device).train()
    n_epochs = planned_epochs(network, len(windows), epochs)
    steps = math.ceil(len(windows) / recipe.batch)
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    cycle = (
        torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.learning_rate, total_steps=n_epochs * steps + 1)
        if recipe.one_cycle
        else None
    )
    losses = []
    started = time.perf_counter()
    if progress is not None:
        progress(0, n_epochs)
    for epoch in range(n_epochs):
        total = 0.0
        for batch in np.array_split(order.permutation(len(windows)), steps):
            rows = torch.from_numpy(batch)
            loss = network.loss(*(values[rows].to(device) for values in (x, subject, emg, valid)))
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            if cycle is not None:
                cycle.step()
            total += float(loss.detach()) * len(batch)
        losses.append(total / len(windows))
        if progress is not None:
            progress(epoch + 1, n_epochs)
    return Training(
        network=network.cpu().eval(),
        epochs=n_epochs,
        steps=n_epochs * steps,
        seconds=time.perf_counter() - started,
        device=device.type,
        losses=tuple(losses),
    )


def predict(network: Network, windows: Windows) -> NDArray[np.float64]:
    """Return predicted sEMG in the channels' unit, shape (N, L, C)."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = network.to(device).eval()
    x = torch.from_numpy(network.features(windows))
    subject = torch.from_numpy(network.subject_index(windows.subject.tolist()))
    parts = []
    with torch.inference_mode():
        for a in range(0, len(windows), _PREDICTION_BATCH):
            b = a + _PREDICTION_BATCH
            parts.append(network.predict(x[a:b].to(device), subject[a:b].to(device)).cpu().double().numpy())
    network.cpu()
    return np.concatenate(parts)
