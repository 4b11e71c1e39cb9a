"""The hub against a fake bleak backend: binding, streaming, drops, epochs, silence."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acquire.bluetooth.manager import SensorManager
from acquire.event_log import EventLog
from dataset.capture.reader import Capture
from dataset.capture.writer import CaptureWriter
from dataset.support.errors import HardwareError


def all_stream(manager: SensorManager) -> bool:
    return all(s.state == "streaming" and s.health.received for s in manager.statuses())


@contextmanager
def running(hardware: Any, event_log: EventLog) -> Iterator[SensorManager]:
    manager = SensorManager(hardware, event_log)
    try:
        manager.start()
        yield manager
    finally:
        manager.stop()


def what(event_log: EventLog) -> list[str]:
    return [row.what for row in event_log.recent(1000)]


def test_every_notification_is_one_row_as_it_came_through_a_drop(fakes: Any, tmp_path: Path) -> None:
    sensors = fakes.sensors(3)
    hardware = fakes.hardware(sensors)
    event_log = EventLog()
    manager = SensorManager(hardware, event_log)
    manager.start()
    fakes.wait_until(lambda: all_stream(manager))
    writer = CaptureWriter(tmp_path, subject="S1", sensors=manager.sensors)
    before = manager.attach(writer)
    fakes.wait_until(lambda: manager.statuses()[0].health.received > 10)
    sensors[0].drop()
    fakes.wait_until(lambda: manager.statuses()[0].reconnects == 1 and manager.statuses()[0].health.received > 20)
    after = manager.detach()
    health = manager.health(after)
    manager.stop()
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
    assert "disconnected" in what(event_log)


def test_connects_one_after_the_other_and_never_reads_the_value(fakes: Any) -> None:
    sensors = fakes.sensors(8)
    hardware = fakes.hardware(sensors)
    manager = SensorManager(hardware, EventLog())
    manager.start()
    fakes.wait_until(lambda: all_stream(manager))
    manager.stop()
    assert hardware.air.most_connecting == 1
    assert all("2a58" not in read for s in sensors for read in s.reads)
    assert all(any("2a25" in read for read in s.reads) for s in sensors)
    assert [s.battery_percent for s in manager.statuses()] == [80] * 8


def test_slots_bind_to_the_serial_whatever_the_order_of_discovery(fakes: Any) -> None:
    sensors = fakes.sensors(4)
    slots = tuple(
        slot.__class__(**{f: getattr(slot, f) for f in slot.__slots__} | {"serial": f"SN{5 - slot.slot:03}"})
        for slot in fakes.slots(4)
    )
    manager = SensorManager(fakes.hardware(sensors, slots=slots), EventLog())
    manager.start()
    fakes.wait_until(lambda: all_stream(manager))
    manager.stop()
    assert [s.serial for s in manager.sensors] == ["SN004", "SN003", "SN002", "SN001"]
    assert [s.address[-2:] for s in manager.sensors] == ["04", "03", "02", "01"]


def test_a_refused_and_a_late_sensor_come_in_while_the_others_stream(fakes: Any) -> None:
    sensors = fakes.sensors(3)
    sensors[0].refusals = 2
    sensors[2].switched_on = False
    manager = SensorManager(fakes.hardware(sensors, scan_s=0.3, settle_s=0.1), EventLog())
    manager.start()
    fakes.wait_until(lambda: sum(s.state == "streaming" for s in manager.statuses()) == 2, 12)
    sensors[2].switched_on = True
    fakes.wait_until(lambda: all_stream(manager), 12)
    manager.stop()


def test_silence_is_said_and_ends_in_a_new_epoch(fakes: Any) -> None:
    sensors = fakes.sensors(2)
    event_log = EventLog()
    manager = SensorManager(fakes.hardware(sensors), event_log)
    manager.start()
    fakes.wait_until(lambda: all_stream(manager))
    sensors[1].silent = True
    quiet = next(i for i, s in enumerate(manager.sensors) if s.address == sensors[1].address)
    fakes.wait_until(lambda: manager.statuses()[quiet].state == "stale")
    fakes.wait_until(lambda: manager.statuses()[quiet].reconnects > 0, 8)
    sensors[1].silent = False
    fakes.wait_until(lambda: all_stream(manager), 8)
    assert manager.statuses()[1 - quiet].reconnects == 0, "the other sensor never notices"
    manager.stop()
    order = [w for w in what(event_log) if w in ("overdue: late or lost", "stale", "silent: connection closed")]
    assert [k for k, _ in itertools.groupby(order)] == ["overdue: late or lost", "stale", "silent: connection closed"]


def test_each_adapter_does_one_thing_at_a_time_and_only_its_own_sensors(fakes: Any) -> None:
    sensors = fakes.sensors(6)
    for i, sensor in enumerate(sensors):
        sensor.adapter = f"hci{i % 2}"
    slots = tuple(replace(s, adapter=f"hci{(s.slot - 1) % 2}", serial=f"SN{s.slot:03}") for s in fakes.slots(6))
    hardware, event_log = fakes.hardware(sensors, slots=slots), EventLog()
    with running(hardware, event_log) as manager:
        fakes.wait_until(lambda: all_stream(manager))
        for sensor in sensors:
            sensor.drop()
        fakes.wait_until(lambda: all(s.reconnects == 1 for s in manager.statuses()) and all_stream(manager))
    assert dict(hardware.air.most_busy) == {"hci0": 1, "hci1": 1}
    assert [row.detail for row in event_log.recent(1000) if row.what == "adapter"] == [
        {"adapter": "hci0", "slots": [1, 3, 5]},
        {"adapter": "hci1", "slots": [2, 4, 6]},
    ]


def test_a_lost_client_has_been_disconnected_before_its_sensor_is_connected_again(fakes: Any) -> None:
    """Else BlueZ delivers everything twice, then three times (bleak#2002)."""
    sensors = fakes.sensors(2)
    hardware = fakes.hardware(sensors)
    with running(hardware, EventLog()) as manager:
        for n in range(1, 4):
            fakes.wait_until(lambda: all_stream(manager))
            sensors[0].drop()
            fakes.wait_until(lambda n=n: any(s.reconnects == n for s in manager.statuses()))
    done = [what for what, address in hardware.air.history if address == sensors[0].address]
    assert done == ["connected", "disconnected"] * 4


def test_an_adapter_that_fails_is_told_once_and_so_is_its_return(fakes: Any) -> None:
    sensors = fakes.sensors(2)
    hardware, event_log = fakes.hardware(sensors), EventLog()
    with running(hardware, event_log) as manager:
        fakes.wait_until(lambda: all_stream(manager))
        hardware.air.scan_failure = "org.bluez.Error.NotReady"
        sensors[0].drop()
        fakes.wait_until(lambda: what(event_log).count("not found") >= 3)
        hardware.air.scan_failure = ""
        fakes.wait_until(lambda: all_stream(manager) and any(s.reconnects for s in manager.statuses()))
    told = [row for row in event_log.recent(1000) if row.what.startswith("adapter ")]
    assert [(row.level, row.what) for row in told] == [("error", "adapter failed"), ("info", "adapter back")]
    assert told[0].detail["error"] == "org.bluez.Error.NotReady"


def test_slots_without_a_name_are_filled_by_address_and_that_is_told(fakes: Any) -> None:
    sensors = fakes.sensors(4)
    hardware, event_log = fakes.hardware(sensors[::-1]), EventLog()
    with running(hardware, event_log) as manager:
        fakes.wait_until(lambda: all_stream(manager))
        assert [s.address for s in manager.sensors] == sorted(s.address for s in sensors)
    assert what(event_log).count("sensor not named in the rig file") == 4


def test_a_serial_that_could_not_be_read_is_asked_for_again(fakes: Any) -> None:
    sensors = fakes.sensors(1)
    sensors[0].unreadable = 1
    event_log = EventLog()
    slots = tuple(replace(s, serial="SN001") for s in fakes.slots(1))
    with running(fakes.hardware(sensors, slots=slots), event_log) as manager:
        fakes.wait_until(lambda: all_stream(manager))
    assert "connecting failed" in what(event_log)
    assert "sensor without a slot" not in what(event_log)


def test_a_sensor_of_no_slot_is_let_go_told_once_and_left_alone(fakes: Any) -> None:
    sensors = fakes.sensors(2)
    sensors[0].serial = ""  # it does not tell; and the rig names its slots by serial
    event_log, hardware = EventLog(), fakes.hardware(sensors, scan_s=0.1, settle_s=0.05)
    hardware.sensors = tuple(replace(s, serial=f"SN{s.slot:03}") for s in fakes.slots(2))
    with running(hardware, event_log) as manager:
        fakes.wait_until(lambda: manager.statuses()[1].state == "streaming" and what(event_log).count("not found") >= 2)
        assert manager.statuses()[0].state == "scanning"
        assert sensors[0].client is None
    assert what(event_log).count("sensor without a slot") == 1


def test_a_sensor_whose_slot_waits_before_its_next_try_is_no_stranger(fakes: Any) -> None:
    sensors = fakes.sensors(2)
    sensors[0].unsubscribable = 3
    sensors[1].switched_on = False  # so that somebody scans all the time
    event_log = EventLog()
    slots = tuple(replace(s, serial=f"SN{s.slot:03}") for s in fakes.slots(2))
    hardware = fakes.hardware(sensors, slots=slots, scan_s=0.05, settle_s=0.02)
    with running(hardware, event_log) as manager:
        fakes.wait_until(lambda: manager.statuses()[0].state == "streaming", 10)
    assert "sensor without a slot" not in what(event_log)


def test_what_a_stack_raises_of_its_own_is_a_failed_connection(fakes: Any) -> None:
    sensors = fakes.sensors(2)
    sensors[0].surprises = 2
    event_log = EventLog()
    with running(fakes.hardware(sensors), event_log) as manager:
        fakes.wait_until(lambda: all_stream(manager))
    failed = [row.detail["error"] for row in event_log.recent(1000) if row.what == "connecting failed"]
    assert failed == ["KeyError('org.bluez.Device1')"] * 2


def test_a_refused_subscription_is_tried_again_and_leaves_no_hole_in_the_epochs(fakes: Any, tmp_path: Path) -> None:
    sensors = fakes.sensors(1)
    sensors[0].unsubscribable = 1
    with running(fakes.hardware(sensors), EventLog()) as manager:
        writer = CaptureWriter(tmp_path, subject="S1", sensors=manager.sensors)
        manager.attach(writer)
        fakes.wait_until(lambda: all_stream(manager))
        sensors[0].unsubscribable = 1
        sensors[0].drop()
        fakes.wait_until(lambda: manager.statuses()[0].reconnects == 1 and manager.statuses()[0].health.silent_s < 0.05)
        health = manager.health(manager.detach())
    writer.close()
    with Capture.open(tmp_path) as capture:
        assert sorted(set(capture.notifications(1).epoch.tolist())) == [0, 1]
    assert [e["epoch"] for e in health["left_biceps"]["epochs"]] == [0, 1]


def test_epochs_count_from_the_recording_in_capture_and_manifest_alike(fakes: Any, tmp_path: Path) -> None:
    sensors = fakes.sensors(1)
    with running(fakes.hardware(sensors), EventLog()) as manager:
        fakes.wait_until(lambda: all_stream(manager))
        sensors[0].drop()
        fakes.wait_until(lambda: manager.statuses()[0].reconnects == 1 and manager.statuses()[0].health.received > 5)
        writer = CaptureWriter(tmp_path, subject="S1", sensors=manager.sensors)
        manager.attach(writer)
        fakes.wait_until(lambda: manager.statuses()[0].health.received > 5)
        assert manager.statuses()[0].reconnects == 0
        health = manager.health(manager.detach())
    writer.close()
    with Capture.open(tmp_path) as capture:
        assert set(capture.notifications(1).epoch.tolist()) == {0}
    (epoch,) = health["left_biceps"]["epochs"]
    assert epoch["epoch"] == 0
    assert epoch["opened_ns"] <= epoch["first_ns"] < epoch["last_ns"] <= epoch["closed_ns"]


def test_a_blocked_loop_is_told_and_no_sensor_is_blamed(fakes: Any) -> None:
    event_log, sensors = EventLog(), fakes.sensors(4)
    for sensor in sensors:
        sensor.period_s = 0.1  # so that the watch wakes before most of what has arrived is seen
    with running(fakes.hardware(sensors), event_log) as manager:
        fakes.wait_until(lambda: all_stream(manager))
        manager._loop.call_soon_threadsafe(time.sleep, 0.8)
        fakes.wait_until(lambda: "the Bluetooth loop was blocked" in what(event_log))
        time.sleep(0.3)
        assert all_stream(manager)
    assert "stale" not in what(event_log)
    (lag,) = (row.detail["lag_s"] for row in event_log.recent(1000) if row.what == "the Bluetooth loop was blocked")
    assert 0.7 < lag < 2.0


def test_no_bluetooth_is_one_clear_error(fakes: Any) -> None:
    class Deaf(fakes.hardware):  # type: ignore[misc]
        async def open_radio(self) -> Any:
            raise OSError("no such device")

    manager = SensorManager(Deaf(fakes.sensors(1)), EventLog())
    with pytest.raises(HardwareError, match="Bluetooth cannot be opened"):
        manager.start()
    manager.stop()
