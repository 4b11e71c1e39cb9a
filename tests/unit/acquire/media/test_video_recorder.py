"""Frames: stamped, numbered, written or counted as dropped, with a PTS that agrees with the arrival."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acquire.event_log import EventLog
from acquire.media.camera import Camera
from acquire.media.video_recorder import MAX_WAITING_BLOCKS, MAX_WAITING_FRAMES, VideoRecorder, frames_that_may_wait
from dataset.capture.reader import Capture
from dataset.capture.writer import CaptureWriter
from tests.present import present

IMAGE = np.zeros((4, 4, 3), dtype=np.uint8)


class Rows:
    """Takes the place of a capture writer."""

    def __init__(self) -> None:
        self.frames: list[tuple[int, int, int, int | None]] = []

    def frame(self, epoch: int, index: int, arrival_ns: int, pts_ns: int | None) -> None:
        self.frames.append((epoch, index, arrival_ns, pts_ns))


class SlowEncoder:
    """Encodes only while it is let."""

    def __init__(self) -> None:
        self.let = threading.Event()
        self.pts: list[int] = []
        self.closed = False

    def write_frame(self, _image: Any, pts_ns: int) -> int:
        self.let.wait()
        self.pts.append(pts_ns)
        return pts_ns

    def write_sound(self, _samples: Any, pts_ns: int) -> int:
        return pts_ns

    def close(self) -> None:
        self.closed = True


def test_a_stalled_encoder_drops_and_counts_and_never_waits() -> None:
    rows, encoder = Rows(), SlowEncoder()
    muxer = VideoRecorder(encoder, rows, EventLog())  # type: ignore[arg-type]
    n = MAX_WAITING_FRAMES + 30
    for k in range(n):
        muxer.frame(0, 1_000_000_000 + k * 33_000_000, IMAGE)
    assert muxer.n_dropped in (29, 30), "the frame that the encoder holds waits no more"
    encoder.let.set()
    muxer.close()
    assert encoder.closed
    assert muxer.n_written + muxer.n_dropped == n == len(rows.frames)
    assert sorted(index for _, index, _, _ in rows.frames) == list(range(n))
    written = [pts for _, _, _, pts in sorted(rows.frames, key=lambda r: r[1]) if pts is not None]
    assert written == encoder.pts
    assert sum(pts is None for *_, pts in rows.frames) == muxer.n_dropped


@given(st.lists(st.integers(min_value=0, max_value=40_000_000), min_size=1, max_size=40))
@settings(max_examples=40, deadline=None)
def test_pts_grows_by_whole_milliseconds_and_agrees_with_the_arrival(steps_ns: list[int]) -> None:
    rows, encoder = Rows(), SlowEncoder()
    encoder.let.set()
    muxer = VideoRecorder(encoder, rows, EventLog())  # type: ignore[arg-type]
    arrivals = np.cumsum([5_000_000_123, *steps_ns])
    for arrival in arrivals:
        muxer.frame(0, int(arrival), IMAGE)
    muxer.close()
    written = [(a, p) for _, _, a, p in sorted(rows.frames, key=lambda r: r[1]) if p is not None]
    assert written[0][1] == 0
    assert all(p % 1_000_000 == 0 and abs(p - (a - int(arrivals[0]))) <= 1_000_000 for a, p in written)
    assert np.all(np.diff([p for _, p in written]) > 0)


def test_an_encoder_that_fails_leaves_a_row_for_every_frame_and_says_so() -> None:
    class Broken(SlowEncoder):
        def write_frame(self, _image: Any, pts_ns: int) -> int:
            if len(self.pts) == 3:
                raise OSError("no space left on device")
            return super().write_frame(_image, pts_ns)

    rows, encoder, event_log = Rows(), Broken(), EventLog()
    encoder.let.set()
    muxer = VideoRecorder(encoder, rows, event_log)  # type: ignore[arg-type]
    for k in range(10):
        muxer.frame(0, k * 33_000_000, IMAGE)
    muxer.close()
    assert [p is None for *_, p in sorted(rows.frames, key=lambda r: r[1])] == [False] * 3 + [True] * 7
    assert [r.what for r in event_log.recent(5)] == ["writing the video failed; the sensors continue"]


def test_frames_in_the_file_join_the_table_by_pts(fakes: Any, tmp_path: Path) -> None:
    import av

    from acquire.media.video_recorder import open_encoder
    from acquire.media.video_writer import VideoFormat

    writer = CaptureWriter(tmp_path, subject="S1", sensors=fakes.slots(1))
    path = tmp_path / "video.mkv"
    muxer = VideoRecorder(open_encoder(path, VideoFormat(width=64, height=48, nominal_hz=100.0)), writer, EventLog())
    source = fakes.camera(100.0)
    camera = Camera(source, lambda: None, EventLog())
    camera.attach(muxer)
    fakes.wait_until(lambda: muxer.n_written > 40)
    camera.detach()
    camera.close()
    muxer.close()
    writer.close()
    with Capture.open(tmp_path) as capture, av.open(str(path)) as file:
        frames = capture.frames()
        stored_ms = frames.pts_ns[frames.pts_ns >= 0] // 1_000_000
        base = present(file.streams.video[0].time_base)
        in_file_ms = [round(f.pts * base * 1000) for f in file.decode(video=0) if f.pts is not None]
    np.testing.assert_array_equal(stored_ms, in_file_ms)
    agreement_ns = np.abs(frames.pts_ns - (frames.arrival_ns - frames.arrival_ns[0]))
    assert agreement_ns[frames.pts_ns >= 0].max() <= 1_000_000


@pytest.mark.parametrize(("size", "n"), [((640, 480), 60), ((1280, 720), 60), ((1920, 1080), 41), ((3840, 2160), 10)])
def test_what_waits_has_a_bound_in_memory(size: tuple[int, int], n: int) -> None:
    assert frames_that_may_wait(*size) == n
    assert frames_that_may_wait(16384, 16384) >= 8


def test_falling_behind_and_catching_up_are_said_once_with_the_count() -> None:
    rows, encoder, event_log = Rows(), SlowEncoder(), EventLog()
    muxer = VideoRecorder(encoder, rows, event_log, caught_up_s=0.5)  # type: ignore[arg-type]
    for k in range(MAX_WAITING_FRAMES + 10):
        muxer.frame(0, k * 33_000_000, IMAGE)
    n_dropped = muxer.n_dropped
    encoder.let.set()
    while muxer.n_written < MAX_WAITING_FRAMES:
        time.sleep(0.001)
    muxer.frame(0, 5_000_000_000, IMAGE)
    muxer.frame(0, 5_033_000_000, IMAGE)
    muxer.close()
    first, then = event_log.recent(5)
    assert (first.what, first.level) == ("the encoder falls behind; frames are dropped", "warning")
    assert (then.what, then.detail) == ("the encoder has caught up", {"dropped": n_dropped})


def test_sound_that_waits_has_a_bound_too() -> None:
    encoder, event_log = SlowEncoder(), EventLog()
    muxer = VideoRecorder(encoder, Rows(), event_log)  # type: ignore[arg-type]
    muxer.frame(0, 1_000_000_000, IMAGE)  # the encoder stalls on it
    block = np.zeros(320, np.int16)
    for k in range(MAX_WAITING_BLOCKS + 20):
        muxer.sound(block, k * 20_000_000)
    assert muxer.n_sound_dropped in (19, 20)
    encoder.let.set()
    muxer.close()
    assert [r.what for r in event_log.recent(5)] == ["the encoder falls behind; sound is dropped"]
    assert muxer.health()["sound_blocks_dropped"] == muxer.n_sound_dropped
