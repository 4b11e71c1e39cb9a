"""Sounds are heard when they reach the microphone."""

from __future__ import annotations

import numpy as np
import pytest

from acquire.protocol.schedule import Prompt
from acquire.virtual.devices.clocks import Devices
from acquire.virtual.devices.soundtrack import Soundtrack
from acquire.virtual.faults import Faults
from acquire.virtual.person.world import World

T0_NS = 3_210_987_654_321
RATE_HZ = 16000.7


def _world(seed: int, kind: str) -> World:
    world = World(seed)
    world.prompt(Prompt(at_s=0.0, kind=kind), T0_NS)
    return world


def _listen(world: World, devices: Devices, seconds: float, faults: Faults | None = None) -> np.ndarray:
    """Take the sound block by block, as a microphone does."""
    track = Soundtrack(world, devices, faults)
    n = 320
    blocks = [
        track.samples(T0_NS + round(k * n / RATE_HZ * 1e9), n, RATE_HZ) for k in range(round(seconds * RATE_HZ / n))
    ]
    return np.concatenate(blocks)


def _onset_s(sound: np.ndarray, share: float = 0.12) -> float:
    loud = np.abs(sound.astype(float))
    return float(np.argmax(loud > share * loud.max())) / RATE_HZ


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["clap_cue", "stomp_cue"])
def test_a_contact_is_heard_after_its_way_through_the_air(seed: int, kind: str) -> None:
    world, devices = _world(seed, kind), Devices.drawn(seed)
    sound = _listen(world, devices, 1.2)
    expected_s = (world.contacts()[0].host_ns - T0_NS) * 1e-9 + devices.body_distance_m / 343.0
    assert 0.0 <= _onset_s(sound) - expected_s < 0.0025
    assert sound.dtype == np.int16
    assert np.abs(sound[: round((expected_s - 0.002) * RATE_HZ)]).max() < 0.05 * np.abs(sound).max()


def test_a_clap_is_bright_and_a_stomp_is_low() -> None:
    for seed in range(3):
        centre_hz = []
        for kind in ("clap_cue", "stomp_cue"):
            sound = _listen(_world(seed, kind), Devices.drawn(seed), 1.2).astype(float)
            power = np.abs(np.fft.rfft(sound)) ** 2
            frequency = np.fft.rfftfreq(len(sound), 1 / RATE_HZ)
            centre_hz.append(float(np.sum(frequency * power) / np.sum(power)))
        assert centre_hz[0] > 1000
        assert centre_hz[1] < 600


def test_the_box_beeps_as_long_as_it_shines_at_its_own_pitch() -> None:
    world, devices = World(5), Devices.drawn(5)
    world.flash(T0_NS + 300_000_000, T0_NS + 400_000_000)
    sound = _listen(world, devices, 0.7).astype(float)
    way_s = devices.box_distance_m / 343.0
    loud = np.flatnonzero(np.abs(sound) > 0.5 * np.abs(sound).max()) / RATE_HZ
    assert loud[0] == pytest.approx(0.300 + way_s, abs=0.002)
    assert loud[-1] == pytest.approx(0.400 + way_s, abs=0.002)
    pitch_hz = float(np.argmax(np.abs(np.fft.rfft(sound)))) * RATE_HZ / len(sound)
    assert pitch_hz == pytest.approx(devices.box.beep_hz, abs=10)


def test_false_claps_sound_only_when_asked_for() -> None:
    quiet = _listen(World(6), Devices.drawn(6), 10.0)
    noisy = _listen(World(6), Devices.drawn(6), 10.0, Faults(bangs_per_minute=40.0))
    assert np.abs(quiet).max() < 1000
    assert np.abs(noisy).max() > 5000
