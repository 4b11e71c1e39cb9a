"""The optimiser of every training, AdamW in one pass over the parameters, and its one-cycle learning rate."""

from __future__ import annotations

import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR


def adamw(network: nn.Module, *, learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    """Return AdamW over the network's parameters; the fused form is the same arithmetic at a sixth of the time."""
    return torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=weight_decay, fused=True)


def one_cycle(optimiser: torch.optim.AdamW, learning_rate: float, *, steps: int, done: int) -> OneCycleLR:
    """Return a one-cycle schedule up to ``learning_rate`` and down again, that stands after ``done`` of its steps.

    Where steps are done already, ``optimiser`` is one that was loaded with what an earlier schedule put into it.
    """
    return OneCycleLR(optimiser, learning_rate, total_steps=steps + 1, last_epoch=done - 1)
