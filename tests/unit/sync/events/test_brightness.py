"""Brightness of a file is the same however many threads read it, and whatever lies in the way."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import NoReturn

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dataset.media import video as video_module
from dataset.media.video import CannotEnterError, frame_pts_ns, iter_frames, probe_video
from sync.events import flashes
from sync.events.flash_regions import against_rows, find_regions
from sync.events.flashes import (
    N_BANDS,
    N_TILES,
    Brightness,
    Onlooker,
    detect_flashes,
    read_brightness,
    read_brightness_about,
)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Twelve seconds at irregular times, each frame's brightness its own, key frames a second apart."""
    path = tmp_path / "v.mkv"
    pts_ms = np.cumsum(np.random.default_rng(3).integers(20, 60, 300)) - 20
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"bf": "0", "crf": "1"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.gop_size = 25
        for k, pts in enumerate(pts_ms.tolist()):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), k % 200 + 20, dtype=np.uint8), format="bgr24")
            frame.pts, frame.time_base = pts, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_any_number_of_workers_reads_the_same(film: Path, monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    alone = read_brightness(film, workers=1)
    monkeypatch.setattr(flashes, "_STRETCH_S", 1.7)
    told: list[float] = []
    together = read_brightness(film, told.append, workers=workers)
    assert together.pts_s == pytest.approx(frame_pts_ns(film) * 1e-9, abs=1e-12)
    assert together.tiles.shape == (300, N_BANDS, N_TILES)
    assert together.tiles.dtype == np.float32
    np.testing.assert_array_equal(together.pts_s, alone.pts_s)
    np.testing.assert_array_equal(together.tiles, alone.tiles)
    assert sum(told) == 300


def test_a_file_that_cannot_be_entered_is_read_from_its_beginning(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = read_brightness(film, workers=1)

    def refuse(*_: object) -> NoReturn:
        raise CannotEnterError("no index")

    monkeypatch.setattr(flashes, "_STRETCH_S", 1.7)
    monkeypatch.setattr(video_module, "_enter", refuse)
    np.testing.assert_array_equal(read_brightness(film, workers=3).tiles, alone.tiles)


def test_a_file_that_breaks_off_gives_what_it_has(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = film.read_bytes()
    film.write_bytes(content[: len(content) // 2])
    alone = read_brightness(film, workers=1)
    assert 50 < len(alone.pts_s) < 300
    monkeypatch.setattr(flashes, "_STRETCH_S", 1.7)
    np.testing.assert_array_equal(read_brightness(film, workers=3).pts_s, alone.pts_s)


@pytest.mark.parametrize("workers", [1, 3])
def test_an_onlooker_is_shown_what_it_asked_for_stretch_by_stretch(
    film: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setattr(flashes, "_STRETCH_S", 1.7)
    wanted = {frame.pts_ns: frame.image for frame in iter_frames(film, rgb=True) if frame.index % 7 == 3}
    seen: list[list[tuple[int, NDArray[np.uint8]]]] = []

    @contextmanager
    def stretch() -> Iterator[Callable[[int, NDArray[np.uint8]], None]]:
        of_stretch: list[tuple[int, NDArray[np.uint8]]] = []
        seen.append(of_stretch)
        yield lambda pts_ns, image: of_stretch.append((pts_ns, image.copy()))

    watched = read_brightness(film, workers=workers, onlooker=Onlooker(look_at_ns=wanted.keys(), stretch=stretch))
    np.testing.assert_array_equal(watched.tiles, read_brightness(film, workers=1).tiles)
    assert len(seen) > 3
    assert all(times == sorted(times) for times in ([pts for pts, _ in of_stretch] for of_stretch in seen))
    shown = dict(itertools.chain.from_iterable(seen))
    assert shown.keys() == wanted.keys()
    for pts_ns, image in shown.items():
        np.testing.assert_array_equal(image, wanted[pts_ns])


@given(st.floats(1.0, 20_000.0), st.floats(0.5, 60.0))
def test_a_film_is_cut_into_stretches_of_which_the_last_are_short(duration_s: float, longest_s: float) -> None:
    edges_s = np.array([0.0, *(1e-9 * np.array(flashes._edges_ns(duration_s, longest_s))), duration_s])
    lengths_s = np.diff(edges_s)
    assert (lengths_s > 0).all()
    assert lengths_s.max() <= 1.2 * longest_s
    if duration_s > 2 * longest_s:
        # Whoever comes last is waited for no longer than for this.
        assert lengths_s[-1] < 0.25 * longest_s
        assert len(lengths_s) < duration_s / longest_s + 10


def test_brightness_about_some_times_is_that_of_the_whole_film(film: Path) -> None:
    whole = read_brightness(film, workers=1)
    spans_s = [(float(whole.pts_s[40]), float(whole.pts_s[60])), (float(whole.pts_s[200]), float(whole.pts_s[230]))]
    some = read_brightness_about(film, spans_s, workers=2)
    rows = [*range(40, 60), *range(200, 230)]
    np.testing.assert_array_equal(some.pts_s, whole.pts_s[rows])
    np.testing.assert_array_equal(some.tiles[:], whole.tiles[:][rows])


@pytest.mark.parametrize("workers", [1, 2])
def test_a_long_film_takes_no_memory_and_shows_what_it_would_in_memory(
    film: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    n, fps = 60_000, 30
    rng = np.random.default_rng(6)
    tiles = rng.normal(90, 1, (n, N_BANDS, N_TILES)).astype(np.float32)
    tiles[:, 2, 3] += np.where(np.arange(n) % 800 < 6, 25, 0)  # a lamp in the corner

    def frames(
        _video: Path,
        _rows: int,
        _columns: int,
        *,
        start_ns: int | None,
        stop_ns: int | None,
        threads: int,
        look: object,
        look_at_ns: object,
    ) -> Iterator[tuple[int, NDArray[np.float32]]]:
        assert look is None
        first, stop = (None if t is None else round(t * 1e-9 * fps) for t in (start_ns, stop_ns))
        for k in range(first or 0, n if stop is None else stop):
            yield round(k / fps * 1e9), tiles[k]

    monkeypatch.setattr(flashes, "iter_luma", frames)
    monkeypatch.setattr(flashes, "probe_video", lambda path: replace(probe_video(path), duration_s=n / fps))
    tracemalloc.start()
    read = read_brightness(film, workers=workers)
    places = find_regions(read)
    rows = against_rows(read)
    found = detect_flashes(read, places[0])
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 0.4 * tiles.nbytes
    whole = Brightness(pts_s=np.arange(n) / fps, tiles=tiles)
    np.testing.assert_array_equal(read.tiles, tiles)
    np.testing.assert_array_equal(read.level, whole.level)
    np.testing.assert_array_equal(rows.tiles, against_rows(whole).tiles)
    np.testing.assert_array_equal(places, find_regions(whole))
    assert len(found) == len(detect_flashes(whole, places[0])) == n // 800 - 1
