"""Slots that share a device: one connection, rows stored once, values of a column each."""

from __future__ import annotations

from acquire.bluetooth.shared_devices import SharedDevices
from dataset.capture.types import Sensor
from dataset.sensors.profile import find_profile


def slot(number: int, profile: str = "myo", **fields: str) -> Sensor:
    return Sensor(
        slot=number, channel=f"c{number}", muscle="biceps", side="left", profile=find_profile(profile), **fields
    )


def test_the_first_slot_of_a_device_carries_it() -> None:
    sensors = [
        slot(1, "myo:2", serial="A"), slot(2), slot(3), slot(4, "myo:3", serial="a"), slot(5, "myo:2", address="X"),
        slot(6, "myo:5", address="x"),
    ]  # fmt: skip
    shared = SharedDevices(sensors)
    assert [s.slot for s in shared.carriers] == [1, 2, 3, 5], "slots that name nothing take a device each"
    bound = shared.bound([Sensor(**{f: getattr(s, f) for f in s.__slots__} | {"address": f"AD{s.slot}"})
                          for s in shared.carriers])  # fmt: skip
    assert [(s.slot, s.address, s.profile.name) for s in bound] == [
        (1, "AD1", "myo:2"), (2, "AD2", "myo"), (3, "AD3", "myo"), (4, "AD1", "myo:3"), (5, "AD5", "myo:2"),
        (6, "AD5", "myo:5"),
    ]  # fmt: skip


def test_riders_see_their_own_column_and_count_their_own_health() -> None:
    shared = SharedDevices([slot(1, address="X"), slot(2, "myo:4", address="X")])
    turn = "d5060105-a904-deb9-4748-2c7f4a124842"
    shared.begin(0)
    shared.heard(1, 0, 10_000_000, turn, bytes([0] * 11 + [7] + [0] * 4))
    shared.heard(1, 0, 20_000_000, turn, b"short")
    shared.heard(9, 0, 20_000_000, turn, bytes(16))
    shared.end()
    health = shared.health(1_000_000_000)["c2"]
    assert (health["slot"], health["received"], health["epochs"][0]["malformed"]) == (2, 2, 1)
    # 200 samples a second in notifications of two.
    assert health["expected"] == 100
