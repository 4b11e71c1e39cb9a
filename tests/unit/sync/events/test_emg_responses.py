"""Responses of slow and fast sensors to contacts, against known centroids."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dataset.support.arrays import FloatArray
from sync.events.emg_responses import explained_alone, measure_responses
from sync.events.filters import envelope
from sync.events.perievent import level_of

FINE_S = 0.001


def limb(
    seed: int, n_sensors: int = 4, n_contacts: int = 8, noise: float = 0.05
) -> tuple[FloatArray, dict[str, tuple[FloatArray, FloatArray]], dict[str, float]]:
    """Contacts, 10 Hz sensors that answer them, and each one's true centroid after the contact's sound."""
    rng = np.random.default_rng(seed)
    half = n_contacts // 2
    contacts = np.concatenate([4 + np.cumsum(rng.uniform(0.9, 1.8, half)), 25 + np.cumsum(rng.uniform(0.9, 1.8, half))])
    lead = rng.uniform(0.0, 0.1)
    rise, fall = rng.uniform(0.02, 0.05), rng.uniform(0.05, 0.12)
    leads = lead + rng.normal(0, 0.010, n_contacts)
    heights = rng.uniform(0.7, 1.3, n_contacts)
    t = np.arange(0.0, 40.0, FINE_S)
    streams, truth = {}, {}
    for k in range(n_sensors):
        burst = np.zeros(len(t))
        for at, early, height in zip(contacts, leads, heights, strict=True):
            x = t - (at - early)
            burst += height * np.where(x < 0, np.exp(-0.5 * (x / rise) ** 2), np.exp(-0.5 * (x / fall) ** 2))
        tail = np.exp(-np.arange(0, 0.4, FINE_S) / rng.uniform(0.01, 0.05))
        level = np.convolve(burst, tail / tail.sum())[: len(t)]
        total = np.concatenate([[0.0], np.cumsum(level)]) * FINE_S
        ends = np.arange(0.3 + rng.uniform(0, 0.1), 39.5, 0.1)
        value = (np.interp(ends, t, total[1:]) - np.interp(ends - 0.1, t, total[1:])) / 0.1
        value = value + noise * rng.normal(0, 1, len(value))
        value[(ends > 11) & (ends < 23)] += 1.5 * np.abs(np.sin(2.2 * ends[(ends > 11) & (ends < 23)]))
        delay = rng.uniform(0.02, 0.2)
        streams[f"s{k}"] = (ends - 0.05 + delay, np.round(80 + 150 * value))
        shape = math.sqrt(2 / math.pi) * (fall - rise) + np.sum(np.arange(len(tail)) * tail) / tail.sum() * FINE_S
        truth[f"s{k}"] = shape - float(np.average(leads, weights=heights)) + delay
    return contacts, streams, truth


def test_centroids_are_measured_to_a_quarter_of_the_sensors_interval() -> None:
    errors, covered = [], []
    for seed in range(6):
        contacts, streams, truth = limb(seed)
        for name, response in measure_responses(contacts, streams).items():
            errors.append(response.response_s - truth[name])
            covered.append(abs(errors[-1]) <= response.ci95_s)
            assert response.ambiguity_margin > 0.25
    assert np.max(np.abs(errors)) < 0.025
    assert np.median(np.abs(errors)) < 0.008
    assert np.mean(covered) > 0.9


def test_a_sensor_that_does_not_answer_says_so() -> None:
    contacts, streams, _ = limb(3)
    rng = np.random.default_rng(0)
    time_s, value = streams["s0"]
    streams["s0"] = (time_s, 90 + rng.normal(0, 4, len(value)))
    response = measure_responses(contacts, streams)["s0"]
    assert math.isnan(response.response_s) or response.ambiguity_margin < 0.25


def test_answers_to_other_contacts_do_not_pass() -> None:
    contacts, streams, _ = limb(4)
    shifted = contacts + np.random.default_rng(1).uniform(-0.6, 0.6, len(contacts))
    for response in measure_responses(np.sort(shifted), streams).values():
        assert math.isnan(response.response_s) or response.ambiguity_margin < 0.5 or response.ci95_s > 0.02


def test_a_gap_where_the_answer_should_be_leaves_that_contact_out() -> None:
    contacts, streams, truth = limb(5)
    time_s, value = streams["s1"]
    keep = (time_s < contacts[2] - 0.2) | (time_s > contacts[2] + 0.7)
    streams["s1"] = (time_s[keep], value[keep])
    response = measure_responses(contacts, streams)["s1"]
    assert 2 not in response.contact
    assert response.n_contacts == len(contacts) - 1
    assert response.response_s == pytest.approx(truth["s1"], abs=0.025)


def test_raw_semg_is_measured_by_its_envelope() -> None:
    rng = np.random.default_rng(8)
    t = np.arange(0, 30, 1e-3)
    contacts = 3 + np.cumsum(rng.uniform(1.0, 2.0, 8))
    gain = 0.02 + sum(np.exp(-0.5 * ((t - at - 0.06) / 0.04) ** 2) for at in contacts)
    response = measure_responses(contacts, {"fast": (t, gain * rng.normal(0, 1, len(t)))})["fast"]
    assert response.response_s == pytest.approx(0.06, abs=0.010)


def test_no_contact_gives_no_response() -> None:
    _, streams, _ = limb(6)
    assert all(math.isnan(r.response_s) for r in measure_responses(np.zeros(0), streams).values())


def test_a_slow_stream_is_its_own_level_and_a_waveform_is_enveloped() -> None:
    t = np.arange(0, 10, 0.1)
    same_t, same = level_of(t, np.sin(t))
    assert same_t is t
    assert np.array_equal(same, np.sin(t))
    fast_t = np.arange(0, 10, 1e-3)
    burst = (np.abs(fast_t - 5) < 1) * np.sin(2 * np.pi * 120 * fast_t)
    level = envelope(burst, 1000.0, 6.0)
    assert level[5000] == pytest.approx(2 / np.pi, abs=0.05)
    assert abs(level[1000]) < 0.02


def test_movement_that_makes_one_sensors_shape_strange_widens_its_interval() -> None:
    wider = []
    for seed in range(4):
        contacts, streams, truth = limb(seed)
        clean = measure_responses(contacts, streams)["s0"]
        time_s, value = streams["s0"]
        swell = sum(70 * np.exp(-0.5 * ((time_s - at - 0.55) / 0.2) ** 2) for at in contacts)
        moved = measure_responses(contacts, {**streams, "s0": (time_s, value + swell)})["s0"]
        wider.append(moved.ci95_s / clean.ci95_s)
        assert abs(moved.response_s - truth["s0"]) < 3 * moved.ci95_s
    assert np.median(wider) > 1.5


def test_a_sensor_whose_values_begin_late_after_a_contact_tells_nothing_of_it() -> None:
    time_s = 5.85 + np.arange(0.0, 3.0, 0.01)
    share = explained_alone(np.array([5.0]), (time_s, np.sin(time_s)), np.array([0.1, 0.2]))
    assert np.all(np.isnan(share))
