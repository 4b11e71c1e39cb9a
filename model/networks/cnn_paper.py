"""The paper's CNN, as in its first public code; inputs and targets as for ``transformer-paper``.

Five convolutions over time, the first over all coordinates at once; batch normalisation after the first three, ReLU
between. Batch 8. Its learning rate is not published: the transformer's is used, with its optimiser and target.

Source: Chiquier and Vondrick, "Muscles in Action", ICCV 2023, and the code of its first version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dataset.support.arrays import FloatArray
from dataset.windows import Windows
from model.networks.base import Network, Recipe, masked_mean_square
from model.networks.paper_inputs import (
    COUNTS_PER_UNIT,
    N_COORDINATES,
    PaperConfig,
    paper_config,
    picture_features,
    start_layer_at,
)

KERNEL = 9
WIDTHS = (128, 64, 128, 64)


class CnnPaper(Network):
    """CNN of the paper: 284,424 parameters for eight channels."""

    recipe: ClassVar[Recipe] = Recipe(
        learning_rate=5e-6, one_cycle=False, batch=8, weight_decay=0.01, fewest_steps=0, epochs=60
    )
    config: PaperConfig

    def __init__(self, config: PaperConfig) -> None:
        super().__init__()
        self.config = config
        widths = (N_COORDINATES, *WIDTHS, config.n_channels)
        # The first is 50 x 9 on one plane in the public code, which is this; the others are 1 x 9.
        self.convolutions = nn.ModuleList(nn.Conv1d(a, b, KERNEL, padding=KERNEL // 2) for a, b in pairwise(widths))
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for width in WIDTHS[:3])

    @classmethod
    def from_windows(cls, train: Windows) -> Self:
        return cls(paper_config(train, "cnn-paper"))

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
        x = self.convolutions[-1](self._hidden(x))  # (B, C, T)
        return x.transpose(1, 2)  # (B, T, C)

    def embed(self, x: Tensor, subject: Tensor) -> Tensor:
        """Return the input of the last convolution, shape (B, T, 64)."""
        return self._hidden(x).transpose(1, 2)

    def _hidden(self, x: Tensor) -> Tensor:
        x = x.flatten(2).transpose(1, 2)  # (B, 50, T)
        for i, convolution in enumerate(self.convolutions[:-1]):
            x = convolution(x)  # (B, 128 | 64 | 128 | 64, T)
            if i < len(self.norms):
                x = self.norms[i](x)
            x = torch.relu(x)
        return x  # (B, 64, T)

    def start_at(self, emg: FloatArray) -> None:
        """Initialise to predict ``emg``, shape (C,), everywhere."""
        start_layer_at(self.convolutions[-1], emg)  # type: ignore[arg-type]

    def loss(self, x: Tensor, subject: Tensor, emg: Tensor, valid: Tensor) -> Tensor:
        """Return the mean squared error in hundreds of counts."""
        return masked_mean_square(self(x) - emg / COUNTS_PER_UNIT, valid)

    def predict(self, x: Tensor, subject: Tensor) -> Tensor:
        """Return sEMG in counts, shape (B, T, C)."""
        out: Tensor = self(x) * COUNTS_PER_UNIT
        return out
