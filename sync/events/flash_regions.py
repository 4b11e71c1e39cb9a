"""Where a flash may be visible: in the whole picture, in the part that shows short rises, or in one spot of it.

A lamp, a cut, mains flicker and automatic exposure change whole rows alike, so a spot is also compared with the rest of
its rows, which removes all of those. What remains - a screen in the background, a white sleeve - lies elsewhere than
the light, so several regions are offered and the log of flashes decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from dataset.support.arrays import FloatArray
from dataset.support.disk_arrays import blocks, concatenate
from sync.events.flashes import N_BANDS, N_TILES, Brightness, FlashSettings
from sync.robust import mad_sd

#: Frames in a block.
_BLOCK = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionSettings:
    """Tuned numbers of the search for regions, chosen by hand; ``python -m benchmarks.detectors`` scores them.

    Attributes
    ----------
    longest_flash_s : float
        A rise is over by then.
    stands_out_sd : float
        A region is offered where short rises exceed the tile's noise by this factor.
    share_of_best : float
        A region holds the neighbouring tiles whose score is at least this share of its best tile's.
    n_rises : int
        The score is the height of this rise from the top: fewer are odd events, flashes that count come at least
        three times.
    least_noise_luma : float
        Added to the measured noise: a still tile's is 0.
    most_regions, most_tiles : int
        Regions and single tiles offered of one film: each costs a detection.
    fewest_frames : int
        In fewer frames nothing is searched for.
    darkest_luma : float
        A row darker than this counts as this bright: below it a ratio is all noise.
    """

    longest_flash_s: float = FlashSettings().longest_flash_s
    stands_out_sd: float = 6.0
    share_of_best: float = 0.5
    n_rises: int = 5
    least_noise_luma: float = 0.2
    most_regions: int = 3
    most_tiles: int = 6
    fewest_frames: int = 30
    darkest_luma: float = 4.0


@dataclass(frozen=True, slots=True)
class Look:
    """A film, or the film divided by its rows, and the tiles to use; all where ``mask`` is None."""

    brightness: Brightness
    mask: NDArray[np.bool_] | None


def candidate_regions(brightness: Brightness, *, settings: RegionSettings = RegionSettings()) -> Iterator[Look]:
    """Yield where to look for flashes, the likeliest first; later ones cost more and are made only when asked for."""
    yield Look(brightness, None)
    for film in (brightness, None):
        # Computed only now: most recordings show their flashes in the first look.
        film = film or against_rows(brightness, settings=settings)
        for mask in find_regions(film, settings=settings):
            yield Look(film, mask)


def find_regions(
    brightness: Brightness, *, settings: RegionSettings = RegionSettings()
) -> tuple[NDArray[np.bool_], ...]:
    """Return the parts of the picture in which short, abrupt rises stand out, best first, then single tiles.

    Parameters
    ----------
    brightness : Brightness
    settings : RegionSettings, optional

    Returns
    -------
    tuple of ndarray of bool, shape (N_BANDS, N_TILES)
        Empty where nothing stands out.
    """
    if len(brightness.tiles) < settings.fewest_frames:
        return ()
    score = _abruptness(brightness, settings)
    masks: list[NDArray[np.bool_]] = []
    left = score.copy()
    for _ in range(settings.most_regions):
        best = float(left.max())
        if best <= settings.stands_out_sd:
            break
        labels, _ = ndimage.label(left > settings.share_of_best * best, structure=np.ones((3, 3)))
        mask = np.asarray(labels == labels[np.unravel_index(int(left.argmax()), left.shape)])
        masks.append(mask)
        left = np.where(mask, 0.0, left)
    for place in np.argsort(-score, axis=None)[: settings.most_tiles]:
        if score.flat[place] > settings.stands_out_sd:
            single = np.zeros(score.shape, dtype=bool)
            single.flat[place] = True
            masks.append(single)
    return tuple({mask.tobytes(): mask for mask in masks}.values())


def against_rows(brightness: Brightness, *, settings: RegionSettings = RegionSettings()) -> Brightness:
    """Return the film with each tile divided by its row's median, at the film's usual level."""
    every = max(1, len(brightness.tiles) // _BLOCK)
    usual = np.median(np.median(brightness.tiles[::every], axis=2), axis=0)[:, None]

    def divided() -> Iterator[tuple[NDArray[Any]]]:
        for rows in blocks(brightness.tiles, size=_BLOCK):
            row = np.median(brightness.tiles[rows], axis=2, keepdims=True)
            yield (brightness.tiles[rows] * (usual / np.maximum(row, settings.darkest_luma)),)

    (tiles,) = concatenate(divided(), (brightness.tiles.dtype.type,))
    return Brightness(pts_s=brightness.pts_s, tiles=tiles)


def _abruptness(brightness: Brightness, settings: RegionSettings) -> FloatArray:
    """Return, for each tile, how far its rises that come within two frames and end soon stand out of its noise."""
    longest = max(2, round(settings.longest_flash_s / brightness.frame_s))
    score, nth = np.empty((N_BANDS, N_TILES)), settings.n_rises
    for (band, tile), level in _levels(brightness):
        two_ago = np.concatenate([level[:2], level[:-2]])
        # The lowest level of the time in which a flash is over; a window that looks ahead only.
        soon = ndimage.minimum_filter1d(level, longest, origin=-(longest // 2), mode="nearest")
        rise = level - np.maximum(two_ago, soon)
        change = level - two_ago
        noise = mad_sd(change) / np.sqrt(2.0) + settings.least_noise_luma
        score[band, tile] = np.partition(rise, -nth)[-nth] / noise
    return score


def _levels(brightness: Brightness) -> Iterator[tuple[tuple[int, int], NDArray[np.float32]]]:
    """Yield each tile's place and its brightness in every frame; a band at a time is in memory."""
    tiles = brightness.tiles
    for band in range(N_BANDS):
        levels = np.empty((N_TILES, len(tiles)), dtype=tiles.dtype)
        for rows in blocks(tiles, size=_BLOCK):
            levels[:, rows] = tiles[rows, band].T
        for tile in range(N_TILES):
            yield (band, tile), levels[tile]
