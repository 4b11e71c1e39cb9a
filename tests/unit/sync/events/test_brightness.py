"""Brightness of a file is the same however many threads read it, and whatever lies in the way."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import av
import numpy as np
import pytest

from dataset.media import video as video_module
from dataset.media import video_pass
from dataset.media.video import CannotEnterError, frame_pts_ns, probe_video
from dataset.media.video_pass import run_video_pass
from sync.events.flash_regions import against_rows, find_regions
from sync.events.flashes import (
    N_BANDS,
    N_TILES,
    Brightness,
    BrightnessCollector,
    detect_flashes,
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


def read_brightness(video: Path, **how: Any) -> Brightness:
    """Return the brightness of every frame of a film."""
    with BrightnessCollector() as collector:
        run_video_pass(video, [collector], **how)
        return collector.brightness()


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_any_number_of_workers_reads_the_same(film: Path, workers: int) -> None:
    alone = read_brightness(film, workers=1)
    reported: list[float] = []
    together = read_brightness(film, progress=reported.append, workers=workers, stretch_s=1.7)
    assert together.pts_s == pytest.approx(frame_pts_ns(film) * 1e-9, abs=1e-12)
    assert together.tiles.shape == (300, N_BANDS, N_TILES)
    assert together.tiles.dtype == np.float32
    np.testing.assert_array_equal(together.pts_s, alone.pts_s)
    np.testing.assert_array_equal(together.tiles, alone.tiles)
    assert sum(reported) == 300


def test_a_file_that_cannot_be_entered_is_read_from_its_beginning(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = read_brightness(film, workers=1)

    def refuse(*_: object) -> NoReturn:
        raise CannotEnterError("no index")

    monkeypatch.setattr(video_module, "_enter", refuse)
    np.testing.assert_array_equal(read_brightness(film, workers=3, stretch_s=1.7).tiles, alone.tiles)


def test_a_file_that_breaks_off_gives_what_it_has(film: Path) -> None:
    content = film.read_bytes()
    film.write_bytes(content[: len(content) // 2])
    alone = read_brightness(film, workers=1)
    assert 50 < len(alone.pts_s) < 300
    np.testing.assert_array_equal(read_brightness(film, workers=3, stretch_s=1.7).pts_s, alone.pts_s)


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

    def frames(_video: Path, *, start_ns: int | None, stop_ns: int | None, threads: int) -> Iterator[SimpleNamespace]:
        first, stop = (None if t is None else round(t * 1e-9 * fps) for t in (start_ns, stop_ns))
        for k in range(first or 0, n if stop is None else stop):
            yield SimpleNamespace(pts_ns=round(k / fps * 1e9), luma=lambda *_, k=k: tiles[k])

    monkeypatch.setattr(video_pass, "decode_frames", frames)
    monkeypatch.setattr(video_pass, "probe_video", lambda path: replace(probe_video(path), duration_s=n / fps))
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
