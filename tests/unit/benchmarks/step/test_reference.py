"""The paper's transformer and the plain reference that its speed is measured against are one function."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from benchmarks.step.reference import PlainTransformer
from model.networks.cpu_kernels import attention, feedforward
from model.networks.paper_inputs import PaperConfig
from model.networks.transformer_paper import TransformerPaper


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def pair() -> tuple[PlainTransformer, TransformerPaper]:
    torch.manual_seed(3)
    plain = PlainTransformer()
    ours = TransformerPaper(PaperConfig(n_channels=8, length=30, source="image"))
    ours.load_state_dict(plain.state_dict())
    return plain, ours


def test_both_have_the_same_parameters_and_predict_the_same() -> None:
    plain, ours = pair()
    assert [(k, v.shape) for k, v in plain.named_parameters()] == [(k, v.shape) for k, v in ours.named_parameters()]
    x = torch.rand(7, 30, 25, 2)
    torch.testing.assert_close(ours.eval()(x), plain.eval()(x), rtol=1e-5, atol=1e-5)


def test_without_what_is_drawn_both_learn_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, ours = pair()
    plain.double()
    ours.double()
    torch.testing.assert_close(ours.positions, plain.positions[:, 0], rtol=0, atol=1e-5)
    plain.positions = ours.positions[:, None]  # so close that only a ReLU that is all but 0 could tell them apart
    for module in plain.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if isinstance(module, torch.nn.MultiheadAttention):
            module.dropout = 0.0
    monkeypatch.setattr("model.networks.transformer_paper.DROPOUT", 0.0)
    x, y = torch.rand(8, 30, 25, 2).double(), 2.0 * torch.rand(8, 30, 8).double()
    valid, subject = torch.ones(y.shape, dtype=torch.bool), torch.zeros(8, dtype=torch.int64)
    first = torch.optim.SGD(plain.parameters(), lr=0.01)
    second = torch.optim.SGD(ours.parameters(), lr=0.01)
    for _ in range(3):
        one = torch.mean((plain.train()(x) - y) ** 2)
        other = ours.train().loss(x, subject, 100.0 * y, valid)
        torch.testing.assert_close(other, one, rtol=1e-5, atol=1e-9)
        for loss, optimiser in ((one, first), (other, second)):
            optimiser.zero_grad()
            torch.autograd.backward(loss)
        for (name, a), b in zip(plain.named_parameters(), ours.parameters(), strict=True):
            torch.testing.assert_close(b.grad, a.grad, rtol=1e-4, atol=1e-6, msg=partial("{}: {}".format, name))
        first.step()
        second.step()


def test_dropout_keeps_as_often_as_it_says_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    x = torch.ones(50, 101)
    y = torch.stack([feedforward.dropout(x, 0.1, training=True) for _ in range(400)])
    kept = (y > 0).flatten(1)
    assert abs(float(kept.double().mean()) - 0.9) < 0.0006
    assert torch.unique(y).tolist() == [0.0, torch.tensor(1.0 / 0.9).item()]
    # The eight values that share one draw are independent of one another.
    together = kept[:, : 50 * 101 // 8 * 8].reshape(-1, 8).double()
    correlation = torch.corrcoef(together.T)
    assert float((correlation - torch.eye(8, dtype=torch.float64)).abs().max()) < 0.01
    assert feedforward.dropout(x, 0.1, training=False) is x


@pytest.mark.parametrize("p", [0.001, 0.25, 0.6])
def test_each_value_is_dropped_as_often_as_any_other(p: float) -> None:
    torch.manual_seed(2)
    dropped = sum((feedforward.drop_(torch.ones(20), p) == 0).double() for _ in range(20_000)) / 20_000
    assert isinstance(dropped, torch.Tensor)
    assert float((dropped - p).abs().max()) < 5.0 * (p * (1.0 - p) / 20_000) ** 0.5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_gradient_of_the_fused_layer_is_that_of_its_parts(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype
) -> None:
    torch.manual_seed(1)
    x, w1, b1, w2, b2 = (
        torch.randn(shape, dtype=dtype, requires_grad=True) for shape in ((5, 6, 4), (7, 4), (7,), (3, 7), (3,))
    )
    mask = torch.rand(30, 7) > 0.4
    monkeypatch.setattr(feedforward, "drop_", lambda values, p: values.mul_(mask))
    g = torch.randn(5, 6, 3, dtype=dtype)
    fused = feedforward.feedforward(x, feedforward.TwoLayers(w1, b1, w2, b2), 0.4, training=True)
    hidden = torch.relu(torch.nn.functional.linear(x, w1, b1)) * mask.view(5, 6, 7) / 0.6
    plain = torch.nn.functional.linear(hidden, w2, b2)
    torch.testing.assert_close(fused, plain)
    wanted = torch.autograd.grad(plain, (x, w1, b1, w2, b2), g)
    torch.testing.assert_close(torch.autograd.grad(fused, (x, w1, b1, w2, b2), g), wanted)


def test_the_gradient_of_the_fused_attention_is_that_of_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    qkv = torch.randn(3, 5, 24, dtype=torch.float64, requires_grad=True)  # two heads of four
    mask = torch.rand(6, 5, 5) > 0.4
    monkeypatch.setattr(attention, "drop_", lambda values, p: values.mul_(mask))
    fused = attention.attend(qkv, 2, 0.4, training=True)
    q, k, v = qkv.view(3, 5, 3, 2, 4).permute(2, 0, 3, 1, 4)
    weight = torch.softmax(q @ k.mT / 2.0, -1) * mask.view(3, 2, 5, 5) / 0.6
    plain = (weight @ v).transpose(1, 2).reshape(3, 5, 8)
    torch.testing.assert_close(fused, plain)
    g = torch.randn(3, 5, 8, dtype=torch.float64)
    torch.testing.assert_close(torch.autograd.grad(fused, qkv, g), torch.autograd.grad(plain, qkv, g))
