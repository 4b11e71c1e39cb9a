"""PyTorch's undocumented functions do what the kernels take them for, and have a public replacement."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

import model
from model.networks.cpu_kernels import torch_internals
from model.networks.cpu_kernels.attention import attend
from model.networks.cpu_kernels.torch_internals import FIRST_KNOWN, LAST_KNOWN, find_softmax_backward


def test_the_installed_pytorch_is_one_that_the_functions_are_known_for() -> None:
    """Another release is no fault: check that the benchmark of a step is still met, and widen the range."""
    release = tuple(int(number) for number in torch.__version__.split(".")[:2])
    assert FIRST_KNOWN <= release <= LAST_KNOWN
    assert torch_internals.SOFTMAX_BACKWARD is not None


def test_no_other_module_of_the_model_uses_undocumented_parts_of_pytorch() -> None:
    undocumented = re.compile(r"torch\._(?!_)|torch\.ops|_step_count")
    root = Path(next(iter(model.__path__)))
    assert {path.name for path in root.rglob("*.py") if undocumented.search(path.read_text("utf-8"))} == {
        Path(torch_internals.__file__).name
    }


def test_the_gradient_of_a_softmax_is_that_of_autograd() -> None:
    torch.manual_seed(0)
    x, grad = torch.randn(3, 5, 7, requires_grad=True), torch.randn(3, 5, 7)
    output = torch.softmax(x, -1)
    backward = find_softmax_backward(torch)
    assert backward is not None
    torch.testing.assert_close(backward(grad, output.detach()), torch.autograd.grad(output, x, grad)[0])


def _other_signature(grad: Tensor) -> Tensor:
    return grad


def _other_result(grad: Tensor, output: Tensor, axis: int, dtype: torch.dtype) -> Tensor:
    return grad * output


@pytest.mark.parametrize("function", [None, _other_signature, _other_result])
def test_a_function_that_is_absent_or_another_is_not_used(function: Callable[..., Tensor] | None) -> None:
    library = SimpleNamespace() if function is None else SimpleNamespace(_softmax_backward_data=function)
    assert find_softmax_backward(library) is None


def test_attention_without_it_has_the_same_result_and_gradient() -> None:
    torch.manual_seed(1)
    qkv = torch.randn(3, 5, 24, dtype=torch.float64, requires_grad=True)
    g = torch.randn(3, 5, 8, dtype=torch.float64)
    by_hand = attend(qkv, 2, 0.0, training=True)
    by_pytorch = attend(qkv, 2, 0.0, training=True, softmax_backward=None)
    torch.testing.assert_close(by_hand, by_pytorch)
    wanted = torch.autograd.grad(by_pytorch, qkv, g)
    torch.testing.assert_close(torch.autograd.grad(by_hand, qkv, g), wanted)
