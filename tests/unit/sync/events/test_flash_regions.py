"""A small light is found by itself beside all that changes a picture, and nothing is found in its place."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.detectors.lightscape import DISTURBANCES, Film, Shot, film
from sync.events.flash_regions import against_rows, candidate_regions, find_regions
from sync.events.flashes import N_BANDS, N_TILES, Brightness, detect_flashes
from sync.fit.flash_fit import fit_flashes, host_flashes


def paired(made: Film) -> tuple[int, int]:
    """How many of the log's flashes are paired with themselves, and how many with something else."""
    n = len(made.flash_s)
    fit = fit_flashes(made.brightness, host_flashes(made.flash_s, np.full(n, 0.002), ["ledbox"] * n))
    if fit.line is None:
        return 0, 0
    at_s = np.array([fit.detected[j].time_s for j in fit.pairing.pairs[:, 1]])
    good = np.abs(at_s - made.flash_s[fit.pairing.pairs[:, 0]]) < 0.06
    return int(good.sum()), int((~good).sum())


@pytest.mark.parametrize("disturbance", DISTURBANCES)
def test_a_flash_of_the_whole_picture_is_found_beside(disturbance: str) -> None:
    made = film(np.random.default_rng(11), Shot(disturbance=disturbance))
    found = np.array([f.time_s for f in detect_flashes(made.brightness)])
    assert len(found) == len(made.flash_s)
    assert found == pytest.approx(made.flash_s, abs=0.06)


@pytest.mark.parametrize("disturbance", sorted(DISTURBANCES.keys() - {"cuts", "white shirt"}))
def test_a_spot_is_found_beside(disturbance: str) -> None:
    films = [film(np.random.default_rng([seed, 5]), Shot(disturbance=disturbance, small=True)) for seed in range(2)]
    right, wrong = np.sum([paired(made) for made in films], axis=0)
    assert wrong == 0
    assert right >= 0.8 * sum(len(made.flash_s) for made in films)


@pytest.mark.parametrize("disturbance", ["cuts", "white shirt"])
def test_where_a_spot_is_covered_nothing_else_is_taken_for_it(disturbance: str) -> None:
    films = [film(np.random.default_rng([seed, 6]), Shot(disturbance=disturbance, small=True)) for seed in range(3)]
    right, wrong = np.sum([paired(made) for made in films], axis=0)
    assert wrong == 0
    assert right >= 0.5 * sum(len(made.flash_s) for made in films)


def test_a_film_without_a_flash_offers_no_place_to_the_log() -> None:
    made = film(np.random.default_rng(3), Shot(disturbance="television", rise=0.0))
    rng = np.random.default_rng(4)
    log = host_flashes(np.sort(rng.uniform(0, 60, 8)), np.full(8, 0.002), ["ledbox"] * 8)
    assert fit_flashes(made.brightness, log).line is None


def test_the_place_holds_the_spot_and_little_else() -> None:
    tiles = np.random.default_rng(0).normal(80, 0.5, (900, N_BANDS, N_TILES)).astype(np.float32)
    for first in range(60, 900, 120):
        tiles[first : first + 3, 4:6, 2] += 25
    place = find_regions(Brightness(pts_s=np.arange(900) / 30, tiles=tiles))[0]
    assert set(zip(*np.nonzero(place), strict=True)) == {(4, 2), (5, 2)}


def test_what_changes_whole_rows_is_gone_against_them() -> None:
    level = np.random.default_rng(1).uniform(30, 200, (300, N_BANDS, 1)).astype(np.float32)
    film_of_rows = Brightness(pts_s=np.arange(300) / 30, tiles=np.repeat(level, N_TILES, axis=2))
    assert np.ptp(against_rows(film_of_rows).tiles, axis=0).max() < 0.01


def test_a_still_or_a_short_film_offers_the_whole_picture_only() -> None:
    for n in (3, 300):
        still = Brightness(pts_s=np.arange(n) / 30, tiles=np.full((n, N_BANDS, N_TILES), 90, dtype=np.float32))
        assert [look.mask for look in candidate_regions(still)] == [None]
