"""Waveforms of one event train through different sensors: the lag lies within its interval, others are refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import signal

from dataset.importers.channels import Channel
from dataset.support.arrays import FloatArray
from sync.fit.envelope_correlation import agreed, correlate_envelopes

RATE_HZ = 500.0


def movement(rng: np.random.Generator, seconds: float) -> FloatArray:
    """Band-limited noise in bursts of uneven strength and length: somebody moves now and then."""
    n = round(seconds * RATE_HZ)
    slow = signal.sosfiltfilt(signal.butter(2, 0.4, fs=RATE_HZ, output="sos"), rng.normal(0, 1, n))
    active = np.clip(slow / slow.std() - 0.5, 0, None)
    sos = signal.butter(2, (2.0, 30.0), "bandpass", fs=RATE_HZ, output="sos")
    return np.asarray(active * signal.sosfilt(sos, rng.normal(0, 1, n)))


def recorded(
    rng: np.random.Generator, source: FloatArray, first_s: float, seconds: float, *, gain: float, noise: float
) -> Channel:
    """A sensor of its own gain, sign, offset and low-pass, and a clock that starts at ``first_s`` of the source's."""
    sos = signal.butter(1, float(rng.uniform(40.0, 100.0)), fs=RATE_HZ, output="sos")
    value = gain * signal.sosfiltfilt(sos, source) + rng.normal(0, noise * abs(gain) * source.std(), len(source))
    first = round(first_s * RATE_HZ)
    value = value[first : first + round(seconds * RATE_HZ)] + 1000.0 * gain
    return Channel(name="x", time_s=np.arange(len(value)) / RATE_HZ, value=value)


def test_the_lag_of_one_movement_by_two_sensors_lies_within_its_interval() -> None:
    rng = np.random.default_rng(20)
    found = 0
    for _ in range(12):
        source = movement(rng, 60.0)
        first_s, other_s = rng.uniform(0, 10, 2)
        one = recorded(rng, source, first_s, 40.0, gain=1.0, noise=0.05)
        other = recorded(rng, source, other_s, 35.0, gain=-300.0, noise=0.05)
        match = agreed(correlate_envelopes(one, other))
        if match is None:
            continue
        found += 1
        true_s = (round(other_s * RATE_HZ) - round(first_s * RATE_HZ)) / RATE_HZ
        assert abs(match.offset_s - true_s) <= match.half_width_s
        back = agreed(correlate_envelopes(other, one))
        assert back is not None
        assert back.offset_s == pytest.approx(-match.offset_s, abs=0.002)
    assert found >= 8


def test_movements_that_are_not_the_same_are_refused() -> None:
    rng = np.random.default_rng(21)
    for _ in range(12):
        one, other = (recorded(rng, movement(rng, 40.0), 0.0, 40.0, gain=1.0, noise=0.05) for _ in range(2))
        assert agreed(correlate_envelopes(one, other)) is None


def test_a_movement_that_repeats_itself_exactly_is_refused() -> None:
    rng = np.random.default_rng(22)
    source = np.tile(movement(rng, 8.0), 6)
    one = recorded(rng, source, 0.0, 40.0, gain=1.0, noise=0.05)
    other = recorded(rng, source, 3.0, 24.0, gain=2.0, noise=0.05)
    assert agreed(correlate_envelopes(one, other)) is None


def test_scales_that_contradict_each_other_are_refused() -> None:
    """Where the fine scales say another lag than the coarse one, none is right for both."""
    rng = np.random.default_rng(23)
    slow = movement(rng, 60.0)
    one = recorded(rng, slow, 0.0, 40.0, gain=1.0, noise=0.02)
    matches = correlate_envelopes(one, recorded(rng, slow, 5.0, 40.0, gain=1.0, noise=0.02))
    assert agreed(matches) is not None
    shifted = tuple(replace(m, offset_s=m.offset_s + (0.8 if k else 0.0)) for k, m in enumerate(matches))
    assert agreed(shifted) is None


def test_channels_too_short_or_constant_give_no_lag() -> None:
    flat = Channel(name="flat", time_s=np.arange(5000) / RATE_HZ, value=np.full(5000, 7.0))
    brief = Channel(name="brief", time_s=np.arange(10) / RATE_HZ, value=np.arange(10.0))
    assert agreed(correlate_envelopes(flat, flat)) is None
    assert correlate_envelopes(brief, flat) == ()
