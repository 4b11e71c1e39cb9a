"""Beeps are dated by when they begin, in rooms whose echo cancels them for a while."""

from __future__ import annotations

import numpy as np
import pytest

from sync.events.beeps import find_beeps

RATE_HZ = 16000


@pytest.mark.parametrize("hole_s", [0.0, 0.010, 0.020, 0.035])
def test_a_beep_begins_where_it_began_though_its_echo_cancels_it_soon_after(hole_s: float) -> None:
    rng = np.random.default_rng(4)
    t = np.arange(round(2.5 * RATE_HZ)) / RATE_HZ
    loud = np.where((t >= 1.0) & (t < 1.16), 1.0, 0.0)
    loud[(t >= 1.0) & (t < 1.014)] = 1.2
    loud[(t >= 1.014) & (t < 1.014 + hole_s)] = 0.02
    sound = 0.2 * loud * np.sin(2 * np.pi * 2625.0 * t) + 1e-3 * rng.standard_normal(len(t))
    beeps = find_beeps(sound, RATE_HZ)
    assert len(beeps) == 1
    assert beeps[0].start_s == pytest.approx(1.0, abs=0.003)


def test_what_sounded_long_before_is_not_its_beginning() -> None:
    rng = np.random.default_rng(5)
    t = np.arange(round(2.5 * RATE_HZ)) / RATE_HZ
    loud = np.where((t >= 1.0) & (t < 1.16), 1.0, 0.0)
    loud[(t >= 0.90) & (t < 0.91)] = 1.0
    sound = 0.2 * loud * np.sin(2 * np.pi * 2625.0 * t) + 1e-3 * rng.standard_normal(len(t))
    assert find_beeps(sound, RATE_HZ)[-1].start_s == pytest.approx(1.0, abs=0.003)


def test_an_echo_that_swells_after_a_beep_is_none_of_its_own() -> None:
    rng = np.random.default_rng(6)
    t = np.arange(round(2.5 * RATE_HZ)) / RATE_HZ
    loud = np.where((t >= 1.0) & (t < 1.06), 1.0, 0.0)
    swells = (t >= 1.075) & (t < 1.16)
    loud[swells] = 0.25 * np.sin(np.pi * (t[swells] - 1.075) / 0.085)
    sound = 0.2 * loud * np.sin(2 * np.pi * 2052.0 * t) + 1e-4 * rng.standard_normal(len(t))
    beeps = find_beeps(sound, RATE_HZ)
    assert len(beeps) == 1
    assert beeps[0].start_s == pytest.approx(1.0, abs=0.003)


@pytest.mark.parametrize("rate_hz", [8000, 16000, 44100, 48000])
@pytest.mark.parametrize("frequency_hz", [1530.0, 2700.0, 3880.0])
def test_a_tone_is_found_at_any_rate_to_the_edges_of_its_band(rate_hz: int, frequency_hz: float) -> None:
    rng = np.random.default_rng(7)
    t = np.arange(3 * rate_hz) / rate_hz
    hum = 0.1 * np.sin(2 * np.pi * 180.0 * t) + 1e-3 * rng.standard_normal(len(t))
    loud = (t >= 1.0) & (t < 1.1)
    (beep,) = find_beeps(hum + 0.1 * loud * np.sin(2 * np.pi * frequency_hz * t), rate_hz)
    assert beep.start_s == pytest.approx(1.0, abs=0.003)
    assert beep.stop_s == pytest.approx(1.1, abs=0.003)
    assert beep.frequency_hz == pytest.approx(frequency_hz, abs=32.0)
    assert beep.level == pytest.approx(0.1, rel=0.15)
    assert find_beeps(hum, rate_hz) == []
    for outside_hz in (1200.0, 5000.0) if rate_hz > 10_000 else (1200.0,):
        assert find_beeps(hum + 0.1 * loud * np.sin(2 * np.pi * outside_hz * t), rate_hz) == []


def test_two_tones_at_once_are_no_beep() -> None:
    t = np.arange(3 * RATE_HZ) / RATE_HZ
    both = np.sin(2 * np.pi * 2000.0 * t) + 0.8 * np.sin(2 * np.pi * 3000.0 * t)
    noise = 1e-3 * np.random.default_rng(8).standard_normal(len(t))
    assert find_beeps(0.1 * ((t >= 1.0) & (t < 1.1)) * both + noise, RATE_HZ) == []
