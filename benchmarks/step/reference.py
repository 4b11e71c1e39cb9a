"""Plain PyTorch implementation of the paper's transformer, as in its first public code, for comparison."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class PlainTransformer(nn.Module):
    """A 50 x 9 two-dimensional convolution, sinusoidal positions, a post-norm encoder, sequence first.

    Its parameters have the names and shapes of :class:`model.networks.transformer_paper.TransformerPaper`.
    """

    positions: Tensor

    def __init__(self, n_channels: int = 8, length: int = 30) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 128, kernel_size=(50, 9), padding=(0, 4))
        self.dropout = nn.Dropout(0.1)
        layer = nn.TransformerEncoderLayer(d_model=128, nhead=8, dim_feedforward=2048, dropout=0.1, activation="relu")
        self.encoder = nn.TransformerEncoder(layer, num_layers=4, enable_nested_tensor=False)
        self.head = nn.Linear(128, n_channels)
        positions = torch.zeros(length, 1, 128)
        for t in range(length):
            for i in range(0, 128, 2):
                positions[t, 0, i] = math.sin(t / 10000 ** (i / 128))
                positions[t, 0, i + 1] = math.cos(t / 10000 ** (i / 128))
        self.register_buffer("positions", positions, persistent=False)

    def forward(self, keypoints: Tensor) -> Tensor:
        """Return sEMG in hundreds of counts, shape (B, T, C), from keypoints of shape (B, T, 25, 2)."""
        b, t = keypoints.shape[:2]
        x = keypoints.reshape(b, t, 50).permute(0, 2, 1).unsqueeze(1)  # (B, 1, 50, T)
        x = self.convolution(x).squeeze(2)  # (B, 128, T)
        x = x.permute(2, 0, 1)  # (T, B, 128)
        x = self.encoder(self.dropout(x + self.positions))  # (T, B, 128)
        return torch.relu(self.head(x)).permute(1, 0, 2)  # (B, T, C)
