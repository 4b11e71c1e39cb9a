"""The paper's transformer, as its first public code has it; its faults are kept, so that it can be compared with.

One temporal convolution over all coordinates at once, fixed sinusoidal positions, a post-norm encoder, one linear layer
and a ReLU. Constant learning rate 5e-6, counts / 100 as target.

Fed: 25 two-dimensional keypoints, x divided by the picture's width and y by its height. Sessions without 2D keypoints
(the published windows) are fed x and y of the 3D joints, in metres from the mid-hip, as ``0.5 + 0.5 * xy``: a picture
two metres wide and high, the hip at its centre. A missing keypoint is fed as 0, as a detector gives it.

Source: Chiquier and Vondrick, "Muscles in Action", ICCV 2023, and the code of its first version.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from dataset.errors import InputError
from dataset.skeleton import JOINT
from dataset.windows import Windows
from model.networks.base import Network, Recipe, masked_mean_square

COUNTS_PER_UNIT = 100.0
N_COORDINATES = 50
WIDTH = 128


class TransformerPaper(Network):
    """Transformer of the paper: 2,430,856 parameters for eight channels.

    Parameters
    ----------
    n_channels : int
    length : int
        Frames of a window, T.
    source : {"image", "3d"}
        What is fed: 2D keypoints, or x and y of the 3D joints.
    """

    recipe: ClassVar[Recipe] = Recipe(
        learning_rate=5e-6, one_cycle=False, batch=32, weight_decay=0.01, fewest_steps=0, epochs=60
    )
    positions: Tensor

    def __init__(self, *, n_channels: int, length: int, source: str) -> None:
        super().__init__()
        self.config: dict[str, Any] = {"n_channels": n_channels, "length": length, "source": source}
        self.convolution = nn.Conv2d(1, WIDTH, kernel_size=(N_COORDINATES, 9), padding=(0, 4))
        self.register_buffer("positions", _sinusoids(length, WIDTH), persistent=False)
        self.dropout = nn.Dropout(0.1)
        layer = nn.TransformerEncoderLayer(
            WIDTH, nhead=8, dim_feedforward=2048, dropout=0.1, activation="relu", norm_first=False, batch_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, num_layers=4, enable_nested_tensor=False)
        self.head = nn.Linear(WIDTH, n_channels)

    @classmethod
    def from_windows(cls, train: Windows) -> Self:
        source = "image" if train.image_xy is not None else "3d" if train.keypoints.shape[-1] == 3 else ""
        if not source:
            raise InputError(
                "transformer-paper needs the size of the picture",
                "the sessions have 2D keypoints in pixels but no /video group",
            )
        return cls(n_channels=len(train.channels), length=train.length, source=source)

    def features(self, windows: Windows) -> NDArray[np.float32]:
        """Return x and y in parts of the picture, shape (N, T, 25, 2)."""
        if windows.length != self.config["length"]:
            raise InputError("windows of another length", f"{windows.length}, trained on {self.config['length']}")
        if self.config["source"] == "image":
            if windows.image_xy is None:
                raise InputError("the sessions have no 2D keypoints", "the model was trained on them")
            xy = windows.image_xy
        else:
            if windows.keypoints.shape[-1] != 3:
                raise InputError("the sessions have no 3D keypoints", "the model was trained on them")
            root = windows.keypoints[:, :, JOINT["mid_hip"], None]
            xy = 0.5 + 0.5 * (windows.keypoints - root)[..., :2]
        return np.nan_to_num(xy, nan=0.0).astype(np.float32)

    def subject_index(self, subjects: Sequence[str]) -> NDArray[np.int64]:
        """Return zeros: the first version knows no subjects."""
        return np.zeros(len(subjects), dtype=np.int64)

    def forward(self, x: Tensor) -> Tensor:
        """Return sEMG in hundreds of counts, shape (B, T, C), from keypoints of shape (B, T, 25, 2)."""
        x = x.flatten(2).transpose(1, 2).unsqueeze(1)  # (B, 1, 50, T)
        x = self.convolution(x).squeeze(2)  # (B, 128, T), no activation
        x = x.transpose(1, 2)  # (B, T, 128)
        x = self.dropout(x + self.positions)  # (B, T, 128)
        x = self.encoder(x)  # (B, T, 128)
        return functional.relu(self.head(x))  # (B, T, C)

    def loss(self, x: Tensor, subject: Tensor, emg: Tensor, valid: Tensor) -> Tensor:
        """Return the mean squared error in hundreds of counts."""
        return masked_mean_square(self(x) - emg / COUNTS_PER_UNIT, valid)

    def predict(self, x: Tensor, subject: Tensor) -> Tensor:
        """Return sEMG in counts, shape (B, T, C)."""
        out: Tensor = self(x) * COUNTS_PER_UNIT
        return out


def _sinusoids(length: int, width: int) -> Tensor:
    """Return the positions of Vaswani et al. (2017), shape (length, width): sines and cosines in turn."""
    t = torch.arange(length, dtype=torch.float32)[:, None]
    frequency = torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * (-math.log(10000.0) / width))
    table = torch.zeros(length, width)
    table[:, 0::2] = torch.sin(t * frequency)
    table[:, 1::2] = torch.cos(t * frequency)
    return table
