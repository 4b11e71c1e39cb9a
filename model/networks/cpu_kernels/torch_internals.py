"""Adapter to PyTorch's undocumented functions used by the CPU kernels.

Each is looked up once, tested on a small example, and has a public replacement, so that another version of PyTorch is
slower at worst. Known to exist in PyTorch 2.4 to 2.13.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

#: First and last release of PyTorch for which the functions are known to exist and to give these results.
FIRST_KNOWN, LAST_KNOWN = (2, 4), (2, 13)

#: Gradient of a softmax over the last axis, from the gradient of its output and its output.
SoftmaxBackward = Callable[[Tensor, Tensor], Tensor]


def find_softmax_backward(library: Any) -> SoftmaxBackward | None:
    """Return ``library._softmax_backward_data`` over the last axis, or None if it is absent or gives another result.

    Parameters
    ----------
    library : module
        ``torch``, or a substitute in tests.
    """

    def backward(grad: Tensor, output: Tensor) -> Tensor:
        found: Tensor = library._softmax_backward_data(grad, output, -1, output.dtype)
        return found

    output, grad = torch.tensor([[0.25, 0.75]]), torch.tensor([[1.0, 3.0]])
    wanted = output * (grad - (grad * output).sum(-1, keepdim=True))
    try:
        return backward if torch.allclose(backward(grad, output), wanted) else None
    except (AttributeError, TypeError, RuntimeError):
        return None


#: None if PyTorch has no such function: then PyTorch's own attention is used.
SOFTMAX_BACKWARD = find_softmax_backward(torch)

#: PyTorch's wheels multiply with MKL, which on non-Intel CPUs took twice as long as oneDNN in the same wheels.
_ONEDNN_LINEAR = getattr(torch.ops.mkldnn, "_linear_pointwise", None)

#: The gradient of a ReLU: the fastest way to set values to 0 below a threshold.
_THRESHOLD_BACKWARD = getattr(torch.ops.aten.threshold_backward, "grad_input", None)


def zero_where_at_most_(values: Tensor, reference: Tensor, threshold: float) -> Tensor:
    """Set ``values`` to 0 where ``reference`` is at most ``threshold``, in place, and return it."""
    if _THRESHOLD_BACKWARD is None:
        return values.masked_fill_(reference <= threshold, 0.0)
    _THRESHOLD_BACKWARD(values, reference, threshold, grad_input=values)
    return values


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, relu: bool = False) -> Tensor:
    """Return ``x @ weight.t() + bias``, clipped at 0 if ``relu``; by oneDNN in float32."""
    if _ONEDNN_LINEAR is None or x.dtype != torch.float32:
        out = functional.linear(x, weight, bias)
        return out.relu_() if relu else out
    fused: Tensor = _ONEDNN_LINEAR(x, weight, bias, "relu" if relu else "none", [], "")
    return fused
