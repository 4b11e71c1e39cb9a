"""Native code is handed arrays without gaps: whatever else reaches OpenCV or the pose network fails the test."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest


def refuse_strided(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every function of OpenCV, and the picture that the pose network is given, refuse arrays with gaps."""
    from mediapipe import Image

    for name, function in list(vars(cv2).items()):
        if name[0].islower() and type(function).__name__ == "builtin_function_or_method":
            monkeypatch.setattr(cv2, name, _refusing(function))
    monkeypatch.setattr(Image, "__init__", _refusing(Image.__init__))


def _refusing(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def checked(*given: Any, **named: Any) -> Any:
        for value in (*given, *named.values()):
            _check(value, function.__name__)
        return function(*given, **named)

    return checked


def _check(value: Any, name: str) -> None:
    if isinstance(value, list | tuple):
        for each in value:
            _check(each, name)
    elif isinstance(value, np.ndarray) and not value.flags.c_contiguous:
        raise AssertionError(f"{name} is given an array of shape {value.shape} with strides {value.strides}")
