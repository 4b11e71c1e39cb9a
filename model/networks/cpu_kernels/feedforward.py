"""Dropout by random bytes, and linear-ReLU-dropout-linear with a hand-written gradient, for training on a CPU.

With PyTorch's own dropout, a training step of the paper's transformer spends a third of its time drawing one random
number for each of eight million hidden values. Here eight values share one 64-bit draw, only the hidden values are
stored for the gradient, and products use the faster of the two libraries included in PyTorch. On other devices
PyTorch's own dropout is as fast and is used.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from model.networks.cpu_kernels.torch_internals import linear, zero_where_at_most_

#: Hidden values per block: their random numbers stay in the processor's cache.
_ROWS_AT_ONCE = 128


def drop_(x: Tensor, p: float) -> Tensor:
    """Set each value of ``x`` to 0 with probability ``p``, in place, and return it.

    One byte decides, so the share dropped is a multiple of 1/256: each call draws one of the two nearest to ``p``, with
    probabilities such that every value is dropped with probability ``p``.
    """
    words = torch.empty(x.numel() // 8 + 2, dtype=torch.int64, device=x.device).random_(-(2**63), None)
    last = int(words[-1])
    levels = math.floor(256 * p + (last + 2**63) / 2**64)
    drawn = words.view(torch.int8)[: x.numel()].view(x.shape).to(x.dtype)  # -128 ... 127
    return zero_where_at_most_(x, drawn, levels - 129)


def dropout(x: Tensor, p: float, *, training: bool) -> Tensor:
    """Return ``x`` with each value set to 0 with probability ``p`` and the others divided by ``1 - p``."""
    if not training or p == 0.0:
        return x
    if x.device.type != "cpu":
        return functional.dropout(x, p)
    return x * drop_(torch.full_like(x, 1.0 / (1.0 - p)), p)


class TwoLayers(NamedTuple):
    """Weights of two linear layers with H hidden values between them."""

    w1: Tensor  # (H, D)
    b1: Tensor  # (H,)
    w2: Tensor  # (E, H)
    b2: Tensor  # (E,)


def feedforward(x: Tensor, layers: TwoLayers, p: float, *, training: bool) -> Tensor:
    """Return ``linear(dropout(relu(linear(x))))``.

    Parameters
    ----------
    x : Tensor, shape (..., D)
    layers : TwoLayers
    p : float
        Probability that a hidden value is dropped, in training.

    Returns
    -------
    Tensor, shape (..., E)
    """
    mixed = torch.is_autocast_enabled(x.device.type)
    if x.device.type != "cpu" or mixed or not training or not torch.is_grad_enabled():
        hidden = functional.relu(functional.linear(x, layers.w1, layers.b1))  # (..., H)
        return functional.linear(functional.dropout(hidden, p, training=training), layers.w2, layers.b2)
    out: Tensor = _FeedForward.apply(x.reshape(-1, x.shape[-1]), *layers, p)  # type: ignore[no-untyped-call]
    return out.view(*x.shape[:-1], -1)


class _FeedForward(torch.autograd.Function):
    """Feedforward on a CPU in training; 1 / (1 - p) scales the smaller arrays."""

    @staticmethod
    def forward(ctx: Any, *given: Any) -> Tensor:
        x, w1, b1, w2, b2, p = given  # x: (N, D)
        hidden = linear(x, w1, b1, relu=True)  # (N, H)
        if p > 0.0:
            for rows in torch.tensor_split(hidden, -(-len(hidden) // _ROWS_AT_ONCE)):
                drop_(rows, p)
        ctx.save_for_backward(x, w1, w2, hidden)
        ctx.scale = 1.0 / (1.0 - p)
        return linear(hidden, w2 * ctx.scale, b2)  # (N, E)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (g,) = grads  # (N, E)
        x, w1, w2, hidden = ctx.saved_tensors
        scaled = g * ctx.scale
        before = linear(scaled, w2.t())  # (N, H); in place: allocating this size costs more than the arithmetic
        zero_where_at_most_(before, hidden, 0.0)  # 0 where hidden is 0
        return (
            linear(before, w1.t()), linear(x.t(), before.t()).t(), before.sum(0),
            linear(scaled.t(), hidden.t()), g.sum(0), None,
        )  # fmt: skip
