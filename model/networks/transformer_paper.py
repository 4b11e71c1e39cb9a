"""The paper's transformer, as in its first public code, including its faults, for comparison.

One temporal convolution over all coordinates at once, fixed sinusoidal positions, a post-norm encoder, one linear layer
and a ReLU. Constant learning rate 5e-6, counts / 100 as target.

Source: Chiquier and Vondrick, "Muscles in Action", ICCV 2023, and the code of its first version.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from dataset.support.arrays import FloatArray
from dataset.windows import Windows
from model.networks.base import Network, Recipe, masked_mean_square
from model.networks.cpu_kernels.attention import attend
from model.networks.cpu_kernels.feedforward import TwoLayers, dropout, feedforward
from model.networks.paper_inputs import (
    COUNTS_PER_UNIT,
    N_COORDINATES,
    PaperConfig,
    paper_config,
    picture_features,
    start_layer_at,
)

WIDTH = 128
HEADS = 8
DROPOUT = 0.1


class TransformerPaper(Network):
    """Transformer of the paper: 2,430,856 parameters for eight channels."""

    recipe: ClassVar[Recipe] = Recipe(
        learning_rate=5e-6, one_cycle=False, batch=32, weight_decay=0.01, fewest_steps=0, epochs=60
    )
    config: PaperConfig
    positions: Tensor  # (T, 128)

    def __init__(self, config: PaperConfig) -> None:
        super().__init__()
        self.config = config
        self.convolution = nn.Conv2d(1, WIDTH, kernel_size=(N_COORDINATES, 9), padding=(0, 4))
        self.register_buffer("positions", _sinusoids(config.length, WIDTH), persistent=False)
        layer = nn.TransformerEncoderLayer(WIDTH, HEADS, dim_feedforward=2048, dropout=DROPOUT, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, num_layers=4, enable_nested_tensor=False)
        self.head = nn.Linear(WIDTH, config.n_channels)

    @classmethod
    def from_windows(cls, train: Windows) -> Self:
        return cls(paper_config(train, "transformer-paper"))

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        return cls(PaperConfig(**config))

    def features(self, windows: Windows) -> NDArray[np.float32]:
        """Return x and y as fractions of the picture, shape (N, T, 25, 2)."""
        return picture_features(windows, self.config)

    def subject_index(self, subjects: Sequence[str]) -> NDArray[np.int64]:
        """Return zeros: the first version has no subject input."""
        return np.zeros(len(subjects), dtype=np.int64)

    def forward(self, x: Tensor) -> Tensor:
        """Return sEMG in hundreds of counts, shape (B, T, C), from keypoints of shape (B, T, 25, 2)."""
        return functional.relu(self.head(self._encoded(x)))  # (B, T, C)

    def embed(self, x: Tensor, subject: Tensor) -> Tensor:
        """Return the input of the last layer, shape (B, T, 128)."""
        return self._encoded(x)

    def _encoded(self, x: Tensor) -> Tensor:
        x = x.flatten(2).transpose(1, 2)  # (B, 50, T)
        # A 50 x 9 kernel over all 50 coordinates has one vertical position, so this is a one-dimensional convolution.
        x = functional.conv1d(x, self.convolution.weight[:, 0], self.convolution.bias, padding=4)  # (B, 128, T)
        x = x.transpose(1, 2)  # (B, T, 128), no activation
        x = dropout(x + self.positions, DROPOUT, training=self.training)  # (B, T, 128)
        for layer in self.encoder.layers:
            x = self._encode(x, layer)  # (B, T, 128)
        return x

    def _encode(self, x: Tensor, layer: Any) -> Tensor:
        """Return ``x`` after one post-norm layer: as ``layer``, with faster dropout."""
        p = DROPOUT if self.training else 0.0
        attended = dropout(self._attend(x, layer.self_attn, p), p, training=self.training)
        x = layer.norm1(x + attended)
        first, second = layer.linear1, layer.linear2
        layers = TwoLayers(first.weight, first.bias, second.weight, second.bias)
        fed = feedforward(x, layers, p, training=self.training)  # (B, T, 128)
        out: Tensor = layer.norm2(x + dropout(fed, p, training=self.training))
        return out

    def _attend(self, x: Tensor, attention: nn.MultiheadAttention, p: float) -> Tensor:
        qkv = functional.linear(x, attention.in_proj_weight, attention.in_proj_bias)  # (B, T, 3 * 128)
        mixed = attend(qkv, HEADS, p, training=self.training)  # (B, T, 128)
        out: Tensor = attention.out_proj(mixed)
        return out

    def start_at(self, emg: FloatArray) -> None:
        """Initialise to predict ``emg``, shape (C,), everywhere."""
        start_layer_at(self.head, emg)

    def loss(self, x: Tensor, subject: Tensor, emg: Tensor, valid: Tensor) -> Tensor:
        """Return the mean squared error in hundreds of counts."""
        return masked_mean_square(self(x) - emg / COUNTS_PER_UNIT, valid)

    def predict(self, x: Tensor, subject: Tensor) -> Tensor:
        """Return sEMG in counts, shape (B, T, C)."""
        out: Tensor = self(x) * COUNTS_PER_UNIT
        return out


def _sinusoids(length: int, width: int) -> Tensor:
    """Return the positional encoding of Vaswani et al. (2017), shape (length, width): alternating sines and cosines."""
    t = torch.arange(length, dtype=torch.float32)[:, None]
    frequency = torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * (-math.log(10000.0) / width))
    table = torch.zeros(length, width)
    table[:, 0::2] = torch.sin(t * frequency)
    table[:, 1::2] = torch.cos(t * frequency)
    return table
