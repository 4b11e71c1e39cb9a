"""The project's network: hip-centred joints and velocities, a subject embedding, and a small transformer.

Coordinates are standardised one by one and sEMG per subject and channel, so that the network need not learn a body's
position in the room or a person's skin impedance. A subject not seen in training is ``unknown``: this embedding is
trained as well, by hiding the subject of random windows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dataset.pose.skeleton import BODY_25, JOINT
from dataset.support.errors import InputError
from dataset.windows import Windows
from model.networks.base import Network, Recipe, masked_mean_square

UNKNOWN = 0  # index of the subject entry for people not seen in training
HIDDEN_SUBJECTS = 0.1  # share of training windows whose subject is hidden
VELOCITY_GAIN = 3.0  # brings standardised velocities at 10 Hz near the coordinates' own spread
# Added to each coordinate's standard deviation: joints near the hip hardly move, and the jitter of a pose network
# (torso lengths in 2D, metres in 3D) must not be scaled up to the size of a motion.
JITTER = {2: 0.04, 3: 0.02}
NOISE = {2: 0.04, 3: 0.02}  # augmentation: noise of each joint, per window and per frame; units as above
MOST_TURN_RAD = 0.3  # augmentation: rotation about the vertical
SCALE_SD = 0.05  # augmentation: size of the body
SQUEEZE = (0.85, 1.0)  # augmentation of 2D keypoints: width as a turned body shows it


@dataclass(frozen=True, slots=True, kw_only=True)
class MiaConfig:
    """Shape of a :class:`MiaTransformer`."""

    n_dims: int  # D: 2 (pixels) or 3 (metres)
    n_channels: int  # C
    length: int  # T, frames of a window
    subjects: tuple[str, ...]  # those seen in training, entries 1 ... S; entry 0 is for all others
    width: int = 96  # W
    n_layers: int = 3
    n_heads: int = 8
    dropout: float = 0.2


class MiaTransformer(Network):
    """About 412 thousand parameters for 3D keypoints, eight channels and windows of 30."""

    recipe: ClassVar[Recipe] = Recipe(
        learning_rate=1e-3, one_cycle=True, batch=32, weight_decay=0.05, fewest_steps=240, epochs=30
    )
    config: MiaConfig
    x_mean: Tensor  # (25, D)
    x_sd: Tensor  # (25, D)
    y_mean: Tensor  # (1 + S, C)
    y_sd: Tensor  # (1 + S, C)

    def __init__(self, config: MiaConfig) -> None:
        super().__init__()
        self.config = config
        self._index = {name: i + 1 for i, name in enumerate(config.subjects)}
        n_people, width = len(config.subjects) + 1, config.width
        self.register_buffer("x_mean", torch.zeros(len(BODY_25), config.n_dims))
        self.register_buffer("x_sd", torch.ones(len(BODY_25), config.n_dims))
        self.register_buffer("y_mean", torch.zeros(n_people, config.n_channels))
        self.register_buffer("y_sd", torch.ones(n_people, config.n_channels))
        self.convolution = nn.Conv1d(2 * config.n_dims * len(BODY_25), width, kernel_size=5, padding=2)
        self.person = nn.Embedding(n_people, width)
        self.position = nn.Parameter(torch.randn(config.length, width) * 0.02)
        layer = nn.TransformerEncoderLayer(
            width, config.n_heads, 4 * width, config.dropout, activation="gelu", norm_first=True, batch_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, config.n_layers, enable_nested_tensor=False)
        self.head = nn.Linear(width, config.n_channels)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        return cls(MiaConfig(**{**config, "subjects": tuple(config["subjects"])}))

    @classmethod
    def from_windows(cls, train: Windows) -> Self:
        subjects = tuple(sorted(set(train.subject.tolist())))
        n_dims = train.keypoints.shape[-1]
        network = cls(MiaConfig(n_dims=n_dims, n_channels=len(train.channels), length=train.length, subjects=subjects))
        x = network.features(train).reshape(-1, len(BODY_25), n_dims)
        with torch.no_grad():
            network.x_mean.copy_(torch.from_numpy(_mean(x)))
            network.x_sd.copy_(torch.from_numpy(_sd(x, added=JITTER[n_dims])))
            # The noise of a hardly active muscle must not be scaled up to the size of a signal.
            least = 0.03 * _sd(train.emg.reshape(-1, len(train.channels)), added=0.0)
            people = [np.ones(len(train), dtype=np.bool_), *(train.subject == name for name in subjects)]
            for i, mine in enumerate(people):
                y = train.emg[mine].reshape(-1, len(train.channels))
                network.y_mean[i] = torch.from_numpy(_mean(y))
                network.y_sd[i] = torch.from_numpy(_sd(y, added=least))
        return network

    def features(self, windows: Windows) -> NDArray[np.float32]:
        """Return joints relative to the mid-hip, shape (N, T, 25, D); pixels in units of the torso's length."""
        n_dims = self.config.n_dims
        if windows.keypoints.shape[-1] < n_dims or windows.length != self.config.length:
            raise InputError(
                "the windows differ from those that the model was trained on",
                f"{windows.length} frames of {windows.keypoints.shape[-1]}D keypoints, "
                f"trained on {self.config.length} frames of {n_dims}D",
            )
        if windows.keypoints.shape[-1] == n_dims:
            x = windows.keypoints - windows.keypoints[:, :, JOINT["mid_hip"], None]
        else:
            raise InputError("the sessions have 3D keypoints", "the model was trained on 2D keypoints")
        if n_dims == 2:
            x = x / _body_size(x)[:, None, None, None]
        return np.asarray(x, dtype=np.float32)

    def subject_index(self, subjects: Sequence[str]) -> NDArray[np.int64]:
        """Return each subject's entry; 0 for those not seen in training."""
        return np.array([self._index.get(name, UNKNOWN) for name in subjects], dtype=np.int64)

    def forward(self, x: Tensor, subject: Tensor) -> Tensor:
        """Return standardised sEMG, shape (B, T, C), from joints of shape (B, T, 25, D)."""
        out: Tensor = self.head(self.embed(x, subject))  # (B, T, C)
        return out

    def embed(self, x: Tensor, subject: Tensor) -> Tensor:
        """Return the input of the last layer, shape (B, T, W)."""
        x = ((x - self.x_mean) / self.x_sd).nan_to_num(0.0).flatten(2)  # (B, T, 25 D)
        velocity = VELOCITY_GAIN * torch.diff(x, dim=1, prepend=x[:, :1])  # (B, T, 25 D)
        h = self.convolution(torch.cat([x, velocity], -1).transpose(1, 2)).transpose(1, 2)  # (B, T, W)
        h = h + self.position + self.person(subject)[:, None]  # (B, T, W)
        out: Tensor = self.encoder(h)  # (B, T, W)
        return out

    def loss(self, x: Tensor, subject: Tensor, emg: Tensor, valid: Tensor) -> Tensor:
        """Return the mean squared error, each channel weighted by its spread, as the RMSE in counts weights it."""
        target = (emg - self.y_mean[subject][:, None]) / self.y_sd[subject][:, None]  # (B, T, C)
        weight = (self.y_sd / self.y_sd.mean())[subject][:, None]  # (B, 1, C)
        if self.training:
            x = augmented(x, noise_sd=NOISE[self.config.n_dims])
            hidden = torch.rand(subject.shape, device=subject.device) < HIDDEN_SUBJECTS
            subject = torch.where(hidden, torch.full_like(subject, UNKNOWN), subject)
        return masked_mean_square(weight * (self(x, subject) - target), valid)

    def predict(self, x: Tensor, subject: Tensor) -> Tensor:
        """Return sEMG in counts, shape (B, T, C), never below 0."""
        out: Tensor = self(x, subject) * self.y_sd[subject][:, None] + self.y_mean[subject][:, None]
        return out.clamp(min=0.0)


def augmented(x: Tensor, *, noise_sd: float) -> Tensor:
    """Return augmented bodies: rotated about the vertical and scaled per window, with noise on the joints."""
    n = len(x)
    x = x + noise_sd * torch.randn_like(x) + noise_sd * torch.randn_like(x[:, :1])
    size = 1.0 + SCALE_SD * torch.randn(n, 1, 1, device=x.device)
    if x.shape[-1] == 2:
        low, high = SQUEEZE
        squeeze = low + (high - low) * torch.rand(n, 1, 1, device=x.device)
        return torch.stack([x[..., 0] * size * squeeze, x[..., 1] * size], -1)
    turn = (2.0 * torch.rand(n, 1, 1, device=x.device) - 1.0) * MOST_TURN_RAD
    cos, sin = torch.cos(turn), torch.sin(turn)
    right, down, deep = x.unbind(-1)
    return torch.stack([right * cos + deep * sin, down, deep * cos - right * sin], -1) * size[..., None]


def _body_size(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return each window's median distance from neck to mid-hip in pixels, at least 1; shape (N,)."""
    length = np.linalg.norm(x[:, :, JOINT["neck"]], axis=-1)
    found = np.isfinite(length).any(1)
    size = np.ones(len(x))
    if found.any():
        size[found] = np.nanmedian(length[found], axis=1)
        size[~found] = np.median(size[found])
    return np.asarray(np.maximum(size, 1.0), dtype=np.float64)


def _mean(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the mean over rows, 0 for a column without values."""
    count = np.isfinite(values).sum(0)
    return np.asarray(np.nansum(values, axis=0, dtype=np.float64) / np.maximum(count, 1), dtype=np.float32)


def _sd(values: NDArray[np.floating], *, added: float | NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the standard deviation over rows plus ``added``; 1 for a column without values or variance."""
    count = np.isfinite(values).sum(0)
    square = np.nansum((values - _mean(values)) ** 2, axis=0, dtype=np.float64)
    sd = np.sqrt(square / np.maximum(count, 1)) + added
    return np.asarray(np.where(sd > 0, sd, 1.0), dtype=np.float32)
