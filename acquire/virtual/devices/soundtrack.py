"""What the microphone records: room, claps, stomps and the box's beep, each with its propagation delay."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from acquire.virtual import chance
from acquire.virtual.devices.clocks import SPEED_OF_SOUND_M_S, Devices
from acquire.virtual.faults import Faults
from acquire.virtual.person.world import World
from dataset.support.arrays import FloatArray

_WAVE_HZ = 48000
_TAIL_S = 0.30
_RAMP_S = 0.002


class Soundtrack:
    """The microphone's sound for any interval of host time.

    Parameters
    ----------
    world : World
    devices : Devices
        Distances and the beep's pitch.
    faults : Faults, optional
    """

    def __init__(self, world: World, devices: Devices, faults: Faults | None = None) -> None:
        self._world = world
        self._to_body_ns = round(devices.body_distance_m / SPEED_OF_SOUND_M_S * 1e9)
        self._to_box_ns = round(devices.box_distance_m / SPEED_OF_SOUND_M_S * 1e9)
        self._beep_hz = devices.box.beep_hz
        self._bangs_per_s = (faults or Faults()).bangs_per_minute / 60.0
        rng = chance.generator(world.seed, "soundtrack")
        self._room = float(rng.uniform(0.0008, 0.0025))
        self._beep = float(rng.uniform(0.10, 0.20))
        self._loudness = {"clap": float(rng.uniform(0.30, 0.55)), "stomp": float(rng.uniform(0.30, 0.55))}
        self._thump_hz = float(rng.uniform(55.0, 110.0))
        self._waves: dict[tuple[str, int], FloatArray] = {}

    def samples(self, start_ns: int, n: int, rate_hz: float) -> NDArray[np.int16]:
        """Return ``n`` samples, int16, the first taken at ``start_ns``, ``rate_hz`` of them in a host second."""
        at_ns = start_ns + np.arange(n) / rate_hz * 1e9 - start_ns  # relative, so that float64 keeps its precision
        noise = np.random.default_rng([self._world.seed, start_ns & 0x7FFFFFFFFFFFFFFF]).normal(0.0, self._room, n + 1)
        sound = 0.7 * (noise[1:] + noise[:-1])
        stop_ns = start_ns + n / rate_hz * 1e9
        for contact in self._world.contacts():
            reaches_ns = contact.host_ns + self._to_body_ns
            if reaches_ns < stop_ns and reaches_ns + _TAIL_S * 1e9 > start_ns:
                since_s = (at_ns - (reaches_ns - start_ns)) * 1e-9
                sound += self._loudness[contact.kind] * self._wave(contact.kind, contact.index, since_s)
        for number, bang_ns in self._bangs(start_ns, round(stop_ns)):
            sound += self._loudness["clap"] * self._wave("clap", -1 - number, (at_ns - (bang_ns - start_ns)) * 1e-9)
        for flash in self._world.flashes():
            on_ns, off_ns = flash.on_ns + self._to_box_ns, flash.off_ns + self._to_box_ns
            if on_ns < stop_ns and off_ns > start_ns:
                since_s = (at_ns - (on_ns - start_ns)) * 1e-9
                sound += self._tone(since_s, (off_ns - on_ns) * 1e-9)
        return np.asarray(np.rint(np.clip(sound, -1.0, 1.0) * 32767.0), dtype=np.int16)

    def _tone(self, since_s: FloatArray, length_s: float) -> FloatArray:
        envelope = np.clip(since_s / _RAMP_S, 0.0, 1.0) * np.clip((length_s - since_s) / _RAMP_S, 0.0, 1.0)
        return np.asarray(self._beep * envelope * np.sin(2.0 * np.pi * self._beep_hz * since_s), dtype=np.float64)

    def _bangs(self, start_ns: int, stop_ns: int) -> list[tuple[int, int]]:
        """Return number and time of sounds that are not contacts: at most one a second of host time."""
        if self._bangs_per_s == 0.0:
            return []
        seconds = np.arange(start_ns // 1_000_000_000 - 1, stop_ns // 1_000_000_000 + 1, dtype=np.int64)
        happens = chance.uniform(f"{self._world.seed}/bang", seconds) < self._bangs_per_s
        within = chance.uniform(f"{self._world.seed}/bang at", seconds)
        return [(int(s), int((s + w) * 1e9)) for s, w, yes in zip(seconds, within, happens, strict=True) if yes]

    def _wave(self, kind: str, index: int, since_s: FloatArray) -> FloatArray:
        key = (kind, index)
        if key not in self._waves:
            rng = chance.generator(self._world.seed, f"wave/{kind}/{index}")
            self._waves[key] = _clap(rng) if kind == "clap" else _stomp(rng, self._thump_hz)
        wave = self._waves[key]
        return np.interp(since_s * _WAVE_HZ, np.arange(len(wave)), wave, left=0.0, right=0.0)


def _clap(rng: np.random.Generator) -> FloatArray:
    """A broad-band burst with an attack of about a millisecond and the room's decay."""
    t = np.arange(round(_TAIL_S * _WAVE_HZ)) / _WAVE_HZ
    band = butter(2, (rng.uniform(500.0, 900.0), rng.uniform(4500.0, 6500.0)), "bandpass", fs=_WAVE_HZ, output="sos")
    noise = sosfilt(band, rng.normal(0.0, 1.0, len(t)))
    noise /= float(np.abs(noise).max())
    envelope = np.clip(t / 0.0008, 0.0, 1.0) * (
        0.85 * np.exp(-t / 0.006) + 0.15 * np.exp(-t / rng.uniform(0.020, 0.032))
    )
    scale = float(np.exp(rng.normal(0.0, 0.2))) / float(np.abs(noise * envelope).max())
    return np.asarray(noise * envelope * scale, dtype=np.float64)


def _stomp(rng: np.random.Generator, thump_hz: float) -> FloatArray:
    """A low decaying thump, with the sole's short click at its beginning."""
    t = np.arange(round(_TAIL_S * _WAVE_HZ)) / _WAVE_HZ
    pitch_hz = thump_hz * float(np.exp(rng.normal(0.0, 0.05)))
    thump = np.sin(2.0 * np.pi * pitch_hz * t) * np.clip(t / 0.002, 0.0, 1.0) * np.exp(-t / rng.uniform(0.045, 0.075))
    low = butter(2, (120.0, 2500.0), "bandpass", fs=_WAVE_HZ, output="sos")
    click = sosfilt(low, rng.normal(0.0, 1.0, len(t))) * np.clip(t / 0.0006, 0.0, 1.0) * np.exp(-t / 0.005)
    click /= float(np.abs(click).max())
    wave = 0.8 * thump + 0.45 * click
    return np.asarray(wave * float(np.exp(rng.normal(0.0, 0.2))), dtype=np.float64)
