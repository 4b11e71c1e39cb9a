"""Scaled dot-product attention of all heads, without the copies that PyTorch's own form makes on a CPU in training."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from model.networks.cpu_kernels.feedforward import drop_, dropout


def attend(qkv: Tensor, heads: int, p: float, *, training: bool) -> Tensor:
    """Return ``dropout(softmax(q @ k.T / sqrt(E))) @ v`` of each head, side by side.

    Parameters
    ----------
    qkv : Tensor, shape (B, T, 3 * H * E)
        Queries, keys and values, those of a head side by side in each.
    heads : int
        H.
    p : float
        Probability that a weight is dropped, in training.

    Returns
    -------
    Tensor, shape (B, T, H * E)
    """
    b, t, width = qkv.shape
    split = qkv.view(b, t, 3, heads, width // (3 * heads)).permute(2, 0, 3, 1, 4)  # (3, B, H, T, E)
    if qkv.device.type == "cpu" and training and torch.is_grad_enabled() and not torch.is_autocast_enabled("cpu"):
        mixed: Tensor = _Attention.apply(split, p)  # type: ignore[no-untyped-call]
    else:
        q, k, v = split
        weight = torch.softmax(q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5, -1)  # (B, H, T, T), no mask
        mixed = dropout(weight, p, training=training) @ v
    return mixed.transpose(1, 2).reshape(b, t, width // 3)


class _Attention(torch.autograd.Function):
    """The same on a CPU in training: one copy in, one copy out; factors ride on the products."""

    @staticmethod
    def forward(ctx: Any, split: Tensor, p: float) -> Tensor:
        qkv = split.reshape(3, -1, *split.shape[-2:])  # (3, B * H, T, E)
        q, k, v = qkv
        ctx.scale, ctx.kept = q.shape[-1] ** -0.5, 1.0 / (1.0 - p)
        weight = torch.softmax(_product(q, k.mT, ctx.scale), -1)  # (B * H, T, T), no mask
        dropped = drop_(weight.clone(), p) if p > 0.0 else weight
        ctx.save_for_backward(qkv, weight, dropped)
        return _product(dropped, v, ctx.kept).view(split.shape[1:])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        qkv, weight, dropped = ctx.saved_tensors
        (g,) = grads  # (B, H, T, E)
        q, k, v = qkv
        g_mixed = g.reshape(q.shape)
        g_weight = _product(g_mixed, v.mT, ctx.kept)
        torch.ops.aten.threshold_backward.grad_input(g_weight, dropped, 0.0, grad_input=g_weight)  # 0 where dropped
        g_score = torch._softmax_backward_data(g_weight, weight, -1, weight.dtype)
        out = torch.empty_like(qkv)
        _product(g_score, k, ctx.scale, out[0])
        _product(g_score.mT, q, ctx.scale, out[1])
        _product(dropped.mT, g_mixed, ctx.kept, out[2])
        return out.view(3, *g.shape), None


def _product(a: Tensor, b: Tensor, factor: float, out: Tensor | None = None) -> Tensor:
    """Return ``factor * a @ b`` for each of a batch."""
    if out is None:
        out = a.new_empty(a.shape[0], a.shape[1], b.shape[2])
    return torch.baddbmm(out, a, b, beta=0.0, alpha=factor, out=out)
