"""What the paper's networks are fed and predict: keypoints in parts of the picture, sEMG in hundreds of counts.

25 two-dimensional keypoints, x divided by the picture's width and y by its height. Sessions without 2D keypoints (the
published windows) are fed x and y of the 3D joints, in metres from the mid-hip, as ``0.5 + 0.5 * xy``: a picture two
metres wide and high, the hip at its centre. A missing keypoint is fed as 0, as a detector gives it.
"""

from __future__ import annotations

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


def picture_source(train: Windows, name: str) -> str:
    """Return what a network called ``name`` is to be fed: ``image``, or ``3d`` where there are no 2D keypoints.

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
    """Set a last layer so that it predicts ``emg``, shape (C,), in counts, whatever it is fed."""
    if layer.bias is None:
        raise InputError("a layer without offsets cannot predict a constant")
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.copy_(torch.from_numpy(emg / COUNTS_PER_UNIT))


def picture_features(windows: Windows, source: str, length: int) -> NDArray[np.float32]:
    """Return x and y in parts of the picture, shape (N, T, 25, 2).

    Raises
    ------
    InputError
        The windows have another length, or not the keypoints of ``source``.
    """
    if windows.length != length:
        raise InputError("windows of another length", f"{windows.length}, trained on {length}")
    if source == "image":
        if windows.image_xy is None:
            raise InputError("the sessions have no 2D keypoints", "the model was trained on them")
        xy = windows.image_xy
    else:
        if windows.keypoints.shape[-1] != 3:
            raise InputError("the sessions have no 3D keypoints", "the model was trained on them")
        root = windows.keypoints[:, :, JOINT["mid_hip"], None]
        xy = 0.5 + 0.5 * (windows.keypoints - root)[..., :2]
    return np.nan_to_num(xy, nan=0.0).astype(np.float32)
