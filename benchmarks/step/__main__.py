"""``python -m benchmarks.step [--batch 32] [--steps 40] [--threads N]``."""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.step.reference import PlainTransformer
from model.networks.paper_inputs import PaperConfig
from model.networks.transformer_paper import TransformerPaper
from model.training.optimiser import adamw

LEAST_SPEED = 1.5


def main() -> None:
    """Time both alternately, so that changes of the machine's speed affect both, and print the ratio."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.step", description=__doc__)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=40, help="steps of each, in turn (default 40)")
    parser.add_argument("--threads", type=int, default=0, help="of PyTorch (default: its own choice)")
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    x, y = torch.rand(given.batch, 30, 25, 2).to(device), (3.0 * torch.rand(given.batch, 30, 8)).to(device)
    steps = {"plain": _plain_step(x, y, device), "transformer-paper": _our_step(x, y, device)}
    print(
        f"machine: {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before, {sys.platform}, {device.type}, "
        f"torch {torch.__version__}, {torch.get_num_threads()} threads; batch {given.batch}, 30 frames"
    )
    wall_s: dict[str, list[float]] = {name: [] for name in steps}
    cpu_s: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        step()
    for _ in range(given.steps):
        for name, step in steps.items():
            wall, cpu = time.perf_counter(), time.process_time()
            step()
            wall_s[name].append(time.perf_counter() - wall)
            cpu_s[name].append(time.process_time() - cpu)
    for name in steps:
        print(
            f"  {name:<20}{1e3 * statistics.median(wall_s[name]):8.1f} ms a training step, the quickest "
            f"{1e3 * min(wall_s[name]):.1f} ms; CPU {1e3 * statistics.median(cpu_s[name]):.1f} ms"
        )
    for what, spent in (("time", wall_s), ("CPU time", cpu_s)):
        plain, ours = (statistics.median(each) for each in spent.values())
        met = "met   " if plain / ours >= LEAST_SPEED else "MISSED"
        print(f"  {met}  {plain / ours:.2f} x faster in {what}, medians (at least {LEAST_SPEED:g})")


def _plain_step(x: Tensor, y: Tensor, device: torch.device) -> Callable[[], float]:
    network = PlainTransformer().to(device).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=5e-6)

    def step() -> float:
        loss = torch.mean((network(x) - y) ** 2)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        return loss.item()

    return step


def _our_step(x: Tensor, y: Tensor, device: torch.device) -> Callable[[], float]:
    network = TransformerPaper(PaperConfig(n_channels=8, length=30, source="image")).to(device).train()
    optimiser = adamw(network, learning_rate=5e-6, weight_decay=0.01)
    subject = torch.zeros(len(x), dtype=torch.int64, device=device)
    valid = torch.ones(y.shape, dtype=torch.bool, device=device)

    def step() -> float:
        loss = network.loss(x, subject, 100.0 * y, valid)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        return loss.item()

    return step


if __name__ == "__main__":
    main()
