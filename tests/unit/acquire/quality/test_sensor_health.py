"""Counts, rates and gaps of one sensor; the journal before and after a recording begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acquire.event_log import EventLog
from acquire.quality.sensor_health import SensorHealth
from dataset.capture.reader import Capture
from dataset.capture.writer import CaptureWriter
from dataset.sensors.profile import find_profile

MS = 1_000_000
M40 = find_profile("anr-m40")


def test_rate_gap_and_epochs_are_counted_from_the_recordings_begin() -> None:
    health = SensorHealth(M40)
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


def test_each_connection_is_accounted_for_from_its_opening_to_its_end() -> None:
    health = SensorHealth(M40)
    health.battery(90)
    health.begin(0)
    health.open(0, 1000 * MS)
    for k in range(11, 31):
        health.add(0, k * 100 * MS, 500.0)
    health.battery(80)
    health.battery(79)
    health.close(5000 * MS)  # 2 s of silence until the stack noticed
    health.open(1, 7000 * MS)
    for k in range(71, 91):
        health.add(1, k * 100 * MS, 1500.0)
    found = health.summary(9500 * MS)
    assert (found["received"], found["expected"], found["reconnects"]) == (40, 95, 1)
    assert found["away_s"] == pytest.approx(1.0 + 2.0)
    assert found["stale_s"] == pytest.approx(1.5)
    assert found["largest_gap_s"] == pytest.approx(2.0), "the silence before a lost link is a gap of that connection"
    first, second = found["epochs"]
    assert (first["expected"], first["opened_ns"], first["closed_ns"]) == (40, 1000 * MS, 5000 * MS)
    assert (first["battery_percent"], second["battery_percent"]) == ([90, 79], [79])
    assert (first["out_of_range"], second["out_of_range"]) == (0, 20)
    assert second["expected"] == 25
    assert first["jitter_s"] == {"p50": 0.0, "p95": 0.0, "p99": 0.0, "max": 0.0}
    assert health.summary(9500 * MS) == found, "asking twice changes nothing"


def test_a_connection_without_a_value_is_in_the_manifest_too() -> None:
    health = SensorHealth(M40)
    health.begin(0)
    health.open(0, 0)
    health.close(3000 * MS)
    (epoch,) = health.summary(4000 * MS)["epochs"]
    assert (epoch["received"], epoch["expected"], epoch["stale_s"]) == (0, 30, 2.5)


def test_live_and_manifest_say_the_same() -> None:
    rng = np.random.default_rng(3)
    health = SensorHealth(M40)
    health.begin(0)
    health.open(0, 0)
    for k, late_ms in enumerate(rng.uniform(0, 30, 200)):
        if k not in (50, 51):
            health.add(0, round((100 * (k + 1) + late_ms) * MS), 1.0)
    live, stored = health.live(20_100 * MS), health.summary(20_100 * MS)
    assert (live.received, live.expected, live.suspected_lost) == (198, 201, 2)
    assert [stored[key] for key in ("received", "expected", "suspected_lost")] == [198, 201, 2]
    assert live.jitter_p95_s == pytest.approx(0.0285, abs=0.002)
    assert stored["epochs"][0]["jitter_s"]["p95"] == pytest.approx(live.jitter_p95_s)
    assert health.live(23_100 * MS).stale_s == pytest.approx(2.6, abs=0.05), "silence that lasts counts already"


@given(st.integers(0, 10**6), st.integers(0, 60), st.floats(0.3, 2.9))
@settings(deadline=None, max_examples=40)
def test_a_burst_after_a_pause_is_no_surplus(seed: int, begin: int, length_s: float) -> None:
    """However the pauses lie, as long as they do not end the connection."""
    rng = np.random.default_rng(seed)
    at_s = np.arange(120) * 0.1 + rng.uniform(0, 0.03, 120)
    held_s = np.where((at_s >= begin * 0.1) & (at_s < begin * 0.1 + length_s), begin * 0.1 + length_s, at_s)
    health = SensorHealth(M40)
    health.open(0, 0)
    for t in np.sort(held_s):
        health.add(0, round(t * 1e9) + 100 * MS, 1.0)
        assert not health.live(round(t * 1e9) + 100 * MS).surplus


def test_a_stream_delivered_twice_is_a_surplus_within_two_seconds() -> None:
    health = SensorHealth(M40)
    health.open(0, 0)
    for k in range(1, 21):
        health.add(0, k * 100 * MS, 1.0)
        health.add(0, k * 100 * MS + 1, 1.0)
    assert health.live(2000 * MS).surplus
    health.close(2000 * MS)
    assert not health.live(2100 * MS).surplus, "the next connection may be a good one"


def test_the_live_rate_is_steady_while_values_come_and_falls_in_silence() -> None:
    health = SensorHealth(M40)
    assert health.live(0).rate_hz == 0.0
    for k in range(60):
        health.add(0, k * 100 * MS, 1.0)
    rates = [health.live(5900 * MS + late * MS).rate_hz for late in (0, 50, 99, 150)]
    assert rates == pytest.approx([10.0] * 4)
    assert health.live(6900 * MS).rate_hz < 8
    assert health.live(9500 * MS).rate_hz == 0.0
    assert health.live(9500 * MS).silent_s == pytest.approx(3.6)


def test_rows_from_before_the_recording_are_in_its_log_and_those_after_it_are_not(fakes: Any, tmp_path: Path) -> None:
    event_log = EventLog()
    event_log.log("info", "before", {"n": 1}, t_ns=5)
    writer = CaptureWriter(tmp_path, subject="S1", sensors=fakes.slots(1))
    event_log.attach(writer)
    event_log.log("warning", "during")
    event_log.detach()
    event_log.log("info", "after")
    writer.close()
    with Capture.open(tmp_path) as capture:
        assert [(level, what) for _, level, what, _ in capture.log()] == [("info", "before"), ("warning", "during")]
        assert capture.log()[0][0] == 5
    assert [row.what for row in event_log.recent(2)] == ["during", "after"]
