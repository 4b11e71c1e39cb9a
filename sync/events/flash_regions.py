"""Where a flash may be seen: in the whole picture, in the part that shows short rises, or in one spot of it.

A lamp, a cut, mains flicker and a camera's own exposure change whole rows alike, so a spot is also looked at against
the rest of its rows, where all of those are gone. What is left - a screen in the background, a white sleeve - lies
elsewhere than the light, so several places are offered and the log of flashes decides.
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
from sync.events.flashes import LONGEST_FLASH_S, N_BANDS, N_TILES, Brightness
from sync.robust import mad_sd

#: A place is offered where short rises stand so far out of the noise; it holds what stands out half as far as its best.
_STANDS_OUT_SD = 6.0
_SHARE = 0.5
#: Rises of fewer frames than this are one or two odd events: a flash that counts comes three times at least.
_RISES = 5
#: Places and single tiles offered of one film.
_PLACES, _SINGLES = 3, 6
_FEWEST_FRAMES = 30
#: Below this luma a ratio is all noise.
_DARK = 4.0
_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class Look:
    """A film, or the film against its rows, and the tiles to look at; all where ``mask`` is None."""

    brightness: Brightness
    mask: NDArray[np.bool_] | None


def candidate_regions(brightness: Brightness) -> Iterator[Look]:
    """Yield where to look for flashes, the likeliest first; later ones cost more and are made only when asked for."""
    yield Look(brightness, None)
    for film in (brightness, None):
        # Made here and not before: most recordings show their flashes in the first look.
        film = film or against_rows(brightness)
        for mask in find_regions(film):
            yield Look(film, mask)


def find_regions(brightness: Brightness) -> tuple[NDArray[np.bool_], ...]:
    """Return the parts of the picture in which short, abrupt rises stand out, best first, then single tiles.

    Parameters
    ----------
    brightness : Brightness

    Returns
    -------
    tuple of ndarray of bool, shape (N_BANDS, N_TILES)
        Empty where nothing stands out.
    """
    if len(brightness.tiles) < _FEWEST_FRAMES:
        return ()
    score = _abruptness(brightness)
    masks: list[NDArray[np.bool_]] = []
    left = score.copy()
    for _ in range(_PLACES):
        best = float(left.max())
        if best <= _STANDS_OUT_SD:
            break
        labels, _ = ndimage.label(left > _SHARE * best, structure=np.ones((3, 3)))
        mask = np.asarray(labels == labels[np.unravel_index(int(left.argmax()), left.shape)])
        masks.append(mask)
        left = np.where(mask, 0.0, left)
    for place in np.argsort(-score, axis=None)[:_SINGLES]:
        if score.flat[place] > _STANDS_OUT_SD:
            single = np.zeros(score.shape, dtype=bool)
            single.flat[place] = True
            masks.append(single)
    return tuple({mask.tobytes(): mask for mask in masks}.values())


def against_rows(brightness: Brightness) -> Brightness:
    """Return the film with each tile divided by its row's median, at the film's usual level."""
    every = max(1, len(brightness.tiles) // _BLOCK)
    usual = np.median(np.median(brightness.tiles[::every], axis=2), axis=0)[:, None]

    def divided() -> Iterator[tuple[NDArray[Any]]]:
        for rows in blocks(brightness.tiles, size=_BLOCK):
            row = np.median(brightness.tiles[rows], axis=2, keepdims=True)
            yield (brightness.tiles[rows] * (usual / np.maximum(row, _DARK)),)

    (tiles,) = concatenate(divided(), (brightness.tiles.dtype.type,))
    return Brightness(pts_s=brightness.pts_s, tiles=tiles)


def _abruptness(brightness: Brightness) -> FloatArray:
    """Return, for each tile, how far its rises that come within two frames and end soon stand out of its noise."""
    longest = max(2, round(LONGEST_FLASH_S / brightness.frame_s))
    score = np.empty((N_BANDS, N_TILES))
    for (band, tile), level in _levels(brightness):
        two_ago = np.concatenate([level[:2], level[:-2]])
        # The lowest level of the time in which a flash is over; a window that looks ahead only.
        soon = ndimage.minimum_filter1d(level, longest, origin=-(longest // 2), mode="nearest")
        rise = level - np.maximum(two_ago, soon)
        change = level - two_ago
        noise = mad_sd(change) / np.sqrt(2.0) + 0.2
        score[band, tile] = np.partition(rise, -_RISES)[-_RISES] / noise
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
