"""Films with known flashes, as the brightness of their tiles, and what else changes a picture's brightness.

Built from what such things are - a lamp's switch, mains flicker beating against the frame rate, a cut, a fade, a
white shirt that comes near, a camera that corrects its exposure after the flash - and not from what the detector
looks for. The picture is linear light until the camera's tone curve; rows are exposed one after another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from scipy.special import ndtr

from dataset.support.arrays import FloatArray
from sync.events.flashes import Brightness

#: Rows and columns of tiles, as a film is read.
ROWS, COLUMNS = 16, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """A film's tiles, when its flashes began and when something else happened, both on the film's clock."""

    brightness: Brightness
    flash_s: FloatArray
    disturbed_s: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """What a film is drawn from.

    Attributes
    ----------
    disturbance : str
        A key of :data:`DISTURBANCES`.
    small : bool
        The flash lights a spot, as a box in the picture does, and not the whole picture.
    rise : float
        Luma by which it lifts what it lights, 0-255.
    n_flashes : int
    seconds : float
    """

    disturbance: str = "nothing"
    small: bool = False
    rise: float = 40.0
    n_flashes: int = 8
    seconds: float = 60.0


def film(rng: Generator, shot: Shot) -> Film:
    """Draw one film."""
    fps = float(rng.choice([24.0, 25.0, 30.0, 30.0, 60.0]))
    at_s = np.arange(int(shot.seconds * fps)) / fps
    readout_s, exposure_s = rng.uniform(0.0, 0.9) / fps, rng.uniform(0.05, 0.9) / fps
    # Each row's own time: the centre of its exposure.
    row_s = at_s[:, None] + readout_s * ((np.arange(ROWS) + 0.5) / ROWS - 0.5)
    room = rng.uniform(40, 110) * np.exp(rng.normal(0, 0.3, (ROWS, COLUMNS)))
    light = np.broadcast_to(room, (len(at_s), ROWS, COLUMNS)).copy()
    light *= _person(rng, at_s)
    disturb = DISTURBANCES[shot.disturbance]
    light, disturbed_s = disturb(rng, light, row_s)
    spot = _spot(rng) if shot.small else rng.uniform(0.7, 1.3, (ROWS, COLUMNS))
    flash_s = np.sort(2.0 + np.cumsum(rng.uniform(1.5, (shot.seconds - 6) / shot.n_flashes, shot.n_flashes)))
    flash_s = flash_s[flash_s < shot.seconds - 2]
    for on in flash_s:
        stop = on + rng.uniform(0.06, 0.15)
        lit = np.minimum(row_s + exposure_s / 2, stop) - np.maximum(row_s - exposure_s / 2, on)
        light += shot.rise * (np.clip(lit, 0, None) / exposure_s)[:, :, None] * spot
    light += rng.normal(0, rng.uniform(0.2, 1.0), light.shape)
    tiles = np.clip(light, 0, 255).astype(np.float32)
    return Film(brightness=Brightness(pts_s=at_s, tiles=tiles), flash_s=flash_s, disturbed_s=disturbed_s)


def _person(rng: Generator, at_s: FloatArray) -> FloatArray:
    """Return the share of light that a person who sways leaves, shape (F, ROWS, COLUMNS)."""
    across = 0.5 + 0.15 * np.sin(2 * np.pi * at_s / rng.uniform(2.0, 7.0))
    up = 0.5 + 0.08 * np.sin(2 * np.pi * at_s / rng.uniform(1.0, 3.0))
    tall = np.exp(-0.5 * ((np.linspace(0, 1, ROWS)[None] - up[:, None]) / 0.25) ** 2)
    wide = np.exp(-0.5 * ((np.linspace(0, 1, COLUMNS)[None] - across[:, None]) / 0.12) ** 2)
    return np.asarray(1.0 + rng.choice([-0.5, 0.4]) * tall[:, :, None] * wide[:, None, :])


def _spot(rng: Generator) -> FloatArray:
    spot = np.zeros((ROWS, COLUMNS))
    top, left = int(rng.integers(0, ROWS - 2)), int(rng.integers(0, COLUMNS - 1))
    spot[top : top + int(rng.integers(1, 4)), left : left + int(rng.integers(1, 3))] = 1.0
    return spot


# -- disturbances: each returns the light it leaves and when something happened -------------------------------------

Disturbance = Callable[[Generator, FloatArray, FloatArray], tuple[FloatArray, FloatArray]]


def _nothing(_rng: Generator, light: FloatArray, _row_s: FloatArray) -> tuple[FloatArray, FloatArray]:
    return light, np.zeros(0)


def _times(rng: Generator, row_s: FloatArray, n: int) -> FloatArray:
    return np.sort(rng.uniform(1.0, row_s[-1, 0] - 1.0, n))


def _lamps(rng: Generator, light: FloatArray, row_s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Switch lamps on and off; each stays as it is for seconds."""
    at = _times(rng, row_s, 5)
    for on in at:
        gain = 1 + rng.choice([-0.35, 0.5]) * ndtr((row_s - on) / rng.uniform(0.01, 0.08))
        light = light * gain[:, :, None]
    return light, at


def _flicker(rng: Generator, light: FloatArray, row_s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Light the room from the mains: its flicker beats against the frames and runs over the rows."""
    mains_hz = float(rng.choice([100.0, 120.0])) + rng.normal(0, 0.05)
    depth = rng.uniform(0.03, 0.15)
    return light * (1 + depth * np.sin(2 * np.pi * mains_hz * row_s))[:, :, None], np.zeros(0)


def _cuts(rng: Generator, light: FloatArray, row_s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Cut to another picture and, seconds later, to the next."""
    at = _times(rng, row_s, 6)
    for on in at:
        other = np.exp(rng.normal(0, 0.4)) * np.exp(rng.normal(0, 0.3, light.shape[1:]))
        light = np.where((row_s[:, :1] >= on)[:, :, None], light * other, light)
    return light, at


def _fades(rng: Generator, light: FloatArray, row_s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Fade to black and back."""
    at = _times(rng, row_s, 4)
    for centre in at:
        width = rng.uniform(0.25, 0.6)
        light = light * (1 - 0.95 * np.exp(-0.5 * ((row_s - centre) / width) ** 4))[:, :, None]
    return light, at


def _shirt(rng: Generator, light: FloatArray, row_s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Walk past the camera in a white shirt, or wave a white sleeve: a bright patch for a third of a second or more."""
    at = _times(rng, row_s, 8)
    columns = np.linspace(0, 1, COLUMNS)
    for centre in at:
        where = -0.3 + 1.6 * (row_s[:, 0] - centre) / rng.uniform(0.8, 2.0) + 0.5
        patch = np.exp(-0.5 * ((columns[None] - where[:, None]) / 0.18) ** 4)
        light = light + rng.uniform(20, 80) * patch[:, None, :]
    return light, at


def _exposure(rng: Generator, light: FloatArray, row_s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Let the camera's own exposure hunt: gain that swings by a third within a second now and then."""
    at = _times(rng, row_s, 6)
    gain = np.ones(len(row_s))
    for centre in at:
        u = row_s[:, 0] - centre
        gain *= 1 + rng.choice([-0.3, 0.3]) * np.where(u > 0, np.exp(-u / 0.8) * np.sin(2 * np.pi * u / 1.6), 0.0)
    return light * gain[:, None, None], at


def _screen(rng: Generator, light: FloatArray, row_s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Run a television in the background: a patch that changes its brightness twice a second."""
    top, left = int(rng.integers(0, ROWS - 5)), int(rng.integers(0, COLUMNS - 3))
    scene = np.floor(row_s[:, 0] * rng.uniform(1.0, 2.5)).astype(np.int64)
    level = rng.uniform(0.4, 2.0, int(scene.max()) + 1)[scene]
    light = light.copy()
    light[:, top : top + 5, left : left + 3] *= level[:, None, None]
    return light, np.zeros(0)


DISTURBANCES: dict[str, Disturbance] = {
    "nothing": _nothing,
    "lamps": _lamps,
    "flicker": _flicker,
    "cuts": _cuts,
    "fades": _fades,
    "white shirt": _shirt,
    "exposure hunts": _exposure,
    "television": _screen,
}
