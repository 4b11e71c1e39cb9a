"""Snaps and door slams are told from claps, in drawn soundscapes and with real waveforms."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from scipy import signal

from benchmarks.detectors import soundscape
from benchmarks.detectors.soundscape import Setting
from dataset.media.sound import Sound, read_sound
from dataset.support.arrays import FloatArray
from sync.events.contacts import Contact, detect_contacts


def heard(found: Iterable[Contact], at_s: float, within_s: float = 0.03) -> Contact | None:
    """Kind and error of the contact nearest to a time; None where there is none."""
    near = [c for c in found if abs(c.time_s - at_s) < within_s]
    return min(near, key=lambda c: abs(c.time_s - at_s)) if near else None


def tally(setting: Setting, seeds: Iterable[int]) -> tuple[dict[tuple[str, str], int], float, FloatArray]:
    """Count what each kind was heard as, and the claps and stomps that nobody made."""
    counts: dict[tuple[str, str], int] = {}
    invented, seconds = 0, 0.0
    errors = []
    for seed in seeds:
        made = soundscape.scene(np.random.default_rng(seed), setting)
        found = detect_contacts(made.sound)
        seconds += setting.seconds
        for kind, at_s in made.truth:
            contact = heard(found, at_s)
            counts[kind, contact.kind if contact else "missed"] = (
                counts.get((kind, contact.kind if contact else "missed"), 0) + 1
            )
            if contact and contact.kind == kind:
                errors.append((contact.time_s - at_s, contact.uncertainty_s))
        invented += sum(
            c.kind in ("clap", "stomp") and all(abs(c.time_s - at_s) > 0.03 for _, at_s in made.truth) for c in found
        )
    return counts, invented / seconds, np.array(errors)


def share(counts: dict[tuple[str, str], int], kind: str, as_kind: str) -> float:
    total = sum(n for (k, _), n in counts.items() if k == kind)
    return counts.get((kind, as_kind), 0) / total


@pytest.mark.parametrize("rate_hz", [8000, 16000, 44100])
def test_four_kinds_in_a_quiet_place_are_told_apart(rate_hz: int) -> None:
    counts, invented_hz, errors = tally(Setting(rate_hz=rate_hz), range(4))
    assert share(counts, "clap", "clap") > 0.85
    assert share(counts, "clap", "missed") == 0.0
    assert share(counts, "snap", "clap") < 0.1
    assert share(counts, "door", "clap") == 0.0
    assert share(counts, "stomp", "stomp") > 0.9
    assert invented_hz < 0.05
    assert np.mean(np.abs(errors[:, 0]) < errors[:, 1]) > 0.9


@pytest.mark.parametrize(
    "setting",
    [
        Setting(background="speech", background_peak=0.1),
        Setting(background="music", background_peak=0.1),
        Setting(background="noise", background_peak=0.1),
        Setting(channel="clipped", background="speech", background_peak=0.1),
        Setting(channel="coded", background="speech", background_peak=0.1, rate_hz=44100),
    ],
    ids=lambda s: f"{s.background}-{s.channel}",
)
def test_claps_are_found_under_what_else_sounds(setting: Setting) -> None:
    counts, invented_hz, _ = tally(setting, range(30, 34))
    assert share(counts, "clap", "missed") < 0.1
    assert share(counts, "clap", "clap") > 0.8
    assert share(counts, "snap", "clap") < 0.15
    assert share(counts, "door", "clap") < 0.1
    assert invented_hz < 0.05


def test_a_room_costs_few_claps() -> None:
    counts, invented_hz, _ = tally(Setting(reverberant=True), range(20, 24))
    assert share(counts, "clap", "clap") > 0.8
    assert share(counts, "door", "clap") < 0.1
    assert invented_hz < 0.05


def test_speech_alone_gives_hardly_any_contact() -> None:
    rng = np.random.default_rng(5)
    voice = 0.2 * soundscape.speech(rng, 60 * soundscape.RATE_HZ) + rng.normal(0, 1e-4, 60 * soundscape.RATE_HZ)
    found = detect_contacts(Sound(samples=voice.astype(np.float32), rate_hz=soundscape.RATE_HZ, start_s=0.0))
    assert sum(c.kind in ("clap", "stomp") for c in found) <= 5


def test_noise_makes_an_onset_less_certain() -> None:
    widths = []
    for noise in (1e-4, 0.08):
        rng = np.random.default_rng(1)
        samples = rng.normal(0, noise, 8 * 48000)
        for at_s in (2.0, 4.0, 6.0):
            wave = 0.7 * soundscape.clap(np.random.default_rng(int(at_s)))
            samples[round(at_s * 48000) :][: len(wave)] += wave
        found = detect_contacts(Sound(samples=samples.astype(np.float32), rate_hz=48000, start_s=0.0))
        widths.append(np.mean([c.uncertainty_s for c in found if c.kind in ("clap", "snap")]))
    assert widths[1] > 1.05 * widths[0]


@pytest.mark.realdata
def test_the_real_snap_is_a_snap(shared_data: Path) -> None:
    (found,) = detect_contacts(_real(shared_data, "finger_snap.wav"))
    assert found.kind == "snap"
    assert found.time_s == pytest.approx(0.01, abs=0.005)


@pytest.mark.realdata
@pytest.mark.parametrize("rate_hz", [16000, 44100])
@pytest.mark.parametrize("speech_level", [0.0, 0.1])
def test_real_claps_and_snaps_mixed_into_one_train_with_slams_keep_their_kind(
    shared_data: Path, rate_hz: int, speech_level: float
) -> None:
    rng = np.random.default_rng([rate_hz, round(10 * speech_level)])
    waves = {
        ("clap", 0): _cut(shared_data, "kooBH_clap.wav", 1.357, 1.6, rate_hz),
        ("clap", 1): _cut(shared_data, "claps_with_speech.wav", 3.372, 3.7, rate_hz),
        ("clap", 2): _cut(shared_data, "claps_with_speech.wav", 5.031, 5.4, rate_hz),
        ("snap", 0): _cut(shared_data, "finger_snap.wav", 0.005, 0.3, rate_hz),
        ("door", 0): _resampled(soundscape.door(rng), soundscape.RATE_HZ, rate_hz),
    }
    names = list(waves)
    n = 40 * rate_hz
    samples = rng.normal(0, 3e-4, n)
    truth = []
    at_s = 0.8
    while at_s < 38.0:
        name = names[int(rng.integers(len(names)))]
        wave = rng.uniform(0.25, 0.6) * waves[name]
        samples[round(at_s * rate_hz) :][: len(wave)] += wave
        truth.append((name[0], at_s))
        at_s += rng.uniform(0.6, 1.8)
    voice = _cut(shared_data, "claps_with_speech.wav", 0.3, 1.9, rate_hz)
    for k in range(20):
        samples[round(2.0 * k * rate_hz) :][: len(voice)] += speech_level * voice
    found = detect_contacts(Sound(samples=samples.astype(np.float32), rate_hz=rate_hz, start_s=0.0))
    kinds = [(kind, (c.kind if (c := heard(found, at)) else "missed")) for kind, at in truth]
    wrong = [pair for pair in kinds if pair[0] != pair[1] and "clap" in pair]
    assert len(wrong) <= 1, kinds
    invented = [c for c in found if c.kind == "clap" and all(abs(c.time_s - at) > 0.03 for _, at in truth)]
    assert len(invented) <= 1, invented


def _real(shared_data: Path, name: str) -> Sound:
    sound = read_sound(shared_data / "audio" / name)
    assert sound is not None
    return sound


def _cut(shared_data: Path, name: str, first_s: float, stop_s: float, rate_hz: int) -> FloatArray:
    sound = _real(shared_data, name)
    wave = np.asarray(sound.samples, dtype=np.float64)[round(first_s * sound.rate_hz) : round(stop_s * sound.rate_hz)]
    edge = round(0.004 * sound.rate_hz)
    wave = wave / np.abs(wave).max()
    wave[-5 * edge :] *= np.linspace(1.0, 0.0, 5 * edge)
    wave[: edge // 4] *= np.linspace(0.0, 1.0, edge // 4)
    return _resampled(wave, sound.rate_hz, rate_hz)


def _resampled(wave: FloatArray, from_hz: int, to_hz: int) -> FloatArray:
    common = math.gcd(from_hz, to_hz)
    return np.asarray(signal.resample_poly(wave, to_hz // common, from_hz // common), dtype=np.float64)
