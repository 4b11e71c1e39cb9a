"""The hub against a fake bleak backend: binding, streaming, drops, epochs, silence."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acquire.journal import Journal
from acquire.sensors.hub import SensorHub
from dataset.capture import Capture
from dataset.capture_writer import CaptureWriter
from dataset.errors import HardwareError


def all_stream(hub: SensorHub) -> bool:
    return all(s.state == "streaming" and s.health.received for s in hub.statuses())


def what(journal: Journal) -> list[str]:
    return [row.what for row in journal.recent(1000)]


def test_every_notification_is_one_row_as_it_came_through_a_drop(fakes: Any, tmp_path: Path) -> None:
    sensors = fakes.sensors(3)
    hardware = fakes.hardware(sensors)
    journal = Journal()
    hub = SensorHub(hardware, journal)
    hub.start()
    fakes.wait_until(lambda: all_stream(hub))
    writer = CaptureWriter(tmp_path, subject="S1", sensors=hub.sensors)
    before = hub.attach(writer)
    fakes.wait_until(lambda: hub.statuses()[0].health.received > 10)
    sensors[0].drop()
    fakes.wait_until(lambda: hub.statuses()[0].reconnects == 1 and hub.statuses()[0].health.received > 20)
    after = hub.detach()
    health = hub.health(after)
    hub.stop()
    writer.close(health)
    assert hardware.radio_open == 0
    assert hardware.air.disconnects.count(sensors[0].address) >= 2, "a lost client is disconnected too"
    with Capture.open(tmp_path) as capture:
        for sensor in capture.sensors:
            got = capture.notifications(sensor.slot)
            sent = next(s.sent for s in sensors if s.address == sensor.address)
            at = sent.index(got.payload[0])
            assert list(got.payload) == sent[at : at + len(got.payload)], "none lost, none twice, none changed"
            np.testing.assert_array_equal(got.host_seq, np.arange(len(got.host_seq)))
            assert np.all(np.diff(got.arrival_ns) > 0)
            assert before < got.arrival_ns[0] and got.arrival_ns[-1] < after
            assert health[sensor.channel]["received"] == len(got.payload)
            epochs = [0, 1] if sensor.address == sensors[0].address else [0]
            assert sorted(set(got.epoch.tolist())) == epochs
            assert [e["epoch"] for e in health[sensor.channel]["epochs"]] == epochs
    assert "disconnected" in what(journal)


def test_connects_one_after_the_other_and_never_reads_the_value(fakes: Any) -> None:
    sensors = fakes.sensors(8)
    hardware = fakes.hardware(sensors)
    hub = SensorHub(hardware, Journal())
    hub.start()
    fakes.wait_until(lambda: all_stream(hub))
    hub.stop()
    assert hardware.air.most_connecting == 1
    assert all("2a58" not in read for s in sensors for read in s.reads)
    assert all(any("2a25" in read for read in s.reads) for s in sensors)
    assert [s.battery_percent for s in hub.statuses()] == [80] * 8


def test_slots_bind_to_the_serial_whatever_the_order_of_discovery(fakes: Any) -> None:
    sensors = fakes.sensors(4)
    slots = tuple(
        slot.__class__(**{f: getattr(slot, f) for f in slot.__slots__} | {"serial": f"SN{5 - slot.slot:03}"})
        for slot in fakes.slots(4)
    )
    hub = SensorHub(fakes.hardware(sensors, slots=slots), Journal())
    hub.start()
    fakes.wait_until(lambda: all_stream(hub))
    hub.stop()
    assert [s.serial for s in hub.sensors] == ["SN004", "SN003", "SN002", "SN001"]
    assert [s.address[-2:] for s in hub.sensors] == ["04", "03", "02", "01"]


def test_a_refused_and_a_late_sensor_come_in_while_the_others_stream(
    fakes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("acquire.sensors.finder.SETTLE_S", 0.1)
    monkeypatch.setattr("acquire.sensors.finder.SCAN_S", 0.3)
    sensors = fakes.sensors(3)
    sensors[0].refusals = 2
    sensors[2].switched_on = False
    hub = SensorHub(fakes.hardware(sensors), Journal())
    hub.start()
    fakes.wait_until(lambda: sum(s.state == "streaming" for s in hub.statuses()) == 2, 12)
    sensors[2].switched_on = True
    fakes.wait_until(lambda: all_stream(hub), 12)
    hub.stop()


def test_silence_is_said_and_ends_in_a_new_epoch(fakes: Any) -> None:
    sensors = fakes.sensors(2)
    journal = Journal()
    hub = SensorHub(fakes.hardware(sensors), journal)
    hub.start()
    fakes.wait_until(lambda: all_stream(hub))
    sensors[1].silent = True
    quiet = next(i for i, s in enumerate(hub.sensors) if s.address == sensors[1].address)
    fakes.wait_until(lambda: hub.statuses()[quiet].state == "stale")
    fakes.wait_until(lambda: hub.statuses()[quiet].reconnects > 0, 8)
    sensors[1].silent = False
    fakes.wait_until(lambda: all_stream(hub), 8)
    assert hub.statuses()[1 - quiet].reconnects == 0, "the other sensor never notices"
    hub.stop()
    order = [w for w in what(journal) if w in ("overdue: late or lost", "stale", "silent: given up")]
    assert [k for k, _ in itertools.groupby(order)] == ["overdue: late or lost", "stale", "silent: given up"]


def test_no_bluetooth_is_one_clear_error(fakes: Any) -> None:
    class Deaf(fakes.hardware):  # type: ignore[name-defined,misc]
        async def open_radio(self) -> Any:
            raise OSError("no such device")

    hub = SensorHub(Deaf(fakes.sensors(1)), Journal())
    with pytest.raises(HardwareError, match="Bluetooth cannot be opened"):
        hub.start()
    hub.stop()
