"""The virtual rig's other devices send what their documents say, each sample once."""

from __future__ import annotations

import numpy as np
import pytest

from acquire.virtual.devices.others import OtherDevice, bitalino_frame, drawn_others, mixed_sensors
from acquire.virtual.faults import Faults
from acquire.virtual.person.world import World
from dataset.capture.types import Notifications
from dataset.muscles import PAPER_CHANNELS
from dataset.sensors.decode import decode
from dataset.sensors.profile import find_profile

BITALINO, BOARD = drawn_others(3)


def test_frames_are_those_derived_by_hand() -> None:
    # See the derivations in test_profiles.py.
    assert bitalino_frame(1, [1]) == bytes([0, 0, 0, 0, 0, 0x04, 0, 0x1B])
    assert bitalino_frame(18, [0, 0, 0, 0, 1, 63]) == bytes([0x7F, 0, 0, 0, 0, 0, 0, 0x24])
    assert bitalino_frame(0, [0, 517, 513, 1]) == bytes([0, 0x10, 0x40, 0x80, 0x05, 0x02, 0, 0x03])


@pytest.mark.parametrize("device", [BITALINO, BOARD])
def test_every_sample_goes_out_in_exactly_one_turn_and_never_before_it_is_taken(device: OtherDevice) -> None:
    turns = np.arange(1000, 1200)
    firsts = np.array([device.first_index(int(t)) for t in turns])
    index = np.arange(firsts[0], firsts[-1])
    np.testing.assert_array_equal(np.searchsorted(device.turn_of(index), turns) + firsts[0], firsts)
    late_ns = device.turns_ns(device.turn_of(index)) - device.samples_ns(index)
    assert late_ns.min() >= 1e9 * device.delay_s - 1 and late_ns.max() <= 1e9 * (device.delay_s + device.turn_s + 0.006)
    assert np.all(np.diff(device.turns_ns(turns)) > 0)


@pytest.mark.parametrize("spec", ["bitalino-ble", "bitalino-ble:2"])
def test_the_decoder_reads_what_the_device_measured_and_the_loss_path_shows(spec: str) -> None:
    world, faults = World(3), Faults(lost_share=0.02, malformed_share=0.02)
    index = np.arange(5000, 9000)
    values = BITALINO.values(world, index)
    pieces = [BITALINO.payload(faults, index[k : k + 20], values[k : k + 20]) for k in range(0, 4000, 20)]
    profile = find_profile(spec)
    rows = Notifications(
        epoch=np.zeros(200, dtype=np.int64),
        host_seq=np.arange(200),
        arrival_ns=np.arange(200) * 20_000_000,
        characteristic=(profile.stream.characteristic,) * 200,
        payload=tuple(pieces),
    )
    samples = decode(profile, rows)
    assert samples.counter is not None
    n_sent = sum(map(len, pieces)) // 8
    assert 40 < 4000 - n_sent < 120 and 40 < samples.n_corrupt < 120
    assert len(samples.value) == n_sent - samples.n_corrupt
    at = np.concatenate([[0], np.cumsum(np.mod(np.diff(samples.counter), 16))])
    kept = index[np.searchsorted(index % 16, 0) :]
    first = int(np.argmax(values[:, profile.stream.column] == samples.value[0]))
    np.testing.assert_array_equal(samples.value, values[first + at, profile.stream.column])
    assert len(kept) and samples.n_malformed == 0


def test_the_mixed_rig_seats_two_muscles_on_one_device() -> None:
    from acquire.virtual.devices.clocks import Devices

    sensors = {s.channel: s for s in mixed_sensors(Devices.drawn(3).rig_sensors(), drawn_others(3))}
    assert list(sensors) == [c.name for c in PAPER_CHANNELS]
    first, second = sensors["left_biceps"], sensors["left_triceps"]
    assert (first.profile.name, second.profile.name) == ("bitalino-ble", "bitalino-ble:2")
    assert first.address == second.address == BITALINO.address and first.adapter == "virtual"
    assert sensors["right_quadriceps"].profile.name == "nus-lines"
    assert sum(s.profile.name == "anr-m40" for s in sensors.values()) == 5
