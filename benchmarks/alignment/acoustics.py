"""Simulated microphone signal: claps and stomps with speech, music and other bangs, in a room."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import signal

from dataset.support.arrays import FloatArray

SOUND_M_S = 343.0
Samples = NDArray[np.float32]


class Track:
    """A sound track under construction.

    Parameters
    ----------
    n : int
        Samples.
    rate_hz : float
    file_time : callable
        Maps session seconds to seconds since the track's first sample.
    rng : Generator
    """

    def __init__(self, n: int, rate_hz: float, file_time: Callable[[FloatArray], FloatArray], rng: Generator) -> None:
        self.sound = rng.standard_normal(n, dtype=np.float32)
        self.rate_hz = rate_hz
        self._file_time = file_time
        self._rng = rng
        self._room = _room(rate_hz, rng)
        # Room noise is below a few kilohertz; its level is that of a quiet to a busy room.
        pole = rng.uniform(0.3, 0.97)
        self.sound = signal.lfilter([np.float32(1 - pole)], [np.float32(1), np.float32(-pole)], self.sound)
        self.sound *= np.float32(10 ** rng.uniform(-3.7, -2.3) / (np.std(self.sound[:100_000]) + 1e-12))

    def add(self, at_s: float, wave: FloatArray, *, wet: bool = True) -> None:
        """Add ``wave`` where it reaches the microphone ``at_s`` session seconds after the start."""
        heard = signal.fftconvolve(wave, self._room) if wet else wave
        first = round(float(self._file_time(np.array([at_s]))[0]) * self.rate_hz)
        begin, stop = max(0, first), min(len(self.sound), first + len(heard))
        if begin < stop:
            self.sound[begin:stop] += heard[begin - first : stop - first].astype(np.float32)


def _room(rate_hz: float, rng: Generator) -> FloatArray:
    """Return a room's impulse response: the direct sound, then a decaying tail (Polack's model)."""
    rt60 = rng.uniform(0.15, 0.6)
    t = np.arange(int(0.6 * rt60 * rate_hz)) / rate_hz
    tail = rng.standard_normal(len(t)) * np.exp(-6.9 * t / rt60)
    tail[: int(0.003 * rate_hz)] = 0.0
    tail *= rng.uniform(0.2, 0.9) / (np.linalg.norm(tail) + 1e-12)
    tail[0] = 1.0
    return tail


def clap(rate_hz: float, rng: Generator) -> FloatArray:
    """Return a clap: a broadband burst of a few milliseconds, filtered by the shape of the hands."""
    t = np.arange(int(0.04 * rate_hz)) / rate_hz
    centre = rng.uniform(700.0, 2600.0)
    noise = rng.standard_normal(len(t))
    low, high = centre / rng.uniform(1.6, 3.0), min(0.45 * rate_hz, centre * rng.uniform(1.6, 3.0))
    shaped = signal.sosfilt(signal.butter(1, [low, high], "bandpass", fs=rate_hz, output="sos"), noise)
    rise = 1 - np.exp(-t / rng.uniform(0.0001, 0.0006))
    wave = shaped * rise * np.exp(-t / rng.uniform(0.002, 0.008))
    return wave / np.max(np.abs(wave))


def stomp(rate_hz: float, rng: Generator) -> FloatArray:
    """Return a stomp: a damped thump of 50-150 Hz with a weak knock of the shoe."""
    t = np.arange(int(0.35 * rate_hz)) / rate_hz
    thump = np.sin(2 * np.pi * rng.uniform(50, 150) * t) * np.exp(-t / rng.uniform(0.03, 0.09))
    thump *= 1 - np.exp(-t / rng.uniform(0.0005, 0.003))
    knock = rng.standard_normal(len(t)) * np.exp(-t / rng.uniform(0.002, 0.006)) * rng.uniform(0.02, 0.25)
    wave = thump + knock
    return wave / np.max(np.abs(wave))


def snap(rate_hz: float, rng: Generator) -> FloatArray:
    """Return a finger snap: narrow-band and short."""
    t = np.arange(int(0.03 * rate_hz)) / rate_hz
    wave = np.sin(2 * np.pi * rng.uniform(1400, 3200) * t) + 0.4 * rng.standard_normal(len(t))
    return wave * np.exp(-t / rng.uniform(0.003, 0.007)) / 1.4


def slam(rate_hz: float, rng: Generator) -> FloatArray:
    """Return a door: low frequencies, with a slow rise and a long decay."""
    t = np.arange(int(0.6 * rate_hz)) / rate_hz
    body = np.sin(2 * np.pi * rng.uniform(60, 180) * t) + rng.standard_normal(len(t)) * 0.6
    wave = body * (1 - np.exp(-t / rng.uniform(0.003, 0.01))) * np.exp(-t / rng.uniform(0.06, 0.15))
    return wave / np.max(np.abs(wave))


def cough(rate_hz: float, rng: Generator) -> FloatArray:
    """Return a cough: noise that swells in tens of milliseconds."""
    t = np.arange(int(0.35 * rate_hz)) / rate_hz
    noise = signal.lfilter([0.4], [1, -0.6], rng.standard_normal(len(t)))
    wave = noise * (1 - np.exp(-t / rng.uniform(0.01, 0.03))) * np.exp(-t / rng.uniform(0.05, 0.1))
    return wave / np.max(np.abs(wave))


def beep(rate_hz: float, pitch_hz: float, length_s: float) -> FloatArray:
    """Return a buzzer's tone; it rises within a millisecond."""
    t = np.arange(int(length_s * rate_hz)) / rate_hz
    wave = np.tanh(2 * np.sin(2 * np.pi * pitch_hz * t))
    return wave * np.clip(t / 0.001, 0, 1) * np.clip((length_s - t) / 0.002, 0, 1)


def _syllable(rate_hz: float, pitch_hz: float, rng: Generator) -> FloatArray:
    """Return one syllable: perhaps a plosive or a fricative, then a voiced vowel with formants."""
    n = int(rng.uniform(0.1, 0.3) * rate_hz)
    t = np.arange(n) / rate_hz
    pitch = pitch_hz * (1 + rng.uniform(-0.15, 0.15) + rng.uniform(-0.4, 0.4) * t)
    source = -np.diff(np.mod(np.cumsum(pitch) / rate_hz, 1.0), prepend=0.0)
    source = np.where(source > 0.5, 1.0, 0.0) + 0.01 * rng.standard_normal(n)
    for formant, width in ((rng.uniform(280, 800), 80), (rng.uniform(900, 2300), 110), (rng.uniform(2400, 3300), 170)):
        r = np.exp(-np.pi * width / rate_hz)
        source = signal.lfilter([1 - r], [1, -2 * r * np.cos(2 * np.pi * formant / rate_hz), r * r], source)
    source *= np.clip(t / rng.uniform(0.01, 0.05), 0, 1) * np.clip((t[-1] - t) / 0.06, 0, 1)
    source /= np.max(np.abs(source)) + 1e-12
    kind = rng.integers(0, 3)
    if kind == 0:
        return source
    m = int((0.012 if kind == 1 else rng.uniform(0.05, 0.12)) * rate_hz)
    hiss = np.diff(rng.standard_normal(m + 1))
    hiss *= np.exp(-np.arange(m) / (0.25 * m)) if kind == 1 else np.hanning(m)
    hiss *= rng.uniform(0.1, 0.6) / (np.max(np.abs(hiss)) + 1e-12)
    return np.concatenate([hiss, source])


def speak(track: Track, length_s: float, rng: Generator) -> None:
    """Add a person who talks in phrases during part of the session."""
    pitch = rng.uniform(90, 240)
    words = [_syllable(track.rate_hz, pitch, rng) for _ in range(24)]
    level = 10 ** rng.uniform(-1.7, -0.5)
    at, chatty = rng.uniform(0, 5), rng.uniform(0.2, 0.8)
    while at < length_s:
        stop = at + rng.uniform(1.0, 5.0)
        while at < stop:
            word = words[int(rng.integers(len(words)))]
            track.add(at, word * (level * rng.uniform(0.4, 1.0)), wet=False)
            at += len(word) / track.rate_hz + rng.uniform(0.0, 0.05)
        at = stop + rng.exponential(3.0 * (1 - chatty) / chatty)


def play(track: Track, length_s: float, rng: Generator) -> None:
    """Add music: chords of decaying harmonics on a beat, with a drum in half of the cases."""
    beat = rng.uniform(0.35, 0.9)
    t = np.arange(int(1.2 * beat * track.rate_hz)) / track.rate_hz
    notes = []
    for _ in range(8):
        f0 = 110.0 * 2 ** (rng.integers(0, 30) / 12)
        chord = sum(np.sin(2 * np.pi * f0 * h * i * t) / h for h in range(1, 5) for i in (1.0, 1.26, 1.5))
        notes.append(chord * np.clip(t / 0.01, 0, 1) * np.exp(-t / (0.6 * beat)) / 5)
    u = np.arange(int(0.12 * track.rate_hz)) / track.rate_hz
    kick = np.sin(2 * np.pi * 65 * u) * np.exp(-u / 0.04)
    snare = rng.standard_normal(len(u)) * np.exp(-u / 0.03) * 0.4
    drums = rng.random() < 0.5
    level = 10 ** rng.uniform(-1.9, -0.9)
    for i, at in enumerate(np.arange(rng.uniform(0, beat), length_s, beat)):
        track.add(float(at), notes[int(rng.integers(8))] * level, wet=False)
        if drums:
            track.add(float(at), (kick if i % 2 == 0 else snare) * level, wet=False)


def bang(track: Track, length_s: float, rng: Generator) -> None:
    """Add a few sounds that are neither claps nor stomps."""
    for make in (snap, slam, cough):
        for at in rng.uniform(0, length_s, rng.poisson(length_s / 120.0)):
            track.add(float(at), make(track.rate_hz, rng) * 10 ** rng.uniform(-1.5, -0.3))
