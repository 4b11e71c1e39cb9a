"""Beeps are dated by when they begin, in rooms whose echo cancels them for a while."""

from __future__ import annotations

import numpy as np
import pytest

from sync.detect.beep import find_beeps

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
