"""Which sounds count as contacts: those asked for, and those that sensors answer."""

from __future__ import annotations

import numpy as np
import pytest

from dataset.arrays import FloatArray
from dataset.capture import Sensor
from dataset.profiles import Samples
from dataset.profiles.profile import find_profile
from sync.answering import answered_by_sensors, answered_cues, answered_unasked
from sync.arrivals import sensor_clock
from sync.detect.contact import Contact
from sync.sensors import SensorData

ASKED_S = np.array([4.0, 6.3, 9.1, 11.0, 40.2, 43.0, 45.1, 48.4])
UNASKED_S, WORD_S, SOFT_S = 26.3, 30.7, 33.9


def sound(at_s: float, loudness: float = 0.5) -> Contact:
    return Contact(time_s=at_s, uncertainty_s=0.002, kind="clap", loudness=loudness, contrast=20.0)


def arms(answered_s: FloatArray) -> dict[str, SensorData]:
    """Two biceps at 10 Hz that answer each of the given contacts 80 ms late."""
    rng = np.random.default_rng(1)
    data = {}
    for slot, side in enumerate(("left", "right"), start=1):
        time_s = np.arange(0.0, 55.0, 0.1) + 0.01 * slot
        level = sum(np.exp(-0.5 * ((time_s - at - 0.08) / 0.09) ** 2) for at in answered_s)
        value = np.round(60.0 + 150.0 * level + rng.normal(0, 4, len(time_s)))
        epoch = np.zeros(len(time_s), dtype=np.int64)
        channel = f"{side}_biceps"
        data[channel] = SensorData(
            sensor=Sensor(slot=slot, channel=channel, muscle="biceps", side=side, profile="anr-m40"),
            profile=find_profile("anr-m40"),
            samples=Samples(
                arrival_ns=np.round(time_s * 1e9).astype(np.int64), epoch=epoch, value=value, n_malformed=0,
                n_out_of_range=0,
            ),
            arrival_s=time_s,
            clock=sensor_clock(time_s, epoch, 10.0, None),
        )  # fmt: skip
    return data


@pytest.fixture
def heard() -> tuple[tuple[Contact, ...], FloatArray]:
    """The contacts asked for, one nobody asked for, a word that begins like a clap, and a soft knock; host times."""
    contacts = (*(sound(at) for at in ASKED_S), sound(UNASKED_S), sound(WORD_S), sound(SOFT_S, loudness=0.05))
    return contacts, np.array([c.time_s for c in contacts])


def test_a_clap_nobody_asked_for_counts_where_sensors_answer_it(heard: tuple[tuple[Contact, ...], FloatArray]) -> None:
    contacts, host_s = heard
    asked = answered_cues(ASKED_S - 0.4, "clap", contacts, host_s)
    assert asked == list(range(8))
    data = arms(np.append(ASKED_S, (UNASKED_S, SOFT_S)))
    # The soft knock is answered as well - by accident, one has to think - and is no clap of this person's.
    assert answered_unasked("clap", asked, contacts, host_s, data) == [8]


def test_what_no_sensor_answers_does_not_count(heard: tuple[tuple[Contact, ...], FloatArray]) -> None:
    contacts, host_s = heard
    data = arms(ASKED_S)
    assert answered_unasked("clap", list(range(8)), contacts, host_s, data) == []
    assert answered_unasked("clap", [0, 1], contacts, host_s, data) == []  # too few to know how they answer
    assert answered_unasked("clap", list(range(8)), contacts, host_s, {}) == []


def test_without_cues_the_sensors_tell_alone(heard: tuple[tuple[Contact, ...], FloatArray]) -> None:
    contacts, host_s = heard
    assert answered_by_sensors("clap", contacts, host_s, arms(np.append(ASKED_S, UNASKED_S))) == list(range(9))
    assert answered_by_sensors("stomp", contacts, host_s, arms(ASKED_S)) == []
