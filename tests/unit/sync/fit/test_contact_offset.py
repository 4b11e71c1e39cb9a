"""The chance test of the contacts' offset: sensors that respond, at another offset, or not at all."""

from __future__ import annotations

import numpy as np
import pytest

from dataset.capture.types import Sensor
from dataset.support.arrays import FloatArray
from sync.events.contacts import ContactKind
from sync.fit.contact_offset import ContactOffset, locate_responses
from sync.recording_types import SensorRecord
from tests.sensor_records import m40_record

CLAP, STOMP = ContactKind.CLAP, ContactKind.STOMP
LENGTH_S = 150.0


def sensor(slot: int, muscle: str, bursts_s: FloatArray, seed: int, *, dead: bool = False) -> SensorRecord:
    """A 10 Hz sensor: a triangular burst at each time, an exercise of 30 s, random bursts and noise."""
    rng = np.random.default_rng([seed, slot])
    time_s = np.arange(0.0, LENGTH_S, 0.1) + rng.uniform(0.0, 0.1)
    height = rng.uniform(60.0, 200.0)
    own_s = rng.uniform(0.0, LENGTH_S, 8)
    value = 40.0 + rng.normal(0.0, 5.0, len(time_s))
    for at in [*bursts_s, *own_s]:
        value += height * np.clip(1.0 - np.abs(time_s - at) / 0.25, 0.0, None)
    busy = (time_s > 60.0) & (time_s < 90.0)
    value[busy] += height * np.abs(np.sin(2.1 * time_s[busy] + slot))
    value = np.full(len(time_s), 7.0) if dead else np.round(value)
    return m40_record(Sensor(slot=slot, channel=f"{slot}", muscle=muscle, side="left"), time_s, value)


def rig(bursts: dict[str, FloatArray], seed: int, dead: int = 0) -> dict[str, SensorRecord]:
    made = [sensor(slot, muscle, at_s, seed) for slot, (muscle, at_s) in enumerate(bursts.items(), start=1)]
    made += [sensor(20 + k, "biceps", np.zeros(0), seed, dead=True) for k in range(dead)]
    return {f"{d.sensor.slot}": d for d in made}


def contact_times(seed: int, n: int = 8) -> FloatArray:
    rng = np.random.default_rng([seed, 99])
    ends = [5.0 + np.cumsum(rng.uniform(1.2, 4.0, n // 2)), 110.0 + np.cumsum(rng.uniform(1.2, 4.0, n - n // 2))]
    return np.asarray(np.concatenate(ends), dtype=np.float64)


def located(contacts: dict[ContactKind, FloatArray], data: dict[str, SensorRecord]) -> ContactOffset:
    found = locate_responses(contacts, data)
    assert found is not None
    return found


@pytest.mark.parametrize("seed", range(12))
def test_responses_are_supported_and_a_shift_of_the_log_is_found(seed: int) -> None:
    rng = np.random.default_rng(seed)
    delay_s, shift_s = rng.uniform(-0.1, 0.4), rng.uniform(1.0, 15.0) * rng.choice([-1.0, 1.0])
    at_s = contact_times(seed, 12)
    data = rig({"biceps": at_s + delay_s, "triceps": at_s + delay_s}, seed)
    found = located({CLAP: at_s}, data)
    assert found.supported() and not found.contradicted()
    moved = located({CLAP: at_s + shift_s}, data)
    assert moved.contradicted() and not moved.supported()
    assert moved.elsewhere_s == pytest.approx(delay_s - shift_s, abs=0.15)


@pytest.mark.parametrize("n", [3, 5, 8, 16, 24])
def test_claps_of_somebody_else_say_nothing(n: int) -> None:
    """Also where each sensor has bursts of its own, which some claps meet at some offset."""
    data = rig({"biceps": np.zeros(0), "triceps": np.zeros(0)}, n)
    found = [located({CLAP: contact_times(seed, n)}, data) for seed in range(20)]
    assert not any(o.supported() for o in found)
    assert sum(o.contradicted() for o in found) <= 1


def test_false_detections_hide_neither_responses_nor_a_shift() -> None:
    at_s = contact_times(3, 12)
    data = rig({"biceps": at_s + 0.1, "triceps": at_s + 0.1}, 3)
    noise_s = np.random.default_rng(0).uniform(0.0, LENGTH_S, len(at_s))
    assert located({CLAP: np.concatenate([at_s, noise_s])}, data).supported()
    assert located({CLAP: np.concatenate([at_s + 5.0, noise_s])}, data).contradicted()


def test_even_intervals_do_not_contradict_themselves() -> None:
    at_s = np.arange(5.0, 35.0, 2.0)
    found = located({CLAP: at_s}, rig({"biceps": at_s + 0.1}, 4))
    assert found.supported() and not found.contradicted()


def test_dead_sensors_do_not_dilute_live_ones() -> None:
    at_s = contact_times(5)
    assert located({CLAP: at_s}, rig({"biceps": at_s + 0.1, "triceps": at_s + 0.1}, 5, dead=6)).supported()


def test_nothing_is_said_without_a_sensor_or_enough_contacts() -> None:
    at_s = contact_times(6)
    legs = rig({"quadriceps": at_s + 0.1}, 6)
    assert locate_responses({CLAP: at_s}, legs) is None
    assert locate_responses({STOMP: at_s[:2]}, legs) is None
    assert locate_responses({}, legs) is None
    assert locate_responses({CLAP: at_s}, rig({}, 6, dead=3)) is None
    assert locate_responses({STOMP: at_s + 1e6}, legs) is None or not located({STOMP: at_s + 1e6}, legs).supported()
