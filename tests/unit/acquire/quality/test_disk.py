"""How long the disk lasts, before and during a recording."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from acquire.event_log import EventLog
from acquire.quality import disk
from acquire.recording.recorder import record
from acquire.recording.take import Take
from dataset.capture.reader import Capture
from dataset.support.errors import DiskFullError

MB = 1_000_000


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A disk whose free space the test sets."""
    told = SimpleNamespace(bytes=100_000 * MB)
    monkeypatch.setattr("acquire.quality.disk.shutil.disk_usage", lambda _: SimpleNamespace(free=told.bytes))
    return told


def test_a_camera_takes_most_and_a_rig_without_one_next_to_nothing() -> None:
    without = disk.expected_bytes_per_s(n_sensors=8)
    webcam = disk.expected_bytes_per_s(n_sensors=8, picture=(1280, 720, 30.0), sound_rate_hz=48_000)
    assert without < 0.1 * MB < 0.4 * MB < webcam < 1 * MB


def test_what_is_kept_free_is_not_counted(tmp_path: Path, free: SimpleNamespace) -> None:
    free.bytes = disk.LEAST_FREE_BYTES + 60 * MB
    left = disk.look_at_disk(tmp_path / "not" / "there" / "yet", 0.5 * MB)
    assert left.minutes_left == pytest.approx(2.0) and left.time_left == "2 min" and not left.is_full
    free.bytes = disk.LEAST_FREE_BYTES - 1
    left = disk.look_at_disk(tmp_path, 0.5 * MB)
    assert left.minutes_left == 0 and left.is_full


@pytest.mark.parametrize(("minutes", "words"), [(119.6, "120 min"), (121.0, "2 h"), (1e9, "over 100 h")])
def test_long_times_are_told_in_hours(minutes: float, words: str) -> None:
    assert disk.DiskStatus(free_bytes=1, bytes_per_s=1.0, minutes_left=minutes).time_left == words


def test_the_measured_rate_replaces_the_expected_one(
    tmp_path: Path, free: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = SimpleNamespace(s=100.0)
    monkeypatch.setattr("acquire.quality.disk.time.monotonic", lambda: now.s)
    watch = disk.DiskWatch(tmp_path, 1.0 * MB, EventLog())
    rates = []
    for second in range(120):
        now.s = 100.0 + second
        with (tmp_path / "video.mkv").open("ab") as file:
            file.write(bytes(2000 if second < 60 else 4000))
        rates.append(watch.look().bytes_per_s)
    assert rates[19] == 1.0 * MB and rates[20] == pytest.approx(2000)
    assert rates[-1] == pytest.approx(4000, rel=0.02)


def test_a_file_that_goes_while_it_is_looked_at_is_no_error(tmp_path: Path, free: SimpleNamespace) -> None:
    """The database's journal does, many times a second: a recording ended by that would end at random."""
    stop, event_log = threading.Event(), tmp_path / "capture.sqlite-journal"

    def come_and_go() -> None:
        while not stop.is_set():
            event_log.write_bytes(b"x")
            event_log.unlink()

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        watch = disk.DiskWatch(tmp_path, 1.0 * MB, EventLog())
        for _ in range(5000):
            watch.look()
    finally:
        stop.set()
        thread.join()


def test_each_warning_is_given_once(tmp_path: Path, free: SimpleNamespace) -> None:
    event_log = EventLog()
    watch = disk.DiskWatch(tmp_path, 1.0 * MB, event_log)
    for minutes in (11, 9, 8, 1.5, 1.4):
        free.bytes = disk.LEAST_FREE_BYTES + round(minutes * 60 * MB)
        watch.look()
    assert [row.detail["minutes_left"] for row in event_log.recent(9)] == [9.0, 1.5]


def test_a_disk_with_less_than_a_minute_is_refused_before_anything_is_written(
    fakes: Any, tmp_path: Path, free: SimpleNamespace, short_take: Take
) -> None:
    free.bytes = disk.LEAST_FREE_BYTES + 100_000
    hardware = fakes.hardware(fakes.sensors(1))
    with pytest.raises(DiskFullError, match="too little room") as caught:
        record(hardware, short_take)
    assert "0.2 minutes" in caught.value.why and not list(tmp_path.iterdir())
    assert hardware.radio_open == 0


@pytest.fixture
def short_take(tmp_path: Path) -> Take:
    """A take of ten minutes into ``tmp_path``."""
    from acquire.protocol.protocol import load_protocol

    protocol, _ = load_protocol(None)
    return Take(protocol=protocol, out=tmp_path, subject="S1", seed=1, duration_s=600)


def test_a_disk_that_may_not_last_is_said_and_one_that_fills_up_ends_the_recording(
    fakes: Any, free: SimpleNamespace, short_take: Take
) -> None:
    free.bytes = disk.LEAST_FREE_BYTES + 2 * MB
    hardware = fakes.hardware(fakes.sensors(1))
    minutes: list[float] = []

    def fill(snapshot: Any) -> None:
        if snapshot.phase == "recording":
            minutes.append(snapshot.disk.minutes_left)
            free.bytes = disk.LEAST_FREE_BYTES - 1

    made = record(hardware, short_take, on_progress=fill)
    assert made is not None and made.duration_s < 60 and "67 MB are free" in made.disk_full
    assert any(note.startswith("the disk may not last: 69 MB are free") for note in made.notes)
    assert minutes[0] > 0
    with Capture.open(made.folder) as capture:
        assert capture.manifest["health"]["disk_full"] == made.disk_full
        assert any(what == "the disk is full: the recording ends" for _, _, what, _ in capture.log())
