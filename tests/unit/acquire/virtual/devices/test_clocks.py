"""Devices measure and deliver as their constants say, and nobody could know the constants beforehand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acquire.virtual import chance
from acquire.virtual.devices.clocks import CameraClock, Devices, SensorClock
from acquire.virtual.faults import Faults
from dataset.sensors.profile import find_profile

NOW_NS = 8_765_432_109_876


def _camera(**changes: float) -> CameraClock:
    values = {
        "zero_ns": -5, "rate_ppm": 40.0, "exposure_s": 0.008, "readout_s": 0.020, "latency_s": 0.06,
        "jitter_s": 0.002, "dropped_share": 0.05,
    }  # fmt: skip
    return CameraClock(name="camera", **(values | changes))  # type: ignore[arg-type]


@given(st.integers(0, 10**6), st.integers(10**9, 10**15))
@settings(max_examples=30, deadline=None)
def test_the_next_value_is_the_first_that_is_still_to_come(seed: int, now_ns: int) -> None:
    clock = Devices.drawn(seed).sensors[seed % 8]
    index = clock.next_index(now_ns)
    assert clock.send_ns(index) >= now_ns
    assert clock.send_ns(index - 1) < now_ns
    start_ns, stop_ns = clock.interval_ns(index)
    assert clock.interval_ns(index + 1)[0] == stop_ns
    assert stop_ns - start_ns == pytest.approx(0.1e9 * (1 + clock.rate_ppm * 1e-6), abs=2)


def test_values_are_late_by_the_delay_and_at_most_a_little_more() -> None:
    for clock in Devices.drawn(3, Faults(pauses_per_minute=0.0)).sensors:
        index = np.arange(clock.next_index(NOW_NS), clock.next_index(NOW_NS) + 3000)
        late_s = (clock.sends_ns(index) - clock.centres_ns(index)) * 1e-9
        assert late_s.min() == pytest.approx(clock.delay_s, abs=0.002)
        assert late_s.min() >= clock.delay_s - 1e-8
        assert np.percentile(late_s, 99) < clock.delay_s + clock.connection_interval_s + 0.008
        assert clock.delay_s > 0.05  # never before the averaging interval has ended


def test_after_a_pause_the_values_catch_up_in_order() -> None:
    clock = SensorClock(
        name="s", zero_ns=0, rate_ppm=0.0, delay_s=0.1, connection_interval_s=0.01, pauses_per_minute=3.0,
        longest_pause_s=2.0,
    )  # fmt: skip
    index = np.arange(100_000, 103_000)
    sends = clock.sends_ns(index)
    late_s = (sends - clock.centres_ns(index)) * 1e-9
    held = late_s > 0.15
    assert 20 < held.sum() < 600
    assert late_s.max() < 2.2
    gaps_s = np.diff(sends)[held[1:] & held[:-1]] * 1e-9
    assert np.median(gaps_s) < 0.01
    assert np.all(np.diff(sends) > 0)


def test_frames_arrive_after_they_were_exposed_at_the_cameras_own_rate() -> None:
    camera = _camera()
    index = np.arange(camera.next_index(NOW_NS), camera.next_index(NOW_NS) + 5000)
    assert camera.arrivals_ns(index)[0] >= NOW_NS
    late_s = (camera.arrivals_ns(index) - camera.centres_ns(index)) * 1e-9
    # Half the readout and exposure are still to come after the centre.
    assert late_s.min() == pytest.approx(0.060 + 0.014, abs=0.0005)
    period_s = float(np.diff(camera.starts_ns(index)).mean()) * 1e-9
    assert period_s == pytest.approx((1 + 40e-6) / 30, rel=1e-9)
    assert 0.03 < camera.dropped(index).mean() < 0.07


@given(st.floats(-0.06, 0.06), st.floats(0.001, 0.12))
@settings(max_examples=60, deadline=None)
def test_a_flash_lights_the_rows_that_were_open(begin_s: float, length_s: float) -> None:
    camera = _camera()
    height, index = 60, 4321
    start_ns = int(camera.starts_ns(np.array([index]))[0])
    on_ns = start_ns + round(begin_s * 1e9)
    off_ns = on_ns + round(length_s * 1e9)
    rows = camera.lit_rows(index, height, [(on_ns, off_ns)])
    for row in range(0, height, 7):
        # Count the instants of the row's exposure in which the LED was on.
        opens_ns = start_ns + row / (height - 1) * camera.readout_s * 1e9
        instants = opens_ns + (np.arange(4000) + 0.5) / 4000 * camera.exposure_s * 1e9
        assert rows[row] == pytest.approx(np.mean((instants >= on_ns) & (instants < off_ns)), abs=0.001)


def test_the_middle_row_is_exposed_round_the_frames_centre() -> None:
    camera = _camera()
    centre_ns = int(camera.centres_ns(np.array([77]))[0])
    rows = camera.lit_rows(77, 481, [(centre_ns - 10**12, centre_ns)])
    assert rows[240] == pytest.approx(0.5, abs=1e-3)
    assert rows[0] > rows[240] > rows[480]


def test_sound_arrives_in_blocks_after_its_last_sample() -> None:
    microphone = Devices.drawn(9).microphone
    block = microphone.next_block(NOW_NS)
    assert microphone.sample_ns(block * 320) >= NOW_NS
    assert microphone.sample_ns((block - 1) * 320) < NOW_NS
    late = [microphone.arrival_ns(b) - microphone.sample_ns((b + 1) * 320) for b in range(block, block + 200)]
    assert min(late) * 1e-9 == pytest.approx(microphone.latency_s, abs=0.0005)


def test_every_seed_draws_other_devices_and_none_has_the_priors() -> None:
    drawn = [Devices.drawn(seed) for seed in range(60)]
    prior = find_profile("anr-m40").delay
    delays = [sensor.delay_s for devices in drawn for sensor in devices.sensors]
    assert len(set(delays)) == len(delays)
    assert min(abs(d - prior.prior_s) for d in delays) > 1e-6
    assert 0.04 < min(delays) < 0.08
    assert 0.19 < max(delays) < 0.22
    assert np.std([d.camera.latency_s for d in drawn]) > 0.01
    assert all(2.0 <= d.body_distance_m <= 3.0 for d in drawn)
    assert Devices.drawn(5) == Devices.drawn(5)


def test_the_rig_has_eight_sensors_with_equal_names_and_their_own_serials() -> None:
    sensors = Devices.drawn(2).rig_sensors()
    assert [s.slot for s in sensors] == list(range(1, 9))
    assert {s.name for s in sensors} == {"ANR Corp M40"}
    assert len({s.serial for s in sensors}) == len({s.address for s in sensors}) == 8


def test_chance_is_uniform_normal_and_different_by_name() -> None:
    index = np.arange(20_000) * 100_000_000
    uniform, normal = chance.uniform("a", index), chance.normal("a", index)
    assert abs(uniform.mean() - 0.5) < 0.01
    assert abs(uniform.std() - 12**-0.5) < 0.01
    assert abs(normal.mean()) < 0.03
    assert abs(normal.std() - 1.0) < 0.03
    for a, b in itertools.combinations((uniform, chance.uniform("b", index), chance.uniform("a", index + 1)), 2):
        assert abs(np.corrcoef(a, b)[0, 1]) < 0.03
    assert abs(np.corrcoef(uniform[1:], uniform[:-1])[0, 1]) < 0.03
