"""Crop windows into shorter ones, and join their predictions on the same frames."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from dataset.support.arrays import FloatArray, IntArray
from dataset.windows import Windows


def cropped(windows: Windows, length: int) -> tuple[Windows, IntArray]:
    """Return the windows of ``length`` frames that cover each window; identical ones only once.

    Returns
    -------
    Windows
    ndarray of int64, shape (N, K)
        For each window, its K crops, in the order of :func:`offsets`.
    """
    if length == windows.length:
        return windows, np.arange(len(windows))[:, None]
    at = offsets(windows.length, length)
    start = windows.start_frame[:, None] + np.array(at)  # (N, K)
    place = np.stack(np.broadcast_arrays(windows.recording[:, None], start), -1).reshape(-1, 2)
    _, first, which = np.unique(place, axis=0, return_index=True, return_inverse=True)
    window, k = np.divmod(first, len(at))
    frames = np.array(at)[k][:, None] + np.arange(length)  # (M, length)
    values: dict[str, Any] = {}
    for f in fields(windows):
        value = getattr(windows, f.name)
        if f.name in ("keypoints", "image_xy", "emg", "valid") and value is not None:
            values[f.name] = value[window[:, None], frames]
        elif isinstance(value, np.ndarray):
            values[f.name] = value[window]
        else:
            values[f.name] = value
    values["start_row"] = values["start_row"] + frames[:, 0]
    values["start_s"] = values["start_s"] + frames[:, 0] / windows.rate_hz
    values["stop_s"] = values["start_s"] + length / windows.rate_hz
    return Windows(**values), which.reshape(len(windows), len(at)).astype(np.int64)


def joined(predicted: FloatArray, which: IntArray, length: int) -> FloatArray:
    """Join crops' predictions, shape (M, l, C), into predictions of the windows that they cover, (N, length, C)."""
    out = np.empty((len(which), length, predicted.shape[-1]))
    for k, offset in reversed(list(enumerate(offsets(length, predicted.shape[1])))):
        out[:, offset : offset + predicted.shape[1]] = predicted[which[:, k]]
    return out


def offsets(whole: int, length: int) -> list[int]:
    """Return the first frames of the crops: one after the other, the last one ending with the window."""
    at = list(range(0, whole - length + 1, length))
    return at if at[-1] + length == whole else [*at, whole - length]
