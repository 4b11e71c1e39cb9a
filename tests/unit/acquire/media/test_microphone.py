"""Sound: a smooth line through late arrivals, samples without a gap, zero at the picture's first frame."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from acquire.event_log import EventLog
from acquire.media.microphone import ArrivalLine, Microphone, level_db
from acquire.media.video_recorder import VideoRecorder
from dataset.support import clock
from dataset.support.errors import HardwareError


def arrivals(rng: np.random.Generator, n: int, drift_ppm: float) -> tuple[np.ndarray[Any, Any], ...]:
    """Blocks of 160 samples at a true 8 kHz with drift; delivery is 4 ms late at least, sometimes 60 ms."""
    count = np.arange(1, n + 1) * 160
    true_ns = 7e9 + count / 8000 * 1e9 * (1 + drift_ppm * 1e-6)
    late_ns = 4e6 + rng.exponential(3e6, n) + (rng.random(n) < 0.05) * 60e6
    return count, true_ns, np.maximum.accumulate(true_ns + late_ns)


def test_the_line_follows_the_earliest_arrivals_through_jitter_and_drift() -> None:
    for seed, drift_ppm in ((1, -80.0), (2, 0.0), (3, 80.0)):
        count, true_ns, arrival_ns = arrivals(np.random.default_rng(seed), 3000, drift_ppm)
        line = ArrivalLine(8000)
        error_ms = []
        for k, at, true in zip(count, arrival_ns, true_ns, strict=True):
            assert not line.add(int(k), int(at))
            error_ms.append((line.host_ns(int(k)) - true) * 1e-6)
        settled = np.array(error_ms[100:])
        assert 3.5 < settled.mean() < 5.0, "the least delay stays, it cannot be seen"
        assert settled.std() < 0.5


def test_lost_samples_are_noticed_once() -> None:
    count, _, arrival_ns = arrivals(np.random.default_rng(4), 1000, 10.0)
    arrival_ns[400:] += 400_000_000
    line = ArrivalLine(8000)
    said = [k for k, (n, at) in enumerate(zip(count, arrival_ns, strict=True)) if line.add(int(n), int(at))]
    assert len(said) == 1 and 400 < said[0] < 560


class Rows:
    """Takes the place of a capture writer."""

    def __init__(self) -> None:
        self.blocks: list[tuple[int, int, int, int]] = []

    def audio_block(self, *row: int) -> None:
        self.blocks.append(row)  # type: ignore[arg-type]

    def frame(self, *_: Any) -> None: ...


class Encoder:
    """Keeps the sound."""

    def __init__(self) -> None:
        self.sound: list[tuple[int, int]] = []

    def write_frame(self, _image: Any, pts_ns: int) -> int:
        return pts_ns

    def write_sound(self, samples: Any, pts_ns: int) -> int:
        self.sound.append((len(samples), pts_ns))
        return pts_ns

    def close(self) -> None: ...


def test_sound_begins_at_the_first_frame_and_has_no_gap(fakes: Any) -> None:
    rows, encoder, source = Rows(), Encoder(), fakes.microphone()
    muxer = VideoRecorder(encoder, rows, EventLog())  # type: ignore[arg-type]
    microphone = Microphone(source, EventLog())
    fakes.wait_until(lambda: microphone.status().blocks > 5)
    microphone.attach(muxer, rows)  # type: ignore[arg-type]
    fakes.wait_until(lambda: microphone.status().blocks > 10)
    assert not rows.blocks, "nothing before the first frame"
    muxer.frame(0, clock.now_ns(), np.zeros((4, 4, 3), np.uint8))
    fakes.wait_until(lambda: len(rows.blocks) > 20)
    microphone.detach()
    microphone.close()
    muxer.close()
    firsts = np.array([first for _, first, _, _ in rows.blocks])
    lengths = np.array([n for _, _, n, _ in rows.blocks])
    assert firsts[0] == 0 and np.array_equal(np.cumsum(lengths)[:-1], firsts[1:])
    pts_s = np.array([p for _, p in encoder.sound]) * 1e-9
    assert 0 <= pts_s[0] < 0.025
    np.testing.assert_allclose(np.diff(pts_s), lengths[:-1] / microphone.rate_hz, atol=0.01)
    assert -16 < microphone.status().level_db < -14


def test_level_of_silence_and_full_scale() -> None:
    assert level_db(np.zeros(100, np.int16)) == -120
    assert abs(level_db(np.full(100, -32768, np.int16))) < 1e-9


def test_a_microphone_that_stops_is_said_once_and_when_it_is_back(fakes: Any) -> None:
    source, event_log = fakes.microphone(), EventLog()
    microphone = Microphone(source, event_log, silent_s=0.1)
    fakes.wait_until(lambda: microphone.status().blocks > 2)

    def rows_after_watching() -> int:
        microphone.watch()
        return len(event_log.recent(9))

    microphone.watch()
    source.stop()
    fakes.wait_until(lambda: rows_after_watching() == 1)
    microphone.watch()
    source._stop.clear()
    source.start(microphone._on_block)
    fakes.wait_until(lambda: rows_after_watching() == 2)
    microphone.close()
    rows = [row.what for row in event_log.recent(9)]
    assert rows == ["the microphone is silent: no block comes", "the microphone is back"]


def test_a_microphone_that_went_away_is_opened_again_as_an_epoch_of_its_own(fakes: Any) -> None:
    tries: list[str] = []
    second = fakes.microphone()

    def open_again() -> Any:
        tries.append("try")
        if len(tries) < 3:
            raise HardwareError("the microphone does not open", "no such device")
        return second

    rows, event_log = Rows(), EventLog()
    encoder, source = Encoder(), fakes.microphone()
    muxer = VideoRecorder(encoder, rows, event_log)  # type: ignore[arg-type]
    microphone = Microphone(source, event_log, open_again, silent_s=0.1, retry_s=0.1)
    microphone.attach(muxer, rows)  # type: ignore[arg-type]
    muxer.frame(0, clock.now_ns(), np.zeros((4, 4, 3), np.uint8))
    fakes.wait_until(lambda: len(rows.blocks) > 5)
    source.stop()
    gone_ns, n_before = clock.now_ns(), len(rows.blocks)

    def blocks_after_watching() -> int:
        microphone.watch()
        return len(rows.blocks)

    fakes.wait_until(lambda: blocks_after_watching() > n_before + 10)
    microphone.close()
    muxer.close()
    assert {epoch for epoch, _, _, _ in rows.blocks[:n_before]} == {0}
    assert {epoch for epoch, _, _, _ in rows.blocks[n_before:]} == {1}
    assert all(a + n == b for (_, a, n, _), (_, b, _, _) in pairwise(rows.blocks)), "no sample is numbered twice"
    lost_s = (rows.blocks[n_before][3] - gone_ns) * 1e-9
    pts_s = np.array([p for _, p in encoder.sound]) * 1e-9
    gap_s = pts_s[n_before] - pts_s[n_before - 1]
    assert gap_s == pytest.approx(lost_s, abs=0.06), "the file's sound stands still for as long as there was none"
    assert [row.what for row in event_log.recent(9)] == [
        "the microphone is silent: no block comes", "the microphone does not open again",
        "the microphone is opened again", "the microphone is back",
    ]  # fmt: skip


def test_a_microphone_that_does_not_close_loses_nothing(fakes: Any) -> None:
    source, event_log = fakes.microphone(), EventLog()
    microphone = Microphone(source, event_log)
    fakes.wait_until(lambda: microphone.status().blocks > 2)

    def stop() -> None:
        type(source).stop(source)
        raise HardwareError("the microphone does not stop", "unplugged")

    source.stop = stop
    microphone.close()
    assert [row.what for row in event_log.recent(9)] == ["the microphone does not close"]
