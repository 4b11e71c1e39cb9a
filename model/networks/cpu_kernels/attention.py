"""Scaled dot-product attention of all heads with a hand-written gradient: fewer copies on a CPU in training."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from model.networks.cpu_kernels.feedforward import drop_, dropout
from model.networks.cpu_kernels.torch_internals import SOFTMAX_BACKWARD, SoftmaxBackward, zero_where_at_most_


def attend(
    qkv: Tensor, heads: int, p: float, *, training: bool, softmax_backward: SoftmaxBackward | None = SOFTMAX_BACKWARD
) -> Tensor:
    """Return ``dropout(softmax(q @ k.T / sqrt(E))) @ v`` of each head, side by side.

    Parameters
    ----------
    qkv : Tensor, shape (B, T, 3 * H * E)
        Queries, keys and values, those of a head side by side in each.
    heads : int
        H.
    p : float
        Probability that a weight is dropped, in training.
    softmax_backward : callable, optional
        PyTorch's internal gradient of a softmax; without it, PyTorch's public softmax and gradient are used.

    Returns
    -------
    Tensor, shape (B, T, H * E)
    """
    b, t, width = qkv.shape
    split = qkv.view(b, t, 3, heads, width // (3 * heads)).permute(2, 0, 3, 1, 4)  # (3, B, H, T, E)
    on_cpu = qkv.device.type == "cpu" and not torch.is_autocast_enabled("cpu")
    if on_cpu and training and torch.is_grad_enabled() and softmax_backward is not None:
        mixed: Tensor = _Attention.apply(split, p, softmax_backward)  # type: ignore[no-untyped-call]
    else:
        q, k, v = split
        weight = torch.softmax(q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5, -1)  # (B, H, T, T), no mask
        mixed = dropout(weight, p, training=training) @ v  # (B, H, T, E)
    return mixed.transpose(1, 2).reshape(b, t, width // 3)


class _Attention(torch.autograd.Function):
    """Attention on a CPU in training: one copy in, one copy out; factors are merged into the products."""

    @staticmethod
    def forward(ctx: Any, split: Tensor, p: float, softmax_backward: SoftmaxBackward) -> Tensor:
        qkv = split.reshape(3, -1, *split.shape[-2:])  # (3, B * H, T, E)
        q, k, v = qkv
        ctx.scale, ctx.kept, ctx.softmax_backward = q.shape[-1] ** -0.5, 1.0 / (1.0 - p), softmax_backward
        weight = torch.softmax(_product(q, k.mT, ctx.scale), -1)  # (B * H, T, T), no mask
        dropped = drop_(weight.clone(), p) if p > 0.0 else weight  # (B * H, T, T)
        ctx.save_for_backward(qkv, weight, dropped)
        return _product(dropped, v, ctx.kept).view(split.shape[1:])  # (B, H, T, E)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        qkv, weight, dropped = ctx.saved_tensors
        (g,) = grads  # (B, H, T, E)
        q, k, v = qkv
        g_mixed = g.reshape(q.shape)  # (B * H, T, E)
        g_weight = _product(g_mixed, v.mT, ctx.kept)  # (B * H, T, T)
        zero_where_at_most_(g_weight, dropped, 0.0)  # 0 where dropped
        g_score = ctx.softmax_backward(g_weight, weight)  # (B * H, T, T)
        out = torch.empty_like(qkv)
        _product(g_score, k, ctx.scale, out[0])
        _product(g_score.mT, q, ctx.scale, out[1])
        _product(dropped.mT, g_mixed, ctx.kept, out[2])
        return out.view(3, *g.shape), None, None


def _product(a: Tensor, b: Tensor, factor: float, out: Tensor | None = None) -> Tensor:
    """Return ``factor * a @ b`` for each of a batch."""
    if out is None:
        out = a.new_empty(a.shape[0], a.shape[1], b.shape[2])
    return torch.baddbmm(out, a, b, beta=0.0, alpha=factor, out=out)
