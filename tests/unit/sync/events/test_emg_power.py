"""Raw sEMG's answers by the likelihood of their power, against bursts whose centroids are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import signal

from dataset.support.arrays import FloatArray, IntArray
from dataset.support.disk_arrays import block_rows
from sync.events import emg_power
from sync.events.emg_power import PowerFit, PowerSettings, fit_gamma_power

RATE_HZ = 1000.0
CENTROID_S = 0.055


def triangle(t: FloatArray, rise_s: float, fall_s: float) -> FloatArray:
    """Return a burst of height 1 that rises and falls in straight lines, its centroid at 0."""
    top = (rise_s - fall_s) / 3.0
    return np.clip(np.where(t < top, 1 + (t - top) / rise_s, 1 - (t - top) / fall_s), 0.0, None)


def raw(
    seed: int,
    height: float,
    *,
    rise_s: float = 0.06,
    fall_s: float = 0.16,
    lead_sd_s: float = 0.0,
    n: int = 12,
    tone: float = 0.0,
    movement: float = 0.0,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return contacts and one raw stream whose bursts are ``height`` times its rest.

    The muscle's ``tone`` comes and goes, a ``movement`` follows the fifth contact; both are parts of a burst's height.
    """
    rng = np.random.default_rng(seed)
    contacts = 2.0 + np.cumsum(rng.uniform(1.2, 2.5, n))
    t = np.arange(0.0, contacts[-1] + 2.0, 1.0 / RATE_HZ)
    sos = signal.butter(2, [20.0, 450.0], "bandpass", fs=RATE_HZ, output="sos")
    muscle, skin = (signal.sosfilt(sos, rng.standard_normal(len(t))) for _ in range(2))
    level = sum(
        triangle(t - at - CENTROID_S - lead, rise_s, fall_s)
        for at, lead in zip(contacts, rng.normal(0.0, lead_sd_s, n), strict=True)
    )
    level = level + tone * (1.0 + np.sin(2 * np.pi * t / 9.0)) + movement * triangle(t - contacts[4] - 0.4, 0.1, 0.1)
    return contacts, t, 7.0 * (skin + height * level * muscle)


def fit(contacts: FloatArray, time_s: FloatArray, value: FloatArray, start_s: float = 0.08) -> PowerFit:
    everyone: IntArray = np.arange(len(contacts))
    return fit_gamma_power(contacts, {"one": (time_s, value)}, {"one": (start_s, everyone)})["one"]


@pytest.mark.parametrize("height", [2.0, 4.0, 12.0])
def test_a_burst_is_found_where_it_is_however_weak_beside_its_rest(height: float) -> None:
    error = np.array([fit(*raw(seed, height)).centroid_s - CENTROID_S for seed in range(10)])
    assert abs(float(error.mean())) < 0.004
    assert float(np.abs(error).max()) < 0.014


@pytest.mark.slow
def test_its_standard_deviation_is_what_the_errors_show() -> None:
    fits = [fit(*raw(seed, 6.0, lead_sd_s=0.012)) for seed in range(30)]
    error = np.array([f.centroid_s - CENTROID_S for f in fits])
    stated = np.array([math.hypot(f.sd_s, 0.012 / math.sqrt(len(f.latency_s))) for f in fits])
    assert 0.6 < float(np.sqrt(np.mean((error / stated) ** 2))) < 1.4


def test_sensors_of_a_limb_lend_each_other_their_shape() -> None:
    contacts, t, strong = raw(3, 10.0)
    weak = 7.0 * np.random.default_rng(4).standard_normal(len(t)) + 0.25 * strong
    everyone = {"strong": (0.05, np.arange(len(contacts))), "weak": (0.05, np.arange(len(contacts)))}
    found = fit_gamma_power(contacts, {"strong": (t, strong), "weak": (t, weak)}, everyone)
    assert found["weak"].centroid_s == pytest.approx(CENTROID_S, abs=0.012)
    assert found["weak"].widths_s == pytest.approx(found["strong"].widths_s, rel=0.6)


def test_a_slow_stream_is_left_to_others() -> None:
    t = np.arange(0.0, 30.0, 0.1)
    contacts = np.array([5.0, 9.0, 14.0, 20.0])
    assert fit_gamma_power(contacts, {"slow": (t, np.sin(t))}, {"slow": (0.1, np.arange(4))}) == {}


def test_a_contact_that_fell_into_a_gap_is_not_used() -> None:
    contacts, t, value = raw(5, 6.0)
    there = np.abs(t - contacts[4] - 0.05) > 0.12
    whole, gap = fit(contacts, t, value), fit(contacts, t[there], value[there])
    assert len(gap.latency_s) == len(whole.latency_s) - 1
    assert gap.centroid_s == pytest.approx(whole.centroid_s, abs=0.008)
    few = np.abs(t[:, None] - contacts[2:] - 0.05).min(axis=1) > 0.12
    assert fit_gamma_power(contacts, {"one": (t[few], value[few])}, {"one": (0.08, np.arange(12))}) == {}


def test_every_contact_has_its_own_place() -> None:
    seed, spread_s = 6, 0.025
    contacts, t, value = raw(seed, 10.0, lead_sd_s=spread_s)
    same, _, still = raw(seed, 10.0)
    np.testing.assert_array_equal(contacts, same)
    found, without = fit(contacts, t, value), fit(contacts, t, still)
    rng = np.random.default_rng(seed)
    rng.uniform(1.2, 2.5, len(contacts))
    [rng.standard_normal(len(t)) for _ in range(2)]
    lead = rng.normal(0.0, spread_s, len(contacts))
    assert np.std(found.latency_s - lead) < 0.4 * spread_s
    assert found.centroid_s - np.mean(lead) == pytest.approx(without.centroid_s, abs=0.005)


@pytest.mark.slow
def test_a_muscle_s_tone_is_not_taken_for_a_tail() -> None:
    error = [fit(*raw(seed, 12.0, tone=0.2)).centroid_s - fit(*raw(seed, 12.0)).centroid_s for seed in range(6)]
    assert abs(float(np.mean(error))) < 0.0012


def test_a_movement_that_falls_into_one_answer_leaves_the_sensor_s_shape_as_it_is() -> None:
    streams, everyone = {}, {}
    for seed, name in ((3, "one"), (3, "two"), (3, "moved")):
        contacts, t, value = raw(seed, 10.0, movement=2.0 if name == "moved" else 0.0)
        streams[name], everyone[name] = (t, value), (0.05, np.arange(len(contacts)))
    found = fit_gamma_power(contacts, streams, everyone)
    assert 4 not in found["moved"].contact
    assert found["moved"].centroid_s == pytest.approx(found["one"].centroid_s, abs=0.003)


def test_the_powers_are_the_same_in_blocks() -> None:
    contacts, t, value = raw(5, 6.0)
    there = np.abs(t - contacts[4] - 0.3) > 0.04
    stream = t[there][:-3], value[there][:-3]
    whole = emg_power._powers(contacts, np.arange(len(contacts)), stream, RATE_HZ, PowerSettings())
    with block_rows(1003):
        blocks = emg_power._powers(contacts, np.arange(len(contacts)), stream, RATE_HZ, PowerSettings())
    assert 4 not in whole.contact
    np.testing.assert_array_equal(blocks.contact, whole.contact)
    np.testing.assert_allclose(blocks.t, whole.t, rtol=0.0, atol=1e-12)
    np.testing.assert_allclose(blocks.power, whole.power, rtol=1e-9)
    np.testing.assert_array_equal(blocks.weight, whole.weight)
    assert blocks.noise == pytest.approx(whole.noise, rel=1e-9)
