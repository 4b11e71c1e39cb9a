"""Simulated camera: frame times, their arrivals, and the brightness of the picture's tiles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.special import ndtr

from benchmarks.alignment.script import Script
from benchmarks.alignment.strata import Stratum
from dataset.support.arrays import FloatArray

BANDS, ACROSS = 16, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """A camera's constants in one session.

    Attributes
    ----------
    fps : float
    vfr : bool
    rate : float
        Session seconds per second of the file, minus one.
    start_s : float
        Session time of the file time ``pts0_s``.
    pts0_s : float
    readout_s : float
        Time from the first band's exposure to the last's; negative if the last is first; 0 for a global shutter.
    exposure_s : float
    gamma : float
        The tone curve is ``linear ** (1 / gamma)``.
    """

    fps: float
    vfr: bool
    rate: float
    start_s: float
    pts0_s: float
    readout_s: float
    exposure_s: float
    gamma: float


def draw_camera(stratum: Stratum, rng: Generator) -> Camera:
    """Draw a camera within the stratum's limits."""
    vfr = bool(rng.random() < stratum.vfr)
    fps = 30.0 if vfr else float(rng.choice([24.0, 25.0, 30.0, 30.0, 50.0, 60.0]))
    longest = 0.9 / fps
    shortest = 0.0055
    if stratum.rolling or rng.random() < 0.7:
        readout = rng.uniform(shortest, min(0.033, longest)) * rng.choice([-1.0, 1.0])
    else:
        readout = 0.0
    return Camera(
        fps=fps,
        vfr=vfr,
        rate=rng.uniform(-100e-6, 100e-6),
        start_s=rng.uniform(-0.5, 0.5),
        pts0_s=float(rng.choice([0.0, rng.uniform(0.0, 5.0), rng.uniform(5.0, 3600.0)])),
        readout_s=float(readout),
        exposure_s=float(np.exp(rng.uniform(np.log(0.001), np.log(min(0.03, longest))))),
        gamma=float(rng.uniform(1.0, 2.6)),
    )


def frame_times(camera: Camera, length_s: float, rng: Generator) -> tuple[FloatArray, FloatArray]:
    """Return each frame's written and true file time; dropped frames are in neither."""
    if camera.vfr:
        n = int(length_s * camera.fps * 1.1)
        step = (1 / camera.fps) * np.exp(rng.normal(0.0, rng.uniform(0.02, 0.15), n))
        slow = rng.random(n) < rng.uniform(0.0, 0.02)
        step[slow] = rng.uniform(0.05, 0.159, int(slow.sum()))
        true = camera.pts0_s + np.concatenate([[0.0], np.cumsum(np.clip(step, 0.020, 0.159))])
    else:
        true = camera.pts0_s + np.arange(int(length_s * camera.fps) + 1) / camera.fps
        keep = rng.random(len(true)) >= rng.choice([0.0, 0.002, 0.02])
        for at in rng.integers(1, len(true), rng.poisson(length_s / 300)):
            keep[at : at + int(rng.integers(2, 8))] = False
        keep[0] = True
        true = true[keep]
    true = true[true <= camera.pts0_s + length_s]
    written = true.copy()
    if rng.random() < 0.2:
        written += np.clip(rng.normal(0.0, rng.uniform(0.0005, 0.003), len(true)), -0.006, 0.006)
    base = float(rng.choice([1e-3, 1 / 90000, 1e-6]))
    written = np.round(written / base) * base
    return np.maximum.accumulate(written), true


def session_time(camera: Camera, true_pts_s: FloatArray) -> FloatArray:
    """Return the session time of file times."""
    return camera.start_s + (1 + camera.rate) * (true_pts_s - camera.pts0_s)


def arrivals(camera: Camera, at_s: FloatArray, rng: Generator) -> FloatArray:
    """Return the frames' arrivals at the host: with jitter, some late, in order, never before the exposure's end."""
    done = at_s + camera.exposure_s / 2 + abs(camera.readout_s) / 2
    latency = rng.uniform(0.5, 4.5) / camera.fps + rng.uniform(0.005, 0.04)
    late = rng.gamma(1.5, rng.uniform(0.001, 0.008), len(at_s))
    stalls = rng.random(len(at_s)) < 0.002
    late[stalls] += rng.uniform(0.03, 0.3, int(stalls.sum()))
    return np.maximum.accumulate(done + latency + late)


def lit_share(camera: Camera, at_s: FloatArray, on_s: float, off_s: float) -> FloatArray:
    """Return the share of each band's exposure during which a light was on, shape (len(at_s), BANDS).

    A band averages the rows that it holds; each row is exposed for the same time, one after the other.
    """
    rows = (np.arange(4 * BANDS) + 0.5) / (4 * BANDS) - 0.5
    start = at_s[:, None] + camera.readout_s * rows[None, :] - camera.exposure_s / 2
    overlap = np.minimum(start + camera.exposure_s, off_s) - np.maximum(start, on_s)
    share = np.clip(overlap, 0.0, None) / camera.exposure_s
    return share.reshape(len(at_s), BANDS, 4).mean(axis=2)


def film(camera: Camera, script: Script, at_s: FloatArray, rng: Generator) -> tuple[NDArray[np.float32], float]:
    """Return the mean luma (0-255) of each tile of each frame, shape (F, BANDS, ACROSS), and the share of bands lit."""
    light = _scene(script, at_s, rng)
    small = rng.random() < (0.4 if script.source == "led box" else 0.1)
    mask = _corner(rng) if small else rng.uniform(0.5, 1.0) * np.exp(rng.normal(0, 0.25, (BANDS, ACROSS)))
    strength = rng.uniform(0.15, 0.7) if small else rng.uniform(0.05, 0.4)
    for _ in range(20):
        if _is_plain(light[0], strength * mask, camera):
            break
        # A box in front of an overexposed window is unrealistic: it would be moved, or the room made darker.
        light *= np.float32(0.8)
        mask = _corner(rng) if small else mask
    for on, length in zip(script.light_s[script.visible], script.light_length_s[script.visible], strict=True):
        _shine(light, camera, at_s, on, on + length, strength * mask)
    for on, length in zip(script.stray_s, script.stray_length_s, strict=True):
        where = _corner(rng) if rng.random() < 0.5 else rng.uniform(0.5, 1.0, (BANDS, ACROSS))
        _shine(light, camera, at_s, on, on + length, strength * rng.uniform(0.4, 1.2) * where)
    luma = np.clip(light, 0.0, 1.0, out=light)
    np.power(luma, np.float32(1 / camera.gamma), out=luma)
    luma *= np.float32(255.0)
    luma += rng.standard_normal(luma.shape, dtype=np.float32) * np.float32(rng.uniform(0.15, 1.0))
    return np.clip(luma, 0.0, 255.0, out=luma), float(np.mean(mask.max(axis=1) > 0))


def _scene(script: Script, at_s: FloatArray, rng: Generator) -> NDArray[np.float32]:
    """Return the linear light without flashes: a still room, exposure drift, lamps, a person who moves."""
    room = np.float32(rng.uniform(0.03, 0.3)) * np.exp(rng.normal(0, 0.5, (BANDS, ACROSS))).astype(np.float32)
    u = at_s - at_s[0]
    drift = sum(
        rng.uniform(0.0, 0.08) * np.sin(2 * np.pi * (u / rng.uniform(8.0, 120.0) + rng.random())) for _ in range(3)
    )
    gain = np.exp(drift)
    for _ in range(int(rng.poisson(0.6))):
        # A lamp that is switched once.
        level = np.log(rng.uniform(0.6, 1.6))
        gain *= np.exp(level * ndtr((at_s - rng.uniform(0.0, script.length_s)) / rng.uniform(0.01, 0.1)))
    y = np.linspace(0, 1, BANDS)[None, :]
    x = np.linspace(0, 1, ACROSS)[None, :]
    sway = np.sin(2 * np.pi * u / rng.uniform(1.2, 4.0) + 6 * np.sin(u / 11.0))
    cy = (0.5 + rng.uniform(0.02, 0.12) * sway)[:, None]
    cx = (0.5 + rng.uniform(0.05, 0.2) * np.sin(2 * np.pi * u / rng.uniform(3.0, 15.0)))[:, None]
    tall = np.exp(-0.5 * ((y - cy) / 0.25) ** 2).astype(np.float32)
    wide = np.exp(-0.5 * ((x - cx) / 0.12) ** 2).astype(np.float32)
    person = tall[:, :, None] * wide[:, None, :]
    person *= np.float32(rng.choice([-0.6, -0.3, 0.3, 0.6]))
    person += np.float32(1.0)
    person *= room[None]
    person *= gain.astype(np.float32)[:, None, None]
    return person


def _corner(rng: Generator) -> FloatArray:
    """Return a spot of a few tiles, lit by a box at the picture's edge."""
    mask = np.zeros((BANDS, ACROSS))
    tall, wide = int(rng.integers(1, 5)), int(rng.integers(1, 3))
    top, left = int(rng.integers(0, BANDS - tall + 1)), int(rng.integers(0, ACROSS - wide + 1))
    mask[top : top + tall, left : left + wide] = rng.uniform(0.3, 1.0, (tall, wide))
    return mask


def _is_plain(room: NDArray[np.float32], flash: FloatArray, camera: Camera) -> bool:
    """Return whether a person setting up the camera would see the flash in its picture."""
    before = np.clip(room, 0.0, 1.0) ** (1 / camera.gamma)
    after = np.clip(room + flash, 0.0, 1.0) ** (1 / camera.gamma)
    return bool(np.max(255.0 * (after - before)[flash > 0]) > 20.0)


def _shine(
    light: NDArray[np.float32], camera: Camera, at_s: FloatArray, on_s: float, off_s: float, amount: FloatArray
) -> None:
    reach = (camera.exposure_s + abs(camera.readout_s)) / 2
    first, stop = np.searchsorted(at_s, [on_s - reach, off_s + reach])
    share = lit_share(camera, at_s[first:stop], on_s, off_s)
    light[first:stop] += (share[:, :, None] * amount[None]).astype(np.float32)
