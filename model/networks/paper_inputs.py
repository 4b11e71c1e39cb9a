"""Inputs and targets of the paper's networks: keypoints as fractions of the picture, sEMG in hundreds of counts.

25 two-dimensional keypoints, x divided by the picture's width and y by its height. For sessions without 2D keypoints
(the published windows), x and y of the 3D joints, in metres from the mid-hip, are used as ``0.5 + 0.5 * xy``: a picture
two metres wide and high with the hip at its centre. A missing keypoint is 0, as given by a detector.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dataset.pose.skeleton import BODY_25, JOINT
from dataset.support.arrays import FloatArray
from dataset.support.errors import InputError
from dataset.windows import Windows

N_COORDINATES = 2 * len(BODY_25)
COUNTS_PER_UNIT = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperConfig:
    """Shape of one of the paper's networks."""

    n_channels: int  # C
    length: int  # T, frames of a window
    source: str  # "image": 2D keypoints; "3d": x and y of the 3D joints


def paper_config(train: Windows, name: str) -> PaperConfig:
    """Return the shape of a network called ``name`` for these windows.

    Raises
    ------
    InputError
        There are only 2D keypoints, in a picture of unknown size.
    """
    return PaperConfig(n_channels=len(train.channels), length=train.length, source=picture_source(train, name))


def picture_source(train: Windows, name: str) -> str:
    """Return the input source of a network called ``name``: ``image``, or ``3d`` without 2D keypoints.

    Raises
    ------
    InputError
        There are only 2D keypoints, in a picture of unknown size.
    """
    if train.image_xy is not None:
        return "image"
    if train.keypoints.shape[-1] == 3:
        return "3d"
    raise InputError(f"{name} needs the size of the picture", "the sessions have 2D keypoints in pixels but no video")


def start_layer_at(layer: nn.Linear | nn.Conv1d, emg: FloatArray) -> None:
    """Set a last layer so that it predicts ``emg``, shape (C,), in counts, for any input."""
    if layer.bias is None:
        raise InputError("a layer without a bias cannot predict a constant")
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.copy_(torch.from_numpy(emg / COUNTS_PER_UNIT))


def picture_features(windows: Windows, config: PaperConfig) -> NDArray[np.float32]:
    """Return x and y as fractions of the picture, shape (N, T, 25, 2).

    Raises
    ------
    InputError
        The windows have another length or other keypoints than the network.
    """
    if windows.length != config.length:
        raise InputError("the windows have another length", f"{windows.length} frames, trained on {config.length}")
    if config.source == "image":
        if windows.image_xy is None:
            raise InputError("the sessions have no 2D keypoints", "the model was trained on them")
        xy = windows.image_xy
    else:
        if windows.keypoints.shape[-1] != 3:
            raise InputError("the sessions have no 3D keypoints", "the model was trained on them")
        root = windows.keypoints[:, :, JOINT["mid_hip"], None]
        xy = 0.5 + 0.5 * (windows.keypoints - root)[..., :2]
    return np.nan_to_num(xy, nan=0.0).astype(np.float32)
