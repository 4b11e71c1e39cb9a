"""Soundscapes with known contacts: claps, stomps, snaps and door slams in rooms, under speech, music and noise.

Built from what such sounds are - a burst of air between two hands and the cavity they form, a fingertip on the
palm, a panel that booms and rattles in its frame - and not from what the detector looks for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import signal

from dataset.media.sound import Sound
from dataset.support.arrays import FloatArray

#: Everything is made at this rate and brought down to the recording's.
RATE_HZ = 48000
CONTACTS = ("clap", "stomp", "snap", "door")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A sound track and what happened in it: ``(kind, time_s)`` of each contact."""

    sound: Sound
    truth: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a scene is drawn from: names of what is there, and levels against the loudest contact's peak."""

    kinds: tuple[str, ...] = CONTACTS
    background: str = "quiet"  # quiet, noise, speech, music
    background_peak: float = 0.15
    reverberant: bool = False
    channel: str = "plain"  # plain, clipped, agc, coded, downmixed
    rate_hz: int = 48000
    seconds: float = 25.0


def clap(rng: np.random.Generator) -> FloatArray:
    """Hands: air pressed out (broadband, one or two milliseconds) and the cavity that rings for some more."""
    t = _time(0.25)
    attack = np.clip(t / rng.uniform(0.0002, 0.0015), 0, 1)
    low = rng.uniform(300, 900)
    burst = _band(rng.normal(size=len(t)), low, rng.uniform(5000, 12000)) * np.exp(-t / rng.uniform(0.003, 0.009))
    cavity = np.zeros(len(t))
    for _ in range(int(rng.integers(1, 4))):
        pitch = np.exp(rng.uniform(np.log(500), np.log(3000)))
        # A cavity that leaks all round has a quality of a few.
        ring = rng.uniform(1.5, 4.0) / (np.pi * pitch) + 0.002
        cavity += rng.uniform(0.3, 1) * np.sin(2 * np.pi * pitch * t + rng.uniform(0, 6)) * np.exp(-t / ring)
    return _unit(attack * (_unit(burst) + rng.uniform(0.2, 0.9) * _unit(cavity)))


def snap(rng: np.random.Generator) -> FloatArray:
    """A finger: one blow on the palm, ringing at a few kilohertz for a millisecond, after a faint rub."""
    t = _time(0.25)
    rub_s = rng.uniform(0.004, 0.012)
    wave = np.zeros(len(t))
    n = round(rub_s * RATE_HZ)
    wave[:n] = 0.02 * _band(rng.normal(size=n), 1500, 9000)
    after = t - rub_s
    on = np.clip(after / 0.0002, 0, 1)
    main = rng.uniform(1600, 3800)
    for pitch, weight in ((main, 1.0), (rng.uniform(1.8, 3.2) * main, rng.uniform(0.1, 0.6))):
        ring = rng.uniform(2.5, 6.0) / (np.pi * pitch)
        wave += weight * on * np.sin(2 * np.pi * pitch * np.maximum(after, 0)) * np.exp(-np.maximum(after, 0) / ring)
    click = _band(rng.normal(size=len(t)), 1500, 10000) * on * np.exp(-np.maximum(after, 0) / 0.0006)
    return _unit(wave + rng.uniform(0.1, 0.4) * _unit(click))


def door(rng: np.random.Generator) -> FloatArray:
    """A door: the latch's click, the panel's boom and what rattles in the frame."""
    t = _time(1.0)
    wave = np.zeros(len(t))
    for _ in range(int(rng.integers(3, 7))):
        pitch = rng.uniform(45, 260)
        wave += rng.uniform(0.4, 1) * np.sin(2 * np.pi * pitch * t) * np.exp(-t / rng.uniform(0.06, 0.22))
    wave = _unit(wave) * np.clip(t / rng.uniform(0.001, 0.004), 0, 1)
    blow = _band(rng.normal(size=len(t)), 80, rng.uniform(800, 2500)) * np.exp(-t / rng.uniform(0.015, 0.06))
    wave += rng.uniform(0.3, 0.8) * _unit(blow)
    for _ in range(int(rng.integers(3, 9))):
        at, level = rng.uniform(0.015, 0.35), rng.uniform(0.05, 0.35)
        since = t - at
        rattle = _band(rng.normal(size=len(t)), 300, rng.uniform(2500, 6000))
        wave += level * _unit(rattle * (since > 0) * np.exp(-np.maximum(since, 0) / rng.uniform(0.003, 0.012)))
    if rng.random() < 0.4:
        wave += rng.uniform(0.1, 0.4) * _unit(_band(rng.normal(size=len(t)), 800, 6000) * np.exp(-t / 0.004))
    return _unit(wave)


def stomp(rng: np.random.Generator) -> FloatArray:
    """A heel on a floor: a thump of one or two modes, and the sole's contact."""
    t = _time(0.5)
    wave = np.zeros(len(t))
    for _ in range(int(rng.integers(1, 3))):
        wave += np.sin(2 * np.pi * rng.uniform(45, 130) * t) * np.exp(-t / rng.uniform(0.025, 0.060))
    sole = _band(rng.normal(size=len(t)), 150, rng.uniform(1500, 3000)) * np.exp(-t / rng.uniform(0.003, 0.008))
    return _unit(np.clip(t / 0.0015, 0, 1) * (_unit(wave) + rng.uniform(0.1, 0.4) * _unit(sole)))


_WAVES = {"clap": clap, "snap": snap, "door": door, "stomp": stomp}


def scene(rng: np.random.Generator, setting: Setting) -> Scene:
    """Draw one scene."""
    n = round(setting.seconds * RATE_HZ)
    samples = np.zeros(n)
    truth: list[tuple[str, float]] = []
    rooms = [_room(rng) for _ in range(1)] if setting.reverberant else []
    at = rng.uniform(0.6, 1.2)
    while at < setting.seconds - 1.5:
        kind = str(rng.choice(setting.kinds))
        wave = _WAVES[kind](rng) * rng.uniform(0.35, 1.0)
        for room in rooms:
            wave = signal.fftconvolve(wave, room)
        start = round(at * RATE_HZ)
        stop = min(n, start + len(wave))
        samples[start:stop] += wave[: stop - start]
        truth.append((kind, start / RATE_HZ + _lead_s(wave)))
        at += rng.uniform(0.7, 2.2)
    samples *= 0.7 / max(1e-9, float(np.abs(samples).max()))
    back = _background(rng, setting.background, n)
    for room in rooms:
        back = signal.fftconvolve(back, room)[:n]
    level = 0.7 * setting.background_peak / max(1e-9, float(np.quantile(np.abs(back), 0.9999)))
    samples += level * back + rng.normal(0, 10 ** rng.uniform(-4.3, -3.0), n)
    samples = _through(rng, samples, setting.channel)
    if setting.rate_hz != RATE_HZ:
        samples = signal.resample_poly(samples, *_ratio(setting.rate_hz))
    return Scene(
        sound=Sound(samples=samples.astype(np.float32), rate_hz=setting.rate_hz, start_s=0.0), truth=tuple(truth)
    )


def speech(rng: np.random.Generator, n: int) -> FloatArray:
    """Syllables of a pulsed voice through wandering formants, with hisses, stops and pauses between."""
    out = np.zeros(n)
    at = 0
    while at < n:
        if rng.random() < 0.15:
            at += round(rng.uniform(0.2, 0.7) * RATE_HZ)
        start_kind = rng.choice(["stop", "hiss", "none"])
        if start_kind == "stop":
            at += round(rng.uniform(0.04, 0.09) * RATE_HZ)
            length = round(rng.uniform(0.015, 0.05) * RATE_HZ)
            t = np.arange(length) / RATE_HZ
            burst = _band(rng.normal(size=length), *sorted(rng.uniform(1200, 6500, 2) + np.array([0, 900])))
            burst *= np.clip(t / rng.uniform(0.0008, 0.003), 0, 1) * np.exp(-t / rng.uniform(0.004, 0.015))
            _add(out, at, rng.uniform(0.1, 0.45) * _unit(burst))
            at += round(rng.uniform(0.01, 0.04) * RATE_HZ)
        elif start_kind == "hiss":
            length = round(rng.uniform(0.07, 0.18) * RATE_HZ)
            hiss = _band(rng.normal(size=length), rng.uniform(2500, 4500), 9000) * np.hanning(length)
            _add(out, at, rng.uniform(0.15, 0.5) * _unit(hiss))
            at += round(0.8 * length)
        length = round(rng.uniform(0.09, 0.28) * RATE_HZ)
        pitch = rng.uniform(90, 240) * np.exp(np.cumsum(rng.normal(0, 0.0002, length)))
        phase = np.cumsum(pitch / RATE_HZ)
        pulses = np.diff(np.floor(phase), prepend=0.0)
        voice = np.zeros(length)
        for centre, weight in (
            (rng.uniform(300, 800), 1),
            (rng.uniform(900, 2300), 0.5),
            (rng.uniform(2300, 3400), 0.2),
        ):
            voice += weight * _unit(_band(pulses, 0.88 * centre, 1.12 * centre))
        rise = np.clip(np.minimum(np.arange(length), np.arange(length)[::-1]) / (0.015 * RATE_HZ), 0, 1)
        _add(out, at, rng.uniform(0.4, 1.0) * _unit(voice) * rise)
        at += length
    return out


def music(rng: np.random.Generator, n: int) -> FloatArray:
    """Plucked and held notes with harmonics, a chord's worth at a time."""
    out = np.zeros(n)
    at = 0
    while at < n:
        for _ in range(int(rng.integers(1, 4))):
            length = round(rng.uniform(0.3, 1.2) * RATE_HZ)
            t = np.arange(length) / RATE_HZ
            pitch = 110 * 2 ** (rng.integers(0, 37) / 12)
            note = sum(np.sin(2 * np.pi * pitch * k * t) * np.exp(-t * k / 0.8) / k**1.3 for k in range(1, 12))
            _add(out, at, np.clip(t / rng.uniform(0.003, 0.04), 0, 1) * np.clip((t[-1] - t) / 0.05, 0, 1) * note)
        at += round(rng.uniform(0.15, 0.6) * RATE_HZ)
    return out


def _background(rng: np.random.Generator, name: str, n: int) -> FloatArray:
    if name == "speech":
        return speech(rng, n)
    if name == "music":
        return music(rng, n)
    white = rng.normal(size=n)
    if name == "noise":
        # Falls by 3 dB an octave, as rooms with fans and streets do.
        spectrum = np.fft.rfft(white) / np.sqrt(np.maximum(np.fft.rfftfreq(n, 1 / RATE_HZ), 20.0))
        return np.asarray(np.fft.irfft(spectrum, n))
    return 0.01 * white


def _room(rng: np.random.Generator) -> FloatArray:
    """Direct sound, a few early reflections and a tail that loses its treble first."""
    decay_s = rng.uniform(0.2, 0.9)
    t = _time(min(1.0, decay_s))
    tail = rng.normal(size=len(t)) * 10 ** (-3 * t / decay_s)
    dull = _band(rng.normal(size=len(t)), 40, 2000) * 10 ** (-3 * t / (1.4 * decay_s))
    tail = (tail + dull) * (t > 0.004)
    ratio = 10 ** (rng.uniform(-4, 10) / 20)
    room = tail / (ratio * np.sqrt(np.sum(tail**2)))
    room[0] = 1.0
    for _ in range(int(rng.integers(2, 7))):
        room[round(rng.uniform(0.002, 0.03) * RATE_HZ)] += rng.uniform(0.1, 0.5) * rng.choice([-1, 1])
    return room


def _through(rng: np.random.Generator, samples: FloatArray, channel: str) -> FloatArray:
    if channel == "clipped":
        return np.clip(samples * rng.uniform(1.5, 4.0), -0.99, 0.99)
    if channel == "agc":
        power = signal.lfilter([1 - 0.9999], [1, -0.9999], samples**2)
        return np.clip(samples * np.minimum(0.05 / np.sqrt(power + 1e-7), 12.0), -0.99, 0.99)
    if channel == "coded":
        # Band limit, and the noise before an attack that a transform codec spreads over its block.
        limit = rng.uniform(7000, 15000)
        coded = signal.sosfiltfilt(signal.butter(6, limit, fs=RATE_HZ, output="sos"), samples)
        block = 1024
        power = np.sqrt(np.convolve(coded**2, np.ones(block) / block, mode="same"))
        return np.asarray(coded + 0.03 * power * rng.normal(size=len(coded)))
    if channel == "downmixed":
        late = round(rng.uniform(0.0002, 0.0006) * RATE_HZ)
        return 0.5 * samples + 0.5 * np.concatenate([np.zeros(late), samples[:-late]])
    return samples


def _lead_s(wave: FloatArray) -> float:
    """Return when the wave itself begins to stand out: a snap's rub comes before its blow."""
    return float(np.argmax(np.abs(wave) > 0.1 * np.abs(wave).max())) / RATE_HZ


def _add(out: FloatArray, at: int, wave: FloatArray) -> None:
    stop = min(len(out), at + len(wave))
    if stop > at:
        out[at:stop] += wave[: stop - at]


def _band(values: FloatArray, low_hz: float, high_hz: float) -> FloatArray:
    sos = signal.butter(2, (low_hz, min(high_hz, 0.49 * RATE_HZ)), "bandpass", fs=RATE_HZ, output="sos")
    return np.asarray(signal.sosfilt(sos, values), dtype=np.float64)


def _unit(values: FloatArray) -> FloatArray:
    return np.asarray(values / max(1e-12, float(np.abs(values).max())), dtype=np.float64)


def _time(seconds: float) -> FloatArray:
    return np.arange(round(seconds * RATE_HZ)) / RATE_HZ


def _ratio(rate_hz: int) -> tuple[int, int]:
    common = int(np.gcd(rate_hz, RATE_HZ))
    return rate_hz // common, RATE_HZ // common
