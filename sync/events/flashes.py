"""Flashes in a video: short rises of brightness, and how far each sensor row was lit when one began.

A camera reads its rows one after another and each row collects light for a while, so the frame in which a flash
begins is lit only in part. Which part tells the onset to a fraction of a frame;
:mod:`sync.fit.rolling_shutter` uses it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from dataset.media.decoded_frame import DecodedFrame
from dataset.media.video_pass import StretchConsumer, decode_spans
from dataset.support.arrays import FloatArray, IntArray, true_runs
from dataset.support.disk_arrays import append, blocks, closing_quietly, mapped, temporary_file
from sync.robust import mad_sd, mad_sds

#: Brightness is kept as so many bands along the readout, and as many tiles across.
N_BANDS = 16
N_TILES = 8
#: Frames kept in one piece while a film is read, and worked on at once.
_BLOCK = 600
#: Longer than any flash, and shorter than the time between two.
_BACKGROUND_S = 0.9
LONGEST_FLASH_S = 0.4
_THRESHOLD_SD = 6.0
#: A light is on within this; a screen's takes longest.
_ONSET_S = 0.05
#: What lies below this part of a flash's height is its foot, or something slower that it stands on.
_FOOT = 0.3
#: Share of its height from which a band counts as lit throughout.
_FULLY_LIT = 0.9

#: Presentation times in nanoseconds, and tiles, of successive frames.
_Block = tuple[IntArray, NDArray[np.float32]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Brightness:
    """Brightness of every frame.

    Attributes
    ----------
    pts_s : ndarray, shape (F,)
        Presentation time of each frame, the centre of its exposure.
    tiles : ndarray of float32, shape (F, N_BANDS, N_TILES)
        Mean luma (0-255) of the picture as stored: the first axis runs along the sensor's readout, also in a turned
        video. Of a film it is in a temporary file (:mod:`dataset.support.disk_arrays`).
    """

    pts_s: FloatArray
    tiles: NDArray[np.float32]

    @property
    def level(self) -> FloatArray:
        """Mean luma of each frame, shape (F,)."""
        return _mean_level(self.tiles, np.ones((N_BANDS, N_TILES), dtype=bool))

    @property
    def frame_s(self) -> float:
        """Median spacing of frames in seconds."""
        return float(np.median(np.diff(self.pts_s))) if len(self.pts_s) > 1 else 1.0 / 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Flash:
    """One flash as the camera saw it.

    Attributes
    ----------
    time_s, uncertainty_s : float
        Onset on the video's clock from whole frames, and half its width.
    frame : int
        First frame that is lit at least in part.
    contrast : float
        Height over the noise of the brightness.
    frame_time_s : ndarray, shape (K,)
        Times of the frames about the onset.
    lit : ndarray, shape (K, N_BANDS)
        How far each band was lit, 0 to 1; NaN where the flash does not show.
    noise : float
        Standard deviation of ``lit`` from the picture's own noise.
    """

    time_s: float
    uncertainty_s: float
    frame: int
    contrast: float
    frame_time_s: FloatArray
    lit: FloatArray
    noise: float


class BrightnessCollector:
    """Brightness of a few tiles of every frame, as a consumer of a video pass; a context manager.

    The tiles are written to a temporary file as stretches are handed over: an hour of them is 55 MB.
    """

    longest_stretch_s: float | None = None

    def __init__(self) -> None:
        self._open = ExitStack()
        self._file = self._open.enter_context(closing_quietly(temporary_file()))
        self._pts_ns: list[IntArray] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def stretch(self) -> StretchConsumer:
        """Return what takes a stretch's frames."""
        return _BrightnessStretch(self.add)

    def add(self, pts_ns: IntArray, tiles: NDArray[np.float32]) -> None:
        """Add the next frames, in the film's order.

        Raises
        ------
        DiskFullError
            There is no room for them.
        """
        self._pts_ns.append(pts_ns)
        append(self._file, tiles)

    def restart(self) -> None:
        """Forget all frames."""
        self._pts_ns.clear()
        self._file.seek(0)
        self._file.truncate()

    def brightness(self) -> Brightness:
        """Return the brightness of the frames handed over."""
        pts_s = np.concatenate(self._pts_ns).astype(np.float64) * 1e-9
        return Brightness(pts_s=pts_s, tiles=mapped(self._file, np.float32, (len(pts_s), N_BANDS, N_TILES)))


class _BrightnessStretch:
    """Keeps one stretch's brightness in blocks: small arrays kept among pictures would hold the pictures' memory."""

    def __init__(self, add: Callable[[IntArray, NDArray[np.float32]], None]) -> None:
        self._add = add
        self._full: list[_Block] = []
        self._begin_block()

    def _begin_block(self) -> None:
        self._pts_ns, self._n = np.empty(_BLOCK, dtype=np.int64), 0
        self._tiles = np.empty((_BLOCK, N_BANDS, N_TILES), dtype=np.float32)

    def wants(self, pts_ns: int) -> bool:
        return True

    def take(self, frame: DecodedFrame) -> None:
        self._pts_ns[self._n], self._tiles[self._n] = frame.pts_ns, frame.luma(N_BANDS, N_TILES)
        self._n += 1
        if self._n == _BLOCK:
            self._full.append((self._pts_ns, self._tiles))
            self._begin_block()

    def hand_over(self) -> None:
        for pts_ns, tiles in (*self._full, (self._pts_ns[: self._n], self._tiles[: self._n])):
            self._add(pts_ns, tiles)
        self._full.clear()
        self._begin_block()


def read_brightness_about(video: Path, spans_s: Sequence[tuple[float, float]], *, workers: int) -> Brightness:
    """Return the brightness of the frames within some spans of presentation time, one after another.

    Raises
    ------
    VideoError
        It cannot be decoded.
    CannotEnterError
        The file cannot be entered there.
    """
    spans_ns = [(int(start * 1e9), int(stop * 1e9)) for start, stop in spans_s]
    with BrightnessCollector() as collector:
        decode_spans(video, [collector], spans_ns, workers=workers)
        return collector.brightness()


def detect_flashes(brightness: Brightness, region: NDArray[np.bool_] | None = None) -> tuple[Flash, ...]:
    """Return the flashes: rises that stand out from the picture's own changes and end again soon.

    Parameters
    ----------
    brightness : Brightness
    region : ndarray of bool, shape (N_BANDS, N_TILES), optional
        Tiles to look at; all where it is None.

    Notes
    -----
    A running median is the background, so that a slow change of exposure is followed and a lamp switched on,
    a step that stays, is no flash.
    """
    mask = np.ones((N_BANDS, N_TILES), dtype=bool) if region is None else region
    level = _mean_level(brightness.tiles, mask)
    if len(level) < 10:
        return ()
    above = level - _background(level, brightness.frame_s)
    noise = _robust_sd(above)
    peaks = _pulses(above, _THRESHOLD_SD * noise, max(2, round(LONGEST_FLASH_S / brightness.frame_s)))
    peaks = [(a, b) for a, b in peaks if _is_sudden(level, above, a, b, brightness.frame_s)]
    if not peaks:
        return ()
    heights = np.array([above[a:b].max() for a, b in peaks])
    # The flashes of one source are alike; far weaker rises are somebody in a white shirt.
    strong = heights > 0.35 * np.median(heights[heights >= 0.5 * heights.max()])
    return tuple(
        _describe(brightness, mask, above, noise, a, float(h))
        for (a, _), h, good in zip(peaks, heights, strong, strict=True)
        if good
    )


def _mean_level(tiles: NDArray[np.float32], mask: NDArray[np.bool_]) -> FloatArray:
    """Return the mean of the mask's tiles in every frame, block by block: a film's worth of copies takes memory."""
    parts = [tiles[rows][:, mask].mean(axis=1, dtype=np.float64) for rows in blocks(tiles, size=_BLOCK)]
    return np.concatenate(parts) if parts else np.zeros(0)


def _background(level: FloatArray, frame_s: float) -> FloatArray:
    return np.asarray(median_filter(level, size=_odd(_BACKGROUND_S / frame_s), mode="nearest"), dtype=np.float64)


def _odd(n: float) -> int:
    return 2 * round(n / 2) + 1


def _robust_sd(values: FloatArray) -> float:
    return mad_sd(values) + 0.05


def _pulses(above: FloatArray, threshold: float, longest: int) -> list[tuple[int, int]]:
    """Return ``(first, stop)`` of the peaks above the threshold that are short enough."""
    cores = (_core(above, int(a), int(b)) for a, b in true_runs(above > threshold))
    return [(a, b) for a, b in cores if b - a <= longest and a >= 2]


def _core(above: FloatArray, first: int, stop: int) -> tuple[int, int]:
    """Return the part of a stretch about its peak: a flash may ride on a slow change that began before it."""
    peak = first + int(np.argmax(above[first:stop]))
    low = np.flatnonzero(above[first:stop] < _FOOT * above[peak]) + first
    before, after = low[low < peak], low[low > peak]
    return int(before[-1]) + 1 if len(before) else first, int(after[0]) if len(after) else stop


def _is_sudden(level: FloatArray, above: FloatArray, first: int, stop: int, frame_s: float) -> bool:
    """Return whether the level itself rises at once and falls back: beside a lamp's step the background is wrong."""
    before = float(np.median(level[max(0, first - 6) : max(1, first - 1)]))
    after = float(np.median(level[stop + 1 : stop + 6])) if stop + 1 < len(level) else before
    rise = float(level[first:stop].max()) - before
    at_once = float(level[first : first + max(3, round(_ONSET_S / frame_s))].max() - level[first - 2])
    return rise > 0.5 * float(above[first:stop].max()) and at_once > 0.5 * rise and after - before < 0.5 * rise


def _describe(
    brightness: Brightness, mask: NDArray[np.bool_], above: FloatArray, noise: float, first: int, height: float
) -> Flash:
    # A first frame lit by a hair may lie below the threshold: lit fractions look one frame further back.
    start, stop = max(0, first - 2), min(len(above), first + 4)
    rows = np.arange(start, stop)
    before = slice(max(0, first - 7), max(1, first - 1))
    weights = mask.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        earlier, about = (
            (brightness.tiles[piece] * weights).sum(axis=2) / weights.sum(axis=1)
            for piece in (before, slice(start, stop))
        )
        dark = np.median(earlier, axis=0)
        jitter = mad_sds(earlier, dark) + 0.3
        rise = about - dark
        full = rise.max(axis=0)
        shows = full > 6 * jitter
        lit = np.where(shows, rise / full, np.nan)
        # What follows a band's first fully lit frame is the flash's end, which tells nothing of its beginning.
        reached = np.argmax(lit >= _FULLY_LIT, axis=0)
        lit[np.arange(len(lit))[:, None] > reached[None, :]] = np.nan
    # Whole frames: lit half of the full height counts as the first lit one.
    crossing = first + int(np.argmax(above[first:stop] > 0.5 * height))
    before_s = float(brightness.pts_s[crossing - 1])
    return Flash(
        time_s=0.5 * (before_s + float(brightness.pts_s[crossing])),
        uncertainty_s=0.5 * (float(brightness.pts_s[crossing]) - before_s),
        frame=first,
        contrast=height / noise,
        frame_time_s=brightness.pts_s[rows],
        lit=np.clip(lit, -0.2, 1.2),
        noise=float(np.median(jitter[shows] / full[shows])) if shows.any() else 1.0,
    )
