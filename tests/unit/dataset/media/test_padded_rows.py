"""Decoders pad rows: pictures and luma are those of the picture's own columns, at every width, and without gaps."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dataset.media.decoded_frame import DecodedFrame
from dataset.media.video import decode_frames, iter_frames
from dataset.pose.drawing import draw_skeleton
from dataset.pose.landmarker import PoseLandmarker
from tests.unit.native import refuse_strided
from tests.unit.phone import turn_quarter

#: Rows are padded to 16, 32 or 64 bytes and more, which differs by processor: every remainder of 64 comes up.
WIDTHS = range(129, 193)
HEIGHT = 18

#: What phones and cameras write can be turned; the others are what other programs write.
TURNED = [
    ("mjpeg", "yuvj420p"), ("mjpeg", "yuvj422p"), ("mjpeg", "yuvj444p"), ("png", "rgb24"), ("png", "rgba"),
    ("png", "gray"), ("libx264", "yuv420p"), ("libx264", "yuv422p"), ("libx264", "yuv444p"),
    ("libx264", "yuv420p10le"),
]  # fmt: skip
UPRIGHT = [("ffv1", name) for name in ("gray", "yuv420p", "yuv422p10le", "yuva420p", "gbrp10le")] + [
    ("rawvideo", name) for name in ("nv12", "nv21", "yuyv422", "bgr24", "rgba")
]
RARE = [
    ("ffv1", name)
    for name in ("yuv422p", "yuv444p", "yuv410p", "yuv411p", "yuv440p", "yuv420p10le", "yuv444p12le", "yuv420p16le",
                 "gray10le", "gray16le", "bgr0")
] + [("rawvideo", name) for name in ("uyvy422", "rgb24")]  # fmt: skip
#: Formats with half as many columns of colour that FFmpeg's encoder takes at even widths alone.
_EVEN = {("libx264", "yuv420p"), ("libx264", "yuv422p"), ("libx264", "yuv420p10le")}


def noise(width: int, height: int, pix_fmt: str) -> av.VideoFrame:
    """Return a frame of random pixels, with random padding."""
    frame = av.VideoFrame(width, height, pix_fmt)
    rng = np.random.default_rng(width)
    for plane in frame.planes:
        values = rng.integers(0, 256, plane.buffer_size, dtype=np.uint8)
        if frame.format.components[0].bits > 8 and pix_fmt != "p010le":  # high bytes hold the upper bits alone
            values[1::2] &= (1 << (frame.format.components[0].bits - 8)) - 1
        plane.update(values.tobytes())
    return frame


def film(
    path: Path, frame: av.VideoFrame, codec: str, quarters: int = 0, options: dict[str, str] | None = None
) -> None:
    """Write one frame to a file, turned by quarters clockwise."""
    with av.open(str(path), "w", container_options=options or {}) as container:
        stream = container.add_stream(codec, rate=30, options={"preset": "ultrafast"} if codec == "libx264" else {})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, frame.format.name
        frame.pts, frame.time_base = 0, Fraction(1, 30)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    if quarters:
        turn_quarter(path, quarters)


def decoded(path: Path) -> av.VideoFrame:
    """Return the first frame as PyAV has it."""
    with av.open(str(path)) as container:
        return next(container.decode(video=0))


def rows_of(frame: av.VideoFrame, n_bytes: int, dtype: str = "u1") -> NDArray[np.generic]:
    """Return the first plane's rows, cut out of its bytes one by one."""
    plane = frame.planes[0]
    content, step = bytes(plane), abs(plane.line_size)
    rows = [content[at : at + n_bytes] for at in range(0, step * frame.height, step)]
    return np.array([np.frombuffer(row, dtype) for row in (rows if plane.line_size > 0 else reversed(rows))])


def picture_of(frame: av.VideoFrame, order: str, quarters: int = 0) -> NDArray[np.generic]:
    """Return the upright picture by another route."""
    packed = frame.reformat(format=order)
    rows = rows_of(packed, 3 * frame.width).reshape(frame.height, frame.width, 3)
    return np.rot90(rows, -quarters)


def means_of(frame: av.VideoFrame, n_rows: int, n_columns: int) -> NDArray[np.float64]:
    """Return the mean luma of tiles, tile by tile."""
    if frame.format.name.startswith(("rgb", "bgr", "gbr", "yuyv", "uyvy")):
        frame = frame.reformat(format="gray")
    bits = frame.format.components[0].bits
    luma = rows_of(frame, frame.width * (1 if bits == 8 else 2), "u1" if bits == 8 else "<u2")
    unit = 256.0 if frame.format.name == "p010le" else 2.0 ** (bits - 8)
    down, across = (
        np.linspace(0, n, k + 1).round().astype(int) for n, k in ((frame.height, n_rows), (frame.width, n_columns))
    )
    return np.array([[luma[t:b, le:ri].mean() / unit for le, ri in pairwise(across)] for t, b in pairwise(down)])


@pytest.mark.parametrize(
    ("codec", "pix_fmt"), [*TURNED, *UPRIGHT, *(pytest.param(*each, marks=pytest.mark.slow) for each in RARE)]
)
def test_pictures_and_luma_are_those_of_the_pictures_own_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, codec: str, pix_fmt: str
) -> None:
    refuse_strided(monkeypatch)
    suffix = "mov" if (codec, pix_fmt) in TURNED else "mkv" if codec == "ffv1" else "nut"
    padded = 0
    for width in WIDTHS:
        if width % 2 and (codec, pix_fmt) in _EVEN:
            continue
        quarters = (width // 2) % 4 if suffix == "mov" else 0
        path = tmp_path / f"{width}.{suffix}"
        film(path, noise(width, HEIGHT, pix_fmt), codec, quarters)
        frame = decoded(path)
        assert frame.format.name == pix_fmt
        (shown,) = iter_frames(path)
        np.testing.assert_array_equal(shown.image, picture_of(frame, "bgr24", quarters), err_msg=str(width))
        assert shown.image.flags.c_contiguous
        padded += not frame.to_ndarray(format="bgr24").flags.c_contiguous
        ((at_ns, tiles, seen),) = ((f.pts_ns, f.luma(5, 8), f.picture()) for f in decode_frames(path))
        assert at_ns == 0
        np.testing.assert_allclose(tiles, means_of(frame, 5, 8), rtol=1e-6, err_msg=str(width))
        np.testing.assert_array_equal(seen, picture_of(frame, "rgb24", quarters))
        assert seen.flags.c_contiguous
    if codec != "rawvideo":
        assert padded > 0


@settings(deadline=None)  # the first conversion sets FFmpeg up
@given(
    st.integers(8, 300),
    st.integers(5, 40),
    st.sampled_from(["yuv420p", "nv12", "p010le", "gray16le", "yuva444p10le", "rgb24", "ya8"]),
    st.booleans(),
)
def test_any_frame_gives_its_own_pixels_also_from_the_bottom_up(
    width: int, height: int, pix_fmt: str, bottom_up: bool
) -> None:
    frame = noise(width, height, pix_fmt)
    if bottom_up:
        graph = av.filter.Graph()
        graph.link_nodes(graph.add_buffer(template=None, width=width, height=height, format=frame.format,
                                          time_base=Fraction(1, 30)), graph.add("vflip"),
                         graph.add("buffersink")).configure()  # fmt: skip
        frame.pts, frame.time_base = 0, Fraction(1, 30)
        graph.push(frame)
        flipped = graph.pull()
        assert isinstance(flipped, av.VideoFrame)
        frame = flipped
        assert frame.planes[0].line_size < 0
    image = DecodedFrame(frame, 0).picture()
    assert image.flags.c_contiguous
    np.testing.assert_array_equal(image, picture_of(frame, "rgb24"))
    expected = means_of(frame.reformat(format="gray") if pix_fmt == "ya8" else frame, 3, 7)
    np.testing.assert_allclose(DecodedFrame(frame, 0).luma(3, 7), expected, rtol=1e-6)


def test_a_file_stored_from_the_bottom_up_is_the_right_way_up(tmp_path: Path) -> None:
    path = tmp_path / "v.avi"
    film(path, noise(67, HEIGHT, "bgr24"), "rawvideo", options={"flipped_raw_rgb": "1"})
    frame = decoded(path)
    assert frame.planes[0].line_size < 0
    (shown,) = iter_frames(path)
    assert shown.image.flags.c_contiguous
    np.testing.assert_array_equal(shown.image, picture_of(frame, "bgr24"))


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p", "yuv444p", "nv12"])
@pytest.mark.parametrize("size", [(853, 480), (853, 481), (67, 18), (1, 2), (3, 3)])
def test_colour_reaches_the_last_column_of_an_odd_width(pix_fmt: str, size: tuple[int, int]) -> None:
    """Blue and red rise from left to right; the last column's colour has no neighbour to its right."""
    width, height = size
    frame = av.VideoFrame(width, height, pix_fmt)
    fine = pix_fmt == "yuv444p"
    columns = np.arange(width if fine else -(-width // 2)) * (1 if fine else 2)
    blue, red = 80 + 80 * columns // width, 170 - 60 * columns // width
    luma = np.random.default_rng(1).integers(90, 160, (height, width))
    colour = [blue, red] if len(frame.planes) == 3 else [np.column_stack([blue, red]).ravel()]
    for plane, values in zip(frame.planes, [luma, *colour], strict=True):
        rows = np.full((plane.height, plane.line_size), 255, dtype=np.uint8)  # padding of another colour
        rows[:, : values.shape[-1]] = values
        plane.update(rows.tobytes())
    at = np.arange(width) // (1 if fine else 2)
    y, u, v = 1.164383 * (luma - 16.0), blue[at] - 128.0, red[at] - 128.0
    expected = np.stack([y + 1.596027 * v, y - 0.391762 * u - 0.812968 * v, y + 2.017232 * u], axis=-1)
    # Colour may lie half a column aside, and rounds.
    step = 2.02 * np.abs(np.diff(blue)).max(initial=0) + 4.0
    np.testing.assert_allclose(DecodedFrame(frame, 0).picture(), np.clip(expected, 0, 255), atol=step)


def test_the_network_and_the_drawing_take_any_view(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_strided(monkeypatch)
    room = np.full((240, 400, 3), 127, dtype=np.uint8)
    views = [room[:, 7:330], room[::-1], room[:, ::-1], room[::2, ::2], room.transpose(1, 0, 2), room[..., ::-1]]
    keypoints = np.linspace((20, 20), (90, 90), 25)
    with PoseLandmarker() as landmarker:
        for view in views:
            assert not view.flags.c_contiguous
            assert landmarker.find(view) is None
            assert landmarker.find(view, rgb=True) is None
            drawn = draw_skeleton(view, keypoints)
            assert drawn.shape == view.shape
            assert (drawn != view).any()
