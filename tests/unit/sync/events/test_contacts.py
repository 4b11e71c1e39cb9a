"""Claps, stomps and beeps in synthetic and in real sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dataset.media.sound import Sound, read_sound
from sync.events.contacts import detect_contacts


def track(seed: int, rate_hz: int, noise: float) -> tuple[Sound, list[tuple[str, float]]]:
    """A track with events of all three kinds at known times."""
    rng = np.random.default_rng(seed)
    samples = rng.normal(0, noise, 15 * rate_hz)
    truth = []
    at = 0.7
    while at < 14.0:
        kind = str(rng.choice(["clap", "stomp", "beep"]))
        truth.append((kind, at))
        t = np.arange(round(0.3 * rate_hz)) / rate_hz
        if kind == "clap":
            wave = 0.4 * rng.normal(0, 1, len(t)) * np.exp(-t / rng.uniform(0.005, 0.018)) / 2
        elif kind == "stomp":
            wave = 0.5 * np.sin(2 * np.pi * rng.uniform(50, 100) * t) * np.exp(-t / rng.uniform(0.03, 0.06))
        else:
            on = np.clip(np.minimum(t, 0.09 - t) / 0.002, 0, 1)
            wave = 0.2 * np.sin(2 * np.pi * rng.uniform(1700, 3600) * t) * on
        start = round(at * rate_hz)
        samples[start : start + len(t)] += wave
        at += rng.uniform(0.45, 1.2)
    return Sound(samples=samples.astype(np.float32), rate_hz=rate_hz, start_s=2.5), truth


@pytest.mark.parametrize(("seed", "rate_hz", "noise"), [(0, 48000, 1e-4), (1, 44100, 3e-3), (2, 16000, 1e-3)])
def test_every_event_is_found_with_its_kind_and_time_and_none_invented(seed: int, rate_hz: int, noise: float) -> None:
    sound, truth = track(seed, rate_hz, noise)
    found = detect_contacts(sound)
    assert [c.kind for c in found] == [kind for kind, _ in truth]
    error = np.array([c.time_s - 2.5 - at for c, (_, at) in zip(found, truth, strict=True)])
    assert np.max(np.abs(error)) < 0.003


def test_events_at_block_borders_are_found_once() -> None:
    rate_hz = 8000
    rng = np.random.default_rng(3)
    samples = rng.normal(0, 1e-4, 130 * rate_hz)
    for at in (59.99, 60.02 + 0.5, 119.999):
        t = np.arange(800) / rate_hz
        samples[round(at * rate_hz) : round(at * rate_hz) + 800] += 0.3 * rng.normal(0, 1, 800) * np.exp(-t / 0.01)
    found = detect_contacts(Sound(samples=samples.astype(np.float32), rate_hz=rate_hz, start_s=0.0))
    assert [c.time_s for c in found] == pytest.approx([59.99, 60.52, 119.999], abs=0.003)


def test_voice_like_sound_is_no_contact() -> None:
    rate_hz = 16000
    t = np.arange(20 * rate_hz) / rate_hz
    swell = np.clip(np.sin(2 * np.pi * 1.7 * t), 0, None) ** 2
    voice = swell * sum(np.sin(2 * np.pi * 140 * k * t) / k for k in range(1, 25))
    noise = np.random.default_rng(0).normal(0, 1e-3, len(t))
    assert detect_contacts(Sound(samples=(0.1 * voice + noise).astype(np.float32), rate_hz=rate_hz, start_s=0)) == ()


@pytest.mark.parametrize("n", [0, 10, 4000])
def test_silence_of_any_length_holds_nothing(n: int) -> None:
    assert detect_contacts(Sound(samples=np.zeros(n, dtype=np.float32), rate_hz=48000, start_s=0.0)) == ()


@pytest.mark.realdata
def test_real_claps_are_found_among_speech(shared_data: Path) -> None:
    sound = read_sound(shared_data / "audio" / "claps_with_speech.wav")
    assert sound is not None
    found = detect_contacts(sound)
    assert [c.kind for c in found] == ["clap"] * 3
    assert [c.time_s for c in found] == pytest.approx([2.012, 3.384, 5.046], abs=0.020)


@pytest.mark.realdata
def test_the_same_real_clap_cut_twice_keeps_its_shift(shared_data: Path) -> None:
    times = []
    for name in ("kooBH_clap.wav", "kooBH_clap_early.wav"):
        sound = read_sound(shared_data / "audio" / name)
        assert sound is not None
        (clap,) = detect_contacts(sound)
        times.append(clap.time_s)
    assert times[1] - times[0] == pytest.approx(-0.345, abs=0.005)
