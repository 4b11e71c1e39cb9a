"""Flashes in a video: short rises of brightness, and how far each sensor row was lit when one began.

A rolling shutter reads the rows one after another and each row is exposed for a while, so the frame in which a flash
begins is lit only in part. Which part gives the onset to a fraction of a frame;
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

#: Brightness is kept in this many bands along the sensor's readout, and this many tiles across.
N_BANDS = 16
N_TILES = 8
#: Frames in a block, while a film is read and while it is worked on.
_BLOCK = 600

#: Presentation times in nanoseconds, and tiles, of successive frames.
_Block = tuple[IntArray, NDArray[np.float32]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashSettings:
    """Tuned numbers of the flash detector, chosen by hand; ``python -m benchmarks.detectors`` scores them.

    Attributes
    ----------
    background_s : float
        Length of the running median: longer than twice a flash, shorter than the time between two.
    longest_flash_s : float
        A longer rise is something else, such as a lamp switched on.
    threshold_sd : float
        Height over the noise of the brightness that a flash needs.
    least_noise_luma, least_band_noise_luma : float
        Added to the measured noise of the picture and of one band: a still picture's noise is 0.
    onset_s : float
        A light is fully on within this time; a screen's takes longest.
    foot_share : float
        What lies below this share of a flash's height is its foot, or a slower change below it.
    sudden_share : float
        Share of its height by which the level itself rises at once, and falls back afterwards.
    alike_share : float
        The flashes of one source are alike: those below this share of the median are something else (a white shirt).
    shows_sd : float
        Height over a band's noise from which the flash is visible in that band.
    fully_lit_share : float
        Share of its height from which a band counts as lit throughout.
    """

    background_s: float = 0.9
    longest_flash_s: float = 0.4
    threshold_sd: float = 6.0
    least_noise_luma: float = 0.05
    least_band_noise_luma: float = 0.3
    onset_s: float = 0.05
    foot_share: float = 0.3
    sudden_share: float = 0.5
    alike_share: float = 0.35
    shows_sd: float = 6.0
    fully_lit_share: float = 0.9


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
        First frame that is lit, at least in part.
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


def detect_flashes(
    brightness: Brightness, region: NDArray[np.bool_] | None = None, *, settings: FlashSettings = FlashSettings()
) -> tuple[Flash, ...]:
    """Return the flashes: short rises above a running median that stand out of the picture's own noise.

    Parameters
    ----------
    brightness : Brightness
    region : ndarray of bool, shape (N_BANDS, N_TILES), optional
        Tiles to use; all where it is None.
    settings : FlashSettings, optional

    Notes
    -----
    The running median follows a slow change of exposure. A lamp switched on is a step that stays, so no flash.
    """
    mask = np.ones((N_BANDS, N_TILES), dtype=bool) if region is None else region
    level = _mean_level(brightness.tiles, mask)
    if len(level) < 10:
        return ()
    frame_s = brightness.frame_s
    above = level - _background(level, settings.background_s / frame_s)
    noise = mad_sd(above) + settings.least_noise_luma
    peaks = _pulses(above, noise, frame_s, settings)
    peaks = [(a, b) for a, b in peaks if _is_sudden(level, above, (a, b), frame_s, settings)]
    if not peaks:
        return ()
    heights = np.array([above[a:b].max() for a, b in peaks])
    strong = heights > settings.alike_share * np.median(heights[heights >= 0.5 * heights.max()])
    lit_by = _LitFractions(brightness, mask, settings)
    return tuple(
        _describe(lit_by, above, noise, a, float(h))
        for (a, _), h, good in zip(peaks, heights, strong, strict=True)
        if good
    )


def _mean_level(tiles: NDArray[np.float32], mask: NDArray[np.bool_]) -> FloatArray:
    """Return the mean of the mask's tiles in every frame, block by block: a film's worth of copies takes memory."""
    parts = [tiles[rows][:, mask].mean(axis=1, dtype=np.float64) for rows in blocks(tiles, size=_BLOCK)]
    return np.concatenate(parts) if parts else np.zeros(0)


def _background(level: FloatArray, n_frames: float) -> FloatArray:
    return np.asarray(median_filter(level, size=_odd(n_frames), mode="nearest"), dtype=np.float64)


def _odd(n: float) -> int:
    return 2 * round(n / 2) + 1


def _pulses(above: FloatArray, noise: float, frame_s: float, settings: FlashSettings) -> list[tuple[int, int]]:
    """Return ``(first, stop)`` of the peaks above the threshold that are short enough."""
    longest = max(2, round(settings.longest_flash_s / frame_s))
    runs = true_runs(above > settings.threshold_sd * noise)
    cores = (_core(above, int(a), int(b), settings.foot_share) for a, b in runs)
    return [(a, b) for a, b in cores if b - a <= longest and a >= 2]


def _core(above: FloatArray, first: int, stop: int, foot_share: float) -> tuple[int, int]:
    """Return the part of a run about its peak: a flash may come during a slow change that began before it."""
    peak = first + int(np.argmax(above[first:stop]))
    low = np.flatnonzero(above[first:stop] < foot_share * above[peak]) + first
    before, after = low[low < peak], low[low > peak]
    return int(before[-1]) + 1 if len(before) else first, int(after[0]) if len(after) else stop


def _is_sudden(
    level: FloatArray, above: FloatArray, run: tuple[int, int], frame_s: float, settings: FlashSettings
) -> bool:
    """Return whether the level itself rises at once and falls back: near a lamp's step the background is wrong."""
    (first, stop), share = run, settings.sudden_share
    before = float(np.median(level[max(0, first - 6) : max(1, first - 1)]))
    after = float(np.median(level[stop + 1 : stop + 6])) if stop + 1 < len(level) else before
    rise = float(level[first:stop].max()) - before
    at_once = float(level[first : first + max(3, round(settings.onset_s / frame_s))].max() - level[first - 2])
    return rise > share * float(above[first:stop].max()) and at_once > share * rise and after - before < share * rise


@dataclass(frozen=True, slots=True)
class _LitFractions:
    """How far each band of some tiles of a film is lit about an onset."""

    brightness: Brightness
    mask: NDArray[np.bool_]
    settings: FlashSettings

    def about(self, first: int, rows: slice) -> tuple[FloatArray, float]:
        """Return the fraction lit of each frame and band, and its noise; ``first`` is the first lit frame."""
        before = slice(max(0, first - 7), max(1, first - 1))
        weights = self.mask.astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            earlier, about = (
                (self.brightness.tiles[piece] * weights).sum(axis=2) / weights.sum(axis=1) for piece in (before, rows)
            )
            dark = np.median(earlier, axis=0)
            jitter = mad_sds(earlier, dark) + self.settings.least_band_noise_luma
            rise = about - dark
            full = rise.max(axis=0)
            shows = full > self.settings.shows_sd * jitter
            lit = np.where(shows, rise / full, np.nan)
            # Frames after a band's first fully lit one show the end of the flash and say nothing of its onset.
            reached = np.argmax(lit >= self.settings.fully_lit_share, axis=0)
            lit[np.arange(len(lit))[:, None] > reached[None, :]] = np.nan
        return lit, float(np.median(jitter[shows] / full[shows])) if shows.any() else 1.0


def _describe(lit_by: _LitFractions, above: FloatArray, noise: float, first: int, height: float) -> Flash:
    # A first frame that is hardly lit may lie below the threshold: lit fractions start one frame earlier.
    start, stop = max(0, first - 2), min(len(above), first + 4)
    lit, lit_noise = lit_by.about(first, slice(start, stop))
    # Whole frames: the first one lit to half of the full height.
    crossing = first + int(np.argmax(above[first:stop] > 0.5 * height))
    pts_s = lit_by.brightness.pts_s
    before_s = float(pts_s[crossing - 1])
    return Flash(
        time_s=0.5 * (before_s + float(pts_s[crossing])),
        uncertainty_s=0.5 * (float(pts_s[crossing]) - before_s),
        frame=first,
        contrast=height / noise,
        frame_time_s=pts_s[np.arange(start, stop)],
        lit=np.clip(lit, -0.2, 1.2),
        noise=lit_noise,
    )
