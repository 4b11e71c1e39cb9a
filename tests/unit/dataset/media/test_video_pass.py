"""A film is decoded once for all consumers, stretch by stretch, and each is given the frames that it wants."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dataset.media import video_pass
from dataset.media.decoded_frame import DecodedFrame
from dataset.media.video import CannotEnterError, decode_frames, iter_frames
from dataset.media.video_pass import decode_spans, run_video_pass, stretch_edges_ns
from dataset.support.arrays import IntArray


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Twelve seconds at irregular times."""
    return write_film(tmp_path / "v.mkv", np.cumsum(np.random.default_rng(3).integers(20, 60, 300)) - 20)


def write_film(path: Path, pts_ms: IntArray) -> Path:
    """Write a film in which each frame's brightness is its own, with a key frame every 25 frames."""
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


class Stretch:
    def __init__(self, whole: Collecting) -> None:
        self.whole = whole
        self.seen: list[tuple[int, NDArray[np.uint8]]] = []

    def wants(self, pts_ns: int) -> bool:
        return pts_ns in self.whole.wanted

    def take(self, frame: DecodedFrame) -> None:
        self.seen.append((frame.pts_ns, frame.picture()))

    def hand_over(self) -> None:
        self.whole.handed_over.append([pts_ns for pts_ns, _ in self.seen])
        self.whole.pictures.update(self.seen)
        self.seen = []


class Collecting:
    """A consumer that keeps the pictures of the frames wanted."""

    def __init__(self, wanted: set[int], longest_stretch_s: float | None = None) -> None:
        self.wanted, self.longest_stretch_s = wanted, longest_stretch_s
        self.pictures: dict[int, NDArray[np.uint8]] = {}
        self.handed_over: list[list[int]] = []
        self.n_restarts = 0

    def stretch(self) -> Stretch:
        return Stretch(self)

    def restart(self) -> None:
        self.n_restarts += 1
        self.pictures.clear()
        self.handed_over.clear()


@pytest.mark.parametrize("workers", [1, 3])
def test_each_consumer_is_given_what_it_wants_in_the_films_order(film: Path, workers: int) -> None:
    pictures = {frame.pts_ns: frame.image for frame in iter_frames(film, rgb=True)}
    times_ns = list(pictures)
    some, others, none = Collecting(set(times_ns[3::7]), 1.7), Collecting(set(times_ns[::2])), Collecting(set())
    run_video_pass(film, [some, others, none], workers=workers)
    run_video_pass(film, [stretched := Collecting(set(times_ns[3::7]), 1.7)], workers=workers, stretch_s=2.5)
    assert len(some.handed_over) == 1, "a short film is one stretch"
    assert len(stretched.handed_over) > 6, "also with one thread, where a consumer asks for it"
    for consumer in (some, others, none, stretched):
        assert list(itertools.chain.from_iterable(consumer.handed_over)) == sorted(consumer.wanted)
        for pts_ns, picture in consumer.pictures.items():
            np.testing.assert_array_equal(picture, pictures[pts_ns])


@pytest.mark.parametrize("workers", [1, 3])
def test_consumers_begin_again_where_a_file_cannot_be_entered(
    film: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    times_ns = [frame.pts_ns for frame in decode_frames(film)]
    consumer = Collecting(set(times_ns), 1.7)

    def entered_early_only(path: Path, *, start_ns: int | None, **how: Any) -> Iterator[DecodedFrame]:
        if start_ns is not None and start_ns > 5e9:
            raise CannotEnterError("no index")
        return decode_frames(path, start_ns=start_ns, **how)

    monkeypatch.setattr(video_pass, "decode_frames", entered_early_only)
    run_video_pass(film, [consumer], workers=workers, stretch_s=2.5)
    assert consumer.n_restarts == 1 and consumer.handed_over == [times_ns]


def test_a_long_film_without_stretches_is_handed_over_along_the_way(tmp_path: Path) -> None:
    path = write_film(tmp_path / "v.mkv", np.arange(1300) * 10)
    consumer = Collecting({frame.pts_ns for frame in decode_frames(path)})
    run_video_pass(path, [consumer], workers=1)
    assert [len(part) for part in consumer.handed_over] == [600, 600, 100]
    assert list(itertools.chain.from_iterable(consumer.handed_over)) == sorted(consumer.wanted)


def test_spans_are_decoded_and_nothing_besides(film: Path) -> None:
    times_ns = [frame.pts_ns for frame in decode_frames(film)]
    consumer = Collecting(set(times_ns))
    decode_spans(film, [consumer], [(times_ns[40], times_ns[60]), (times_ns[200], None)], workers=2)
    assert consumer.handed_over == [times_ns[40:60], times_ns[200:]]


@settings(deadline=None)
@given(st.floats(1.0, 20_000.0), st.floats(0.5, 60.0))
def test_a_film_is_cut_into_stretches_of_which_the_last_are_short(duration_s: float, longest_s: float) -> None:
    edges_s = np.array([0.0, *(1e-9 * np.array(stretch_edges_ns(duration_s, longest_s))), duration_s])
    lengths_s = np.diff(edges_s)
    assert (lengths_s > 0).all()
    assert lengths_s.max() <= 1.2 * longest_s
    if duration_s > 2 * longest_s:
        # The thread that ends last is waited for no longer than for this.
        assert lengths_s[-1] < 0.25 * longest_s
        assert len(lengths_s) < duration_s / longest_s + 10
