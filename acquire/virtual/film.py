"""Size and storage of the virtual camera's picture."""

from __future__ import annotations

from dataclasses import dataclass

#: Size of the virtual camera's picture in pixels.
WIDTH, HEIGHT = 640, 480


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """How the picture is stored.

    Attributes
    ----------
    width, height : int
        Pixels.
    grain : float
        Standard deviation of the sensor's noise, in grey levels: without any a file decodes faster than a camera's.
    preset : str
        x264 preset.
    """

    width: int = WIDTH
    height: int = HEIGHT
    grain: float = 0.0
    preset: str = "ultrafast"
