"""Dropout, and linear-ReLU-dropout-linear, at a fraction of what they cost on a CPU in PyTorch's own form.

There a training step of the paper's transformer spends a third of its time on drawing one random number for each of
eight million hidden values. Here eight values share one draw of 64 bits, nothing but the hidden values themselves is
kept for the gradient, and products go to the quicker of the two libraries that PyTorch comes with. On other devices
PyTorch's own dropout is as quick, and is used.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

#: Of the hidden layer: what is drawn for them stays in the processor's cache.
_ROWS_AT_ONCE = 128


def drop_(x: Tensor, p: float) -> Tensor:
    """Set each value of ``x`` to 0 with probability ``p``, in place, and return it.

    A byte decides, so the share dropped is a multiple of 1/256: of the two next to ``p`` one is drawn for each call,
    so often that every value is dropped with probability ``p``.
    """
    words = torch.empty(x.numel() // 8 + 2, dtype=torch.int64, device=x.device).random_(-(2**63), None)
    last = int(words[-1])
    levels = math.floor(256 * p + (last + 2**63) / 2**64)
    drawn = words.view(torch.int8)[: x.numel()].view(x.shape).to(x.dtype)  # -128 ... 127
    # Elsewhere the gradient of a ReLU, and here the quickest way to write "0 where at most that".
    torch.ops.aten.threshold_backward.grad_input(x, drawn, levels - 129, grad_input=x)
    return x


def dropout(x: Tensor, p: float, *, training: bool) -> Tensor:
    """Return ``x`` with each value set to 0 with probability ``p`` and the others divided by ``1 - p``."""
    if not training or p == 0.0:
        return x
    if x.device.type != "cpu":
        return functional.dropout(x, p)
    return x * drop_(torch.full_like(x, 1.0 / (1.0 - p)), p)


def feedforward(x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor, p: float, *, training: bool) -> Tensor:
    """Return ``linear(dropout(relu(linear(x))))``.

    Parameters
    ----------
    x : Tensor, shape (..., D)
    w1, b1 : Tensor, shape (H, D) and (H,)
    w2, b2 : Tensor, shape (E, H) and (E,)
    p : float
        Probability that a hidden value is dropped, in training.

    Returns
    -------
    Tensor, shape (..., E)
    """
    mixed = torch.is_autocast_enabled(x.device.type)
    if x.device.type != "cpu" or mixed or not training or not torch.is_grad_enabled():
        hidden = functional.relu(functional.linear(x, w1, b1))
        return functional.linear(functional.dropout(hidden, p, training=training), w2, b2)
    out: Tensor = _FeedForward.apply(x.reshape(-1, x.shape[-1]), w1, b1, w2, b2, p)  # type: ignore[no-untyped-call]
    return out.view(*x.shape[:-1], -1)


class _FeedForward(torch.autograd.Function):
    """The same on a CPU in training; 1 / (1 - p) is put where it scales little."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor, p: float) -> Tensor:
        hidden = _linear(x, w1, b1, relu=True)  # (N, H)
        if p > 0.0:
            for rows in torch.tensor_split(hidden, -(-len(hidden) // _ROWS_AT_ONCE)):
                drop_(rows, p)
        ctx.save_for_backward(x, w1, w2, hidden)
        ctx.scale = 1.0 / (1.0 - p)
        return _linear(hidden, w2 * ctx.scale, b2)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (g,) = grads  # (N, E)
        x, w1, w2, hidden = ctx.saved_tensors
        scaled = g * ctx.scale
        before = _linear(scaled, w2.t())  # (N, H); in place: fresh memory of this size costs more than the arithmetic
        torch.ops.aten.threshold_backward.grad_input(before, hidden, 0.0, grad_input=before)  # 0 where hidden is 0
        return (
            _linear(before, w1.t()), _linear(x.t(), before.t()).t(), before.sum(0),
            _linear(scaled.t(), hidden.t()), g.sum(0), None,
        )  # fmt: skip


#: PyTorch's wheels multiply by MKL, which on CPUs of other makers took twice as long as oneDNN in the same wheels.
_ONEDNN = hasattr(torch.ops.mkldnn, "_linear_pointwise")


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, relu: bool = False) -> Tensor:
    """Return ``x @ weight.t() + bias``, and where that is below 0, 0 if ``relu``."""
    if not _ONEDNN or x.dtype != torch.float32:
        out = functional.linear(x, weight, bias)
        return out.relu_() if relu else out
    fused: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "relu" if relu else "none", [], "")
    return fused
