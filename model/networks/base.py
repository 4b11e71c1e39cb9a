"""Interface of a network for training, evaluation and storage."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dataset.support.arrays import FloatArray
from dataset.windows import Windows


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Default training settings of a network.

    Attributes
    ----------
    learning_rate : float
        The maximum, if the rate is not constant.
    one_cycle : bool
        One-cycle schedule of the learning rate over the whole training; else it is constant.
    batch : int
    weight_decay : float
    fewest_steps : int
        Least number of steps; small sets are repeated until it is reached.
    epochs : int
        Epochs, if the set is large enough for them to exceed ``fewest_steps``.
    """

    learning_rate: float
    one_cycle: bool
    batch: int
    weight_decay: float
    fewest_steps: int
    epochs: int


class Network(nn.Module):
    """A network from windows of keypoints to windows of sEMG.

    Attributes
    ----------
    recipe : Recipe
    config : frozen dataclass
        Parameters of the network's shape, which can be stored as JSON.

    Shapes: B windows of a batch or N of a set, T frames, J joints of D coordinates, C channels.
    """

    recipe: ClassVar[Recipe]
    config: Any

    @classmethod
    @abstractmethod
    def from_windows(cls, train: Windows) -> Self:
        """Return an untrained network with its normalisation computed from the training windows."""

    @classmethod
    @abstractmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Return a network of the shape that was stored as JSON, to load weights into."""

    @abstractmethod
    def features(self, windows: Windows) -> NDArray[np.float32]:
        """Return the network's input, shape (N, T, J, D), NaN where a joint is missing.

        Raises
        ------
        InputError
            The windows are not of the kind that the network was trained on.
        """

    @abstractmethod
    def subject_index(self, subjects: Sequence[str]) -> NDArray[np.int64]:
        """Return the network's index of each subject, shape (N,)."""

    @abstractmethod
    def loss(self, x: Tensor, subject: Tensor, emg: Tensor, valid: Tensor) -> Tensor:
        """Return the loss of one batch: x (B, T, J, D), subject (B), emg and valid (B, T, C); augmented in training."""

    @abstractmethod
    def predict(self, x: Tensor, subject: Tensor) -> Tensor:
        """Return sEMG in the channels' unit, shape (B, T, C); does not disable gradients itself."""

    @abstractmethod
    def embed(self, x: Tensor, subject: Tensor) -> Tensor:
        """Return the embedding of each window, the input of the last layer, shape (B, T, W)."""

    def start_at(self, emg: FloatArray) -> None:
        """Initialise to predict ``emg``, shape (C,), everywhere; networks with standardised targets do so already."""

    def n_parameters(self) -> int:
        """Return the number of trainable parameters."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)


def masked_mean_square(error: Tensor, valid: Tensor) -> Tensor:
    """Return the mean of ``error**2`` over the valid values; 0 if there are none."""
    square = torch.where(valid, error, torch.zeros_like(error)).square()
    return square.sum() / valid.sum().clamp(min=1)
