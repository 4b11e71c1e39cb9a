"""Which sounds count as contacts: those asked for, and those that sensors answer."""

from __future__ import annotations

import numpy as np
import pytest

from dataset.capture.types import Sensor
from dataset.support.arrays import FloatArray
from sync.events.contacts import Contact, ContactKind
from sync.fit.contact_selection import answered_by_sensors, answered_cues, emg_confirmed_contacts
from sync.recording_types import SensorRecord
from tests.sensor_records import m40_record

CLAP, STOMP, SNAP = ContactKind.CLAP, ContactKind.STOMP, ContactKind.SNAP
ASKED_S = np.array([4.0, 6.3, 9.1, 11.0, 40.2, 43.0, 45.1, 48.4])
UNASKED_S, WORD_S, SOFT_S = 26.3, 30.7, 33.9
CUES_S, NO_CUES = ASKED_S - 0.4, np.zeros(0)


def sound(at_s: float, loudness: float = 0.5, kind: ContactKind = CLAP, uncertainty_s: float = 0.002) -> Contact:
    return Contact(time_s=at_s, uncertainty_s=uncertainty_s, kind=kind, loudness=loudness, contrast=20.0)


def times(contacts: tuple[Contact, ...]) -> FloatArray:
    return np.array([c.time_s for c in contacts])


def arms(answered_s: FloatArray, noise: float = 4.0) -> dict[str, SensorRecord]:
    """Two biceps at 10 Hz that answer each of the given contacts 80 ms late."""
    rng = np.random.default_rng(1)
    data = {}
    for slot, side in enumerate(("left", "right"), start=1):
        time_s = np.arange(0.0, 55.0, 0.1) + 0.01 * slot
        level = sum(np.exp(-0.5 * ((time_s - at - 0.08) / 0.09) ** 2) for at in answered_s)
        value = np.round(60.0 + 150.0 * level + rng.normal(0, noise, len(time_s)))
        channel = f"{side}_biceps"
        data[channel] = m40_record(Sensor(slot=slot, channel=channel, muscle="biceps", side=side), time_s, value)
    return data


@pytest.fixture
def heard() -> tuple[tuple[Contact, ...], FloatArray]:
    """The contacts asked for, one nobody asked for, a word that begins like a clap, and a soft knock; host times."""
    contacts = (*(sound(at) for at in ASKED_S), sound(UNASKED_S), sound(WORD_S), sound(SOFT_S, loudness=0.05))
    return contacts, times(contacts)


def test_a_clap_nobody_asked_for_counts_where_sensors_answer_it(heard: tuple[tuple[Contact, ...], FloatArray]) -> None:
    contacts, host_s = heard
    asked = answered_cues(CUES_S, CLAP, contacts, host_s)
    assert asked == list(range(8))
    data = arms(np.append(ASKED_S, (UNASKED_S, SOFT_S)))
    # The soft knock is answered as well - by accident, one has to think - and is no clap of this person's.
    assert emg_confirmed_contacts(CLAP, CUES_S, asked, contacts, host_s, data) == [8]


def test_what_no_sensor_answers_does_not_count(heard: tuple[tuple[Contact, ...], FloatArray]) -> None:
    contacts, host_s = heard
    data = arms(ASKED_S)
    assert emg_confirmed_contacts(CLAP, CUES_S, list(range(8)), contacts, host_s, data) == []
    # Too few to know how they answer.
    assert emg_confirmed_contacts(CLAP, CUES_S, [0, 1], contacts, host_s, data) == []
    assert emg_confirmed_contacts(CLAP, CUES_S, list(range(8)), contacts, host_s, {}) == []


def test_a_clap_that_sounded_like_a_snap_counts_where_it_was_asked_for_and_answered() -> None:
    contacts = tuple(sound(at, kind=SNAP if i in (2, 5) else CLAP) for i, at in enumerate(ASKED_S))
    known = answered_cues(CUES_S, CLAP, contacts, times(contacts))
    assert known == [0, 1, 3, 4, 6, 7]
    # The sixth was a snap of the fingers: the cue was missed, and no arm moved.
    data = arms(np.delete(ASKED_S, 5))
    assert emg_confirmed_contacts(CLAP, CUES_S, known, contacts, times(contacts), data) == [2]


def test_what_was_asked_for_needs_no_clear_answer_but_the_usual_one() -> None:
    """In noise no answer explains much; that of an expected contact may be as poor as the others'."""
    contacts = (
        *(sound(at, kind=SNAP if i == 7 else CLAP) for i, at in enumerate(ASKED_S)),
        sound(UNASKED_S),
    )
    known = answered_cues(CUES_S, CLAP, contacts, times(contacts))
    data = arms(np.append(ASKED_S, UNASKED_S), noise=70.0)
    assert emg_confirmed_contacts(CLAP, CUES_S, known, contacts, times(contacts), data) == [7]


def test_without_cues_a_snap_needs_a_clear_answer() -> None:
    contacts = (
        *(sound(at) for at in ASKED_S),
        sound(UNASKED_S, kind=SNAP),
        sound(WORD_S, kind=SNAP),
    )
    data = arms(np.append(ASKED_S, UNASKED_S))
    assert emg_confirmed_contacts(CLAP, NO_CUES, list(range(8)), contacts, times(contacts), data) == [8]


def test_a_door_is_no_clap_and_what_is_badly_dated_is_no_contact() -> None:
    known = list(range(8))
    data = arms(np.append(ASKED_S, UNASKED_S))
    for other in (sound(UNASKED_S, kind=ContactKind.DOOR), sound(UNASKED_S, kind=SNAP, uncertainty_s=0.012)):
        contacts = (*(sound(at) for at in ASKED_S), other)
        assert emg_confirmed_contacts(CLAP, NO_CUES, known, contacts, times(contacts), data) == []


def test_of_two_sounds_in_one_cue_s_time_the_better_answered_counts() -> None:
    contacts = tuple(sound(at, kind=SNAP if i == 2 else CLAP) for i, at in enumerate(ASKED_S))
    contacts += (sound(ASKED_S[2] + 0.25, kind=SNAP),)
    known = answered_cues(CUES_S, CLAP, contacts, times(contacts))
    assert emg_confirmed_contacts(CLAP, CUES_S, known, contacts, times(contacts), arms(ASKED_S)) == [2]


@pytest.mark.parametrize("later_s", [0.06, 0.12, 0.18])
def test_what_rattles_right_after_a_clap_is_no_second_one(later_s: float) -> None:
    """One answer would explain both."""
    contacts = (*(sound(at) for at in ASKED_S), *(sound(at + later_s, kind=SNAP) for at in ASKED_S))
    assert emg_confirmed_contacts(CLAP, CUES_S, list(range(8)), contacts, times(contacts), arms(ASKED_S)) == []


@pytest.mark.parametrize("reaction_s", [0.4, 0.65, 0.9])
def test_a_late_clap_answers_its_own_cue_and_not_the_next(reaction_s: float) -> None:
    """Cues a second apart: the time in which a contact may answer one reaches into the next one's."""
    cues = np.array([4.0, 5.1, 6.1, 7.3, 40.0, 41.0, 42.2, 43.4])
    contacts = tuple(sound(at, kind=SNAP if i == 5 else CLAP) for i, at in enumerate(cues + reaction_s))
    known = answered_cues(cues, CLAP, contacts, times(contacts))
    data = arms(cues + reaction_s, noise=50.0)
    assert emg_confirmed_contacts(CLAP, cues, known, contacts, times(contacts), data) == [5]


@pytest.mark.parametrize("cue_s", [CUES_S, NO_CUES])
def test_where_no_sensor_answers_those_known_nothing_is_added(cue_s: FloatArray) -> None:
    """Arms that move before each of some snaps, and answer nothing: that is no delay of theirs."""
    words, snaps = ASKED_S[:5], ASKED_S[5:] + 0.3
    contacts = (*(sound(at) for at in words), *(sound(at, kind=SNAP) for at in snaps))
    data = arms(snaps - 0.25)
    assert emg_confirmed_contacts(CLAP, cue_s, list(range(5)), contacts, times(contacts), data) == []


def test_without_cues_the_sensors_tell_alone(heard: tuple[tuple[Contact, ...], FloatArray]) -> None:
    contacts, host_s = heard
    assert answered_by_sensors(CLAP, contacts, host_s, arms(np.append(ASKED_S, UNASKED_S))) == list(range(9))
    assert answered_by_sensors(STOMP, contacts, host_s, arms(ASKED_S)) == []
