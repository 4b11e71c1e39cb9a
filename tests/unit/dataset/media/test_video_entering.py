"""Brightness comes from the file's own luma, and a long file is entered where its frames are needed."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from dataset.media import video
from dataset.media.video import CannotEnterError, decode_frames, frame_pts_ns, iter_frames, probe_video

WIDTH, HEIGHT = 96, 64


def lumas(path: Path, n_rows: int, n_columns: int, **how: Any) -> Iterator[tuple[int, np.ndarray]]:
    """Yield each frame's time and the mean luma of its tiles."""
    return ((frame.pts_ns, frame.luma(n_rows, n_columns)) for frame in decode_frames(path, **how))


def picture(seed: int) -> np.ndarray:
    """Coarse coloured blocks that no codec blurs away, shape (HEIGHT, WIDTH, 3)."""
    blocks = np.random.default_rng(seed).integers(30, 220, (4, 6, 3), dtype=np.uint8)
    return np.asarray(np.kron(blocks, np.ones((16, 16, 1), dtype=np.uint8)), dtype=np.uint8)


def write(
    path: Path,
    pts_ms: list[int],
    *,
    pixels: str = "yuv420p",
    codec: str = "libx264",
    gop: int = 12,
    b_frames: int = 0,
    full_range: bool = False,
) -> None:
    options = {"bf": str(b_frames), "crf": "4", "sc_threshold": "0"} if codec == "libx264" else {}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=30, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixels
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.gop_size = gop
        if full_range:
            stream.codec_context.color_range = 2
        for k, pts in enumerate(pts_ms):
            frame = av.VideoFrame.from_ndarray(picture(k), format="bgr24")
            frame = frame.reformat(format=pixels, dst_color_range="JPEG" if full_range else "MPEG")
            frame.pts, frame.time_base = pts, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def irregular_ms(n: int, seed: int = 0) -> list[int]:
    return [int(ms) for ms in np.cumsum(np.random.default_rng(seed).integers(20, 160, n)) - 20]


def turn_quarter(path: Path) -> None:
    """Mark an MP4 as filmed on its side, as a phone does: in the track's matrix."""
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 4 + 40
    content[at : at + 36] = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, HEIGHT << 16, 0, 1 << 30)
    path.write_bytes(content)


def luma_of(path: Path) -> np.ndarray:
    """Block means of the decoder's luma, by another way: FFmpeg's own conversion to 16-bit grey without scaling."""
    with av.open(str(path)) as container:
        frames = [f.to_ndarray().astype(float) for f in container.decode(video=0)]
    first = frames[0]
    rows = HEIGHT if first.ndim == 2 else first.shape[0]
    planes = [f[:rows, :WIDTH] if f.ndim == 2 else f[..., 0] for f in frames]
    return np.array([p.reshape(4, HEIGHT // 4, 3, WIDTH // 3).mean(axis=(1, 3)) for p in planes])


@pytest.mark.parametrize(
    ("codec", "pixels", "unit"),
    [
        ("libx264", "yuv420p", 1.0),
        ("libx264", "yuv422p", 1.0),
        ("libx264", "nv12", 1.0),
        ("libx264", "yuv420p10le", 4.0),
        ("ffv1", "gray16le", 256.0),
    ],
)
def test_brightness_is_the_mean_of_the_files_own_luma(tmp_path: Path, codec: str, pixels: str, unit: float) -> None:
    path = tmp_path / "v.mkv"
    write(path, irregular_ms(8), codec=codec, pixels=pixels)
    read = list(lumas(path, 4, 3))
    assert [pts for pts, _ in read] == frame_pts_ns(path).tolist()
    np.testing.assert_allclose(np.array([tiles for _, tiles in read]), luma_of(path) / unit, atol=1e-3)


def test_formats_without_a_luma_plane_are_converted(tmp_path: Path) -> None:
    path = tmp_path / "v.mkv"
    write(path, irregular_ms(4), codec="ffv1", pixels="bgr0")
    for k, (_, tiles) in enumerate(lumas(path, 4, 6)):
        b, g, r = np.moveaxis(picture(k)[8::16, 8::16].astype(float), 2, 0)
        np.testing.assert_allclose(tiles, 0.114 * b + 0.587 * g + 0.299 * r, atol=2.0)


def test_the_files_range_is_kept(tmp_path: Path) -> None:
    tiles = {}
    for full in (False, True):
        path = tmp_path / f"{full}.mkv"
        write(path, [0, 33], full_range=full)
        tiles[full] = next(lumas(path, 4, 6))[1]
    np.testing.assert_allclose(tiles[False], 16 + tiles[True] * 219 / 255, atol=2.0)


def test_tiles_of_any_number_of_rows_cover_the_picture(tmp_path: Path) -> None:
    path = tmp_path / "v.mkv"
    write(path, [0, 33])
    whole = next(lumas(path, 1, 1))[1]
    for rows, columns in ((5, 7), (16, 8), (3, 11)):
        tiles = next(lumas(path, rows, columns))[1]
        sizes = np.outer(
            np.diff(np.linspace(0, HEIGHT, rows + 1).round()), np.diff(np.linspace(0, WIDTH, columns + 1).round())
        )
        assert (tiles * sizes).sum() / (HEIGHT * WIDTH) == pytest.approx(whole[0, 0], abs=1e-3)


def test_a_turned_video_is_upright_as_pictures_and_as_stored_in_its_luma(tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    write(path, irregular_ms(6))
    stored = [tiles for _, tiles in lumas(path, 4, 6)]
    turn_quarter(path)
    meta = probe_video(path)
    assert (meta.rotation_deg % 180, meta.width, meta.height) == (90, HEIGHT, WIDTH)
    assert next(iter_frames(path)).image.shape == (WIDTH, HEIGHT, 3)
    np.testing.assert_array_equal([tiles for _, tiles in lumas(path, 4, 6)], stored)


@pytest.fixture(params=[("v.mkv", 12, 0), ("v.mp4", 12, 3), ("v.mkv", 300, 0), ("v.mp4", 40, 2)], ids=str)
def long_file(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    name, gop, b_frames = request.param
    path: Path = tmp_path / name
    write(path, irregular_ms(240, seed=gop), gop=gop, b_frames=b_frames)
    return path


@pytest.mark.parametrize("wanted", [[200], [0, 1, 90, 91, 180], [3, 4, 5], list(range(100, 140)), [239], [-1, 7, 999]])
def test_frames_had_by_entering_are_those_had_by_decoding_everything(long_file: Path, wanted: list[int]) -> None:
    everything = {f.index: f for f in iter_frames(long_file)}
    times_ns = np.array([f.pts_ns for f in everything.values()])
    for times in (None, times_ns):
        chosen = list(iter_frames(long_file, indices=np.array(wanted), times_ns=times, threads=1))
        assert [f.index for f in chosen] == [k for k in wanted if k in everything]
        for frame in chosen:
            assert frame.pts_ns == everything[frame.index].pts_ns
            np.testing.assert_array_equal(frame.image, everything[frame.index].image)


def test_stretches_join_to_the_whole(long_file: Path) -> None:
    whole = list(lumas(long_file, 4, 3))
    edges = [None, 1_000_000_001, 5_500_000_000, whole[150][0], whole[-1][0], None]
    parts = [
        item
        for start, stop in itertools.pairwise(edges)
        for item in lumas(long_file, 4, 3, start_ns=start, stop_ns=stop, threads=1)
    ]
    assert [pts for pts, _ in parts] == [pts for pts, _ in whole]
    np.testing.assert_array_equal([tiles for _, tiles in parts], [tiles for _, tiles in whole])


def test_a_file_that_cannot_be_entered_is_decoded_from_its_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "v.mkv"
    write(path, irregular_ms(120))
    expected = [f.image for f in iter_frames(path) if f.index in (80, 110)]

    def refuse(*_: object) -> None:
        raise CannotEnterError("no index")

    monkeypatch.setattr(video, "_enter", refuse)
    found = list(iter_frames(path, indices=np.array([80, 110])))
    assert [f.index for f in found] == [80, 110]
    np.testing.assert_array_equal([f.image for f in found], expected)
    with pytest.raises(CannotEnterError):
        next(lumas(path, 4, 3, start_ns=2_000_000_000))


def test_an_entry_that_lands_too_late_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "v.mkv"
    write(path, irregular_ms(120))
    land = video._enter
    monkeypatch.setattr(video, "_enter", lambda container, stream, _: land(container, stream, 6_000_000_000))
    times_ns = frame_pts_ns(path)
    k = int(np.searchsorted(times_ns, 3_000_000_000))
    assert [f.index for f in iter_frames(path, indices=np.array([k]))] == [k]
    with pytest.raises(CannotEnterError):
        next(lumas(path, 4, 3, start_ns=3_000_000_000))


def test_of_frames_that_share_a_time_the_first_is_had(tmp_path: Path) -> None:
    path = tmp_path / "v.mkv"
    write(path, [0, 33, 66, 100, 133])
    shared = np.array([0, 33_000_000, 33_000_000, 66_000_000, 100_000_000, 133_000_000])
    assert [f.pts_ns for f in iter_frames(path, indices=np.array([2, 4]), times_ns=shared)] == [33_000_000, 100_000_000]
    assert len(list(iter_frames(path, indices=np.array([1, 2]), times_ns=shared))) == 1


def test_frames_of_a_clock_set_back_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "v.mkv"
    write(path, [0, 33, 66, 100, 133])
    back = np.array([0, 33, 66, 10, 43]) * 1_000_000
    found = list(iter_frames(path, indices=np.array([2, 4]), times_ns=back))
    assert [(f.index, f.pts_ns) for f in found] == [(2, 66_000_000), (4, 133_000_000)]
