"""Counts, rates and gaps of one sensor; the journal before and after a recording begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from acquire.health import SensorHealth
from acquire.journal import Journal
from dataset.capture import Capture
from dataset.capture_writer import CaptureWriter
from dataset.profiles.profile import find_profile

MS = 1_000_000


def test_rate_gap_and_epochs_are_counted_from_the_recordings_begin() -> None:
    health = SensorHealth(find_profile("anr-m40"))
    for k in range(20):
        health.add(0, k * 100 * MS, float(k))
    health.begin(2000 * MS)
    for k in range(20, 50):
        health.add(0, k * 100 * MS, float(k))
    health.add(1, 6900 * MS, None)
    health.add(1, 7000 * MS, 7.0)
    live = health.live(7000 * MS)
    assert (live.received, live.expected, live.malformed, live.value) == (32, 50, 1, 7.0)
    assert live.largest_gap_s == pytest.approx(0.1), "the pause between two epochs belongs to neither"
    assert live.trace[:3] == (0.0, 1.0, 2.0), "the trace goes on across the begin"
    summary = health.summary(7000 * MS)
    assert [(e["epoch"], e["received"], e["malformed"]) for e in summary["epochs"]] == [(0, 30, 0), (1, 2, 1)]
    assert summary["epochs"][0]["rate_hz"] == 10.0


def test_the_live_rate_is_steady_while_values_come_and_falls_in_silence() -> None:
    health = SensorHealth(find_profile("anr-m40"))
    assert health.live(0).rate_hz == 0.0
    for k in range(60):
        health.add(0, k * 100 * MS, 1.0)
    rates = [health.live(5900 * MS + late * MS).rate_hz for late in (0, 50, 99, 150)]
    assert rates == pytest.approx([10.0] * 4)
    assert health.live(6900 * MS).rate_hz < 8
    assert health.live(9500 * MS).rate_hz == 0.0
    assert health.live(9500 * MS).silent_s == pytest.approx(3.6)


def test_rows_from_before_the_recording_are_in_its_log_and_those_after_it_are_not(fakes: Any, tmp_path: Path) -> None:
    journal = Journal()
    journal.log("info", "before", {"n": 1}, t_ns=5)
    writer = CaptureWriter(tmp_path, subject="S1", sensors=fakes.slots(1))
    journal.attach(writer)
    journal.log("warning", "during")
    journal.detach()
    journal.log("info", "after")
    writer.close()
    with Capture.open(tmp_path) as capture:
        assert [(level, what) for _, level, what, _ in capture.log()] == [("info", "before"), ("warning", "during")]
        assert capture.log()[0][0] == 5
    assert [row.what for row in journal.recent(2)] == ["during", "after"]
