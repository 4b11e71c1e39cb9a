"""The optimiser of every training: fused AdamW with a one-cycle learning rate."""

from __future__ import annotations

import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR


def adamw(network: nn.Module, *, learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    """Return AdamW over the network's parameters; the fused form does the same arithmetic in a sixth of the time."""
    return torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=weight_decay, fused=True)


def one_cycle(optimiser: torch.optim.AdamW, learning_rate: float, *, steps: int, done: int) -> OneCycleLR:
    """Return a one-cycle schedule with the maximum ``learning_rate``, advanced to ``done`` of its steps.

    If steps were done already, ``optimiser`` must have been loaded with the state from the earlier schedule.
    """
    return OneCycleLR(optimiser, learning_rate, total_steps=steps + 1, last_epoch=done - 1)
