"""Simulated wireless sensors: eight of a level at 10 Hz, or of raw sEMG at 1 kHz.

The latency of a response's centroid is the sum of the muscle's burst relative to the contact, the sensor's averaging
and filter, and the radio's smallest delay. Centroids of convolutions add, so the truth is exact.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from scipy import signal

from benchmarks.alignment.script import KINDS, Script
from benchmarks.alignment.strata import Stratum
from dataset.muscles import CONTACT_OF_MUSCLE, MIA_CHANNELS, PAPER_CHANNELS, Channel
from dataset.support.arrays import FloatArray, IntArray

#: Step of the grid on which activations and filters are computed.
STEP_S = 0.002
#: Latency of a limb's burst after its contact, mean and standard deviation over people. A uniform distribution has no
#: tails, and would not detect intervals that miss unusual people.
_LEAD_S = (-0.02, 0.035)
#: Standard deviation of a muscle relative to its limb, and of each side relative to its muscle.
_MUSCLE_SD_S, _SIDE_SD_S = 0.012, 0.008
#: Chance that all sensors have the same filter, as with one firmware; otherwise each has its own.
_ONE_FILTER = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticSensor:
    """One sensor's values as received by the host.

    Attributes
    ----------
    muscle, side : str
    nominal_hz : float
        Rate in the data sheet; the sensor's own clock differs by up to half a percent.
    arrival_s : ndarray, shape (N,)
        Host time of arrival; values of one packet share it.
    epoch : ndarray of int64, shape (N,)
        Number of the connection.
    value : ndarray, shape (N,)
        Counts 0-1023 (10 Hz level) or microvolts (raw sEMG).
    counter : ndarray of int64, shape (N,), or None
        The sample's number, if the sensor counts.
    """

    muscle: str
    side: str
    nominal_hz: float
    arrival_s: FloatArray
    epoch: IntArray
    value: FloatArray
    counter: IntArray | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorTruth:
    """True values of one sensor.

    Attributes
    ----------
    response_s : float
        Contact to the centroid of the noise-free response at de-jittered arrivals, mean over the session's contacts;
        NaN if there is none.
    delay_s : float
        The sensor's delay: smallest arrival minus the centroid of a value's weights (averaging and filter).
    smallest_delay_s : float
        Smallest arrival minus the centre of the value's averaging interval (or minus the sample's time).
    emission_s : ndarray, shape (N,)
        Host time at which each value was sent, or was sampled if a packet has several.
    floor_s : float
        Smallest delay from there to the host.
    burst : ndarray, shape (K,)
        The burst's shape on a grid of ``STEP_S``, of area 1.
    burst_centroid_s : float
        The shape's own centroid, from the first value of ``burst``.
    kernel : ndarray, shape (J,)
        Averaging and filter, on the same grid, of area 1; it acts before the value is sent.
    snr : float
        A response of height 1 at its peak against the noise's standard deviation.
    lag_s, height : ndarray, shape (E,)
        Of each contact's burst: its centroid after the contact, and its height.
    """

    response_s: float
    delay_s: float
    smallest_delay_s: float
    emission_s: FloatArray
    burst: FloatArray
    burst_centroid_s: float
    kernel: FloatArray
    snr: float
    floor_s: float
    lag_s: FloatArray
    height: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class _Body:
    """Responses of a person's muscles to contacts.

    Attributes
    ----------
    lead_s : dict of float
        Per kind, the mean latency of the limb's burst after the contact; negative if it leads.
    muscle_s : dict of float
        Difference of a muscle's burst from its limb's, the same for left and right.
    shared_s : dict of ndarray
        Per kind, each contact's deviation shared by all muscles.
    own_sd_s : float
        Standard deviation of each contact's deviation in one muscle.
    """

    lead_s: dict[str, float]
    muscle_s: dict[str, float]
    shared_s: dict[str, FloatArray]
    own_sd_s: float


def wear(
    stratum: Stratum, script: Script, host_zero_s: float, rng: Generator
) -> dict[str, tuple[SyntheticSensor, SensorTruth]]:
    """Return the sensors of one session with their truths, by channel; times are host times."""
    channels = MIA_CHANNELS if rng.random() < 0.3 else PAPER_CHANNELS
    if stratum.worn_on == "legs":
        channels = tuple(c for c in channels if CONTACT_OF_MUSCLE.get(c.muscle) == "stomp")
    if stratum.others_clap:
        script = replace(script, contact_s={kind: np.zeros(0) for kind in KINDS})
    raw = stratum.family == "emg" or (stratum.family == "mixed" and rng.random() < 0.3)
    spread = rng.uniform(0.005, 0.025)
    shared = spread * rng.uniform(0.5, 0.9)
    body = _Body(
        lead_s={kind: rng.normal(*_LEAD_S) for kind in KINDS},
        muscle_s={muscle: rng.normal(0.0, _MUSCLE_SD_S) for muscle in dict.fromkeys(c.muscle for c in channels)},
        shared_s={kind: rng.normal(0.0, shared, len(script.contact_s[kind])) for kind in KINDS},
        own_sd_s=float(np.sqrt(spread**2 - shared**2)),
    )
    shape_s, shape_k = rng.uniform(0.04, 0.25), rng.uniform(1.5, 6.0)
    radio = _Radio.draw(rng)
    tempo = rng.uniform(1.2, 3.0)
    worn = _Worn(
        raw=raw, script=script, body=body, radio=radio, tempo=tempo, stratum=stratum, host_zero_s=host_zero_s,
        kernel=_kernel(raw, rng) if rng.random() < _ONE_FILTER else None,
    )  # fmt: skip
    found = {}
    for channel in channels:
        own = rng.spawn(1)[0]
        width_s = float(np.clip(shape_s * np.exp(own.normal(0, 0.15)), 0.04, 0.25))
        found[channel.name] = _sensor(channel, worn, _burst(width_s, shape_k), own)
    if stratum.worn_on == "two":
        for name in list(found)[2:]:
            sensor, truth = found[name]
            noise = np.abs(rng.normal(7.0, 2.0, len(sensor.value))).round().astype(np.float64)
            found[name] = replace(sensor, value=noise), replace(truth, response_s=np.nan)
    return found


def _burst(width_s: float, k: float) -> FloatArray:
    """Return a gamma-like burst of area 1 whose width at half its height is about ``width_s``."""
    scale = width_s / 2.355 / np.sqrt(k)
    t = np.arange(0.0, scale * (k + 8 * np.sqrt(k)) + STEP_S, STEP_S) + STEP_S / 2
    shape = (t / scale) ** (k - 1) * np.exp(-t / scale)
    return shape / shape.sum()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Radio:
    """Constants of the radio link, the same for all sensors of a session."""

    floor_s: float
    jitter_sd_s: float
    shape: float
    stalls_hz: float
    loss: float

    @classmethod
    def draw(cls, rng: Generator) -> _Radio:
        return cls(
            floor_s=rng.uniform(0.010, 0.080),
            jitter_sd_s=rng.uniform(0.030, 0.050),
            shape=rng.uniform(1.0, 2.0),
            stalls_hz=rng.uniform(0.0, 0.03),
            loss=rng.choice([0.0, rng.uniform(0.0, 0.005), rng.uniform(0.0, 0.03)]),
        )

    def deliver(self, ready_s: FloatArray, floor_s: float, rng: Generator) -> FloatArray:
        """Return arrivals: one-sided jitter, stalls after which everything arrives at once, never out of order."""
        late = rng.gamma(self.shape, self.jitter_sd_s / np.sqrt(self.shape), len(ready_s))
        arrival = ready_s + floor_s + late
        span = float(ready_s[-1] - ready_s[0])
        for start in ready_s[0] + rng.uniform(0.0, span, rng.poisson(self.stalls_hz * span)):
            stop = start + rng.uniform(0.15, 1.0)
            held = (arrival > start) & (arrival < stop)
            arrival[held] = stop + 0.002 * np.arange(int(held.sum()))
        return np.maximum.accumulate(arrival)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Worn:
    """Properties shared by the sensors of one session.

    Attributes
    ----------
    raw : bool
        Raw sEMG at 1 kHz, else a level at 10 Hz.
    tempo : float
        Period of the movements, in seconds.
    kernel : ndarray or None
        The filter of their model, if all have the same; else each draws its own.
    """

    raw: bool
    script: Script
    body: _Body
    radio: _Radio
    tempo: float
    stratum: Stratum
    host_zero_s: float
    kernel: FloatArray | None


def _sensor(channel: Channel, worn: _Worn, burst: FloatArray, rng: Generator) -> tuple[SyntheticSensor, SensorTruth]:
    raw, script, body, radio = worn.raw, worn.script, worn.body, worn.radio
    kind = CONTACT_OF_MUSCLE[channel.muscle]
    contact = script.contact_s[kind]
    mean_lag_s = body.lead_s[kind] + body.muscle_s[channel.muscle] + rng.normal(0, _SIDE_SD_S)
    lag = mean_lag_s + body.shared_s[kind] + rng.normal(0, body.own_sd_s, len(contact))
    start = -3.0
    grid = np.arange(start, script.length_s + 3.0, STEP_S)
    height = np.exp(rng.normal(0, 0.25, len(contact)))
    activation = _bursts(grid, contact + lag, height, burst)
    other = script.contact_s[KINDS[1 - KINDS.index(kind)]]
    crosstalk = rng.uniform(0.0, 0.1)
    activation += _bursts(grid, other + rng.normal(0, 0.05, len(other)), np.full(len(other), crosstalk), burst)
    activation += _movement(grid, script, worn.tempo, rng)
    kernel = _kernel(raw, rng) if worn.kernel is None else worn.kernel
    nominal_hz = 1000.0 if raw else 10.0
    period = (1 + rng.uniform(-0.005, 0.005)) / nominal_hz
    filtered = signal.fftconvolve(activation, kernel)[: len(grid)] if len(kernel) > 1 else activation
    peak = float(np.max(np.convolve(burst, kernel)) / np.max(burst))
    snr = rng.uniform(3.0, 30.0)
    floor_s = radio.floor_s + rng.uniform(0.0, 0.01)
    per_packet = 20 if raw else 1

    sample_s, epoch = _ticks(period, script.length_s, 1.0 if rng.random() < worn.stratum.reconnect else 0.0, rng)
    level = np.interp(sample_s, grid, filtered)
    value = _raw_value(level, snr, period, rng) if raw else _level_value(level, peak, snr, rng)
    # A packet is sent with its last sample; a connection that ends sends an incomplete packet.
    position = np.arange(len(sample_s)) - np.searchsorted(epoch, epoch)
    packet = np.cumsum(position % per_packet == 0) - 1
    last = np.append(np.flatnonzero(np.diff(packet)), len(sample_s) - 1)
    arrival = np.zeros(len(last))
    for number in np.unique(epoch[last]):
        rows = epoch[last] == number
        arrival[rows] = radio.deliver(sample_s[last[rows]], floor_s, rng)
    kept = rng.random(len(last)) >= radio.loss
    keep = kept[packet]
    times = arrival[packet][keep] + worn.host_zero_s
    counter = np.arange(len(sample_s), dtype=np.int64)[keep] if raw and (not kept.all() or rng.random() < 0.5) else None
    inside = (contact > sample_s[0]) & (contact < sample_s[-1])
    # In the grid's convolution kernel[0] has no delay.
    delay = float(np.sum(kernel * np.arange(len(kernel)))) * STEP_S
    sensor = SyntheticSensor(
        muscle=channel.muscle, side=channel.side, nominal_hz=nominal_hz, arrival_s=times,
        epoch=epoch[keep], value=value[keep], counter=counter,
    )  # fmt: skip
    truth = SensorTruth(
        response_s=float(np.mean(lag[inside])) + delay + floor_s if inside.any() else float("nan"),
        delay_s=delay + floor_s,
        smallest_delay_s=floor_s + (0.0 if raw else period / 2),
        emission_s=sample_s[keep] + worn.host_zero_s,
        floor_s=floor_s,
        lag_s=lag,
        height=height,
        burst=burst,
        burst_centroid_s=float(np.sum(burst * np.arange(len(burst)))) * STEP_S,
        kernel=kernel,
        snr=float(snr),
    )
    return sensor, truth


def _bursts(grid: FloatArray, centre_s: FloatArray, height: FloatArray, burst: FloatArray) -> FloatArray:
    """Return bursts with peak ``height`` and centroids at ``centre_s``."""
    train = np.zeros(len(grid))
    centroid = float(np.sum(burst * np.arange(len(burst))))
    position = (centre_s - grid[0]) / STEP_S - centroid
    whole = np.floor(position).astype(np.int64)
    part = position - whole
    for at, share, tall in zip(whole, part, height, strict=True):
        # Divided between two grid steps, so that the centroid is exact.
        for first, weight in ((at, 1 - share), (at + 1, share)):
            if 0 <= first < len(grid) - len(burst):
                train[first : first + len(burst)] += weight * tall * burst / burst.max()
    return train


def _movement(grid: FloatArray, script: Script, tempo: float, rng: Generator) -> FloatArray:
    """Return activity unrelated to contacts: exercise between the sequences, occasional twitches, slow tonus."""
    begin, stop = script.exercise_s
    out = np.zeros(len(grid))
    if stop - begin > 3:
        inside = (grid > begin) & (grid < stop)
        u = grid[inside] - begin
        phase = 2 * np.pi * (u / tempo + 0.3 * np.sin(2 * np.pi * u / 17.0)) + rng.uniform(0, 2 * np.pi)
        wave = np.clip(np.sin(phase), 0, None) ** rng.uniform(1.0, 3.0)
        edge = np.clip(np.minimum(u, u[-1] - u) / 0.5, 0, 1)
        out[inside] = rng.uniform(0.1, 2.5) * wave * edge * (1 + 0.3 * np.sin(2 * np.pi * u / 23.0))
    for at in rng.uniform(grid[0], grid[-1], rng.poisson((grid[-1] - grid[0]) / 40.0)):
        out += rng.uniform(0.1, 0.8) * np.exp(-0.5 * ((grid - at) / rng.uniform(0.05, 0.3)) ** 2)
    out += rng.uniform(0.0, 0.05) * (1 + np.sin(2 * np.pi * grid / rng.uniform(5.0, 40.0) + rng.uniform(0, 6)))
    return out


def _kernel(raw: bool, rng: Generator) -> FloatArray:
    """Return the kernel of the sensor's averaging and filter, which is causal."""
    if raw:
        n = 1 + int(rng.uniform(0.0, 0.010) / STEP_S)
        return np.full(n, 1.0 / n)
    n = round(0.1 / STEP_S)
    kernel = np.full(n, 1.0 / n)
    kind = rng.integers(0, 4)
    if kind == 1:
        kernel = np.convolve(kernel, _decay(rng.uniform(0.02, 0.12)))
    elif kind == 2:
        wide = int(rng.integers(1, 3)) * n
        kernel = np.convolve(kernel, np.full(wide, 1.0 / wide))
    elif kind == 3:
        one = _decay(rng.uniform(0.015, 0.06))
        kernel = np.convolve(np.convolve(kernel, one), one)
    return kernel / kernel.sum()


def _decay(tau_s: float) -> FloatArray:
    h = np.exp(-np.arange(0.0, 8 * tau_s, STEP_S) / tau_s)
    return h / h.sum()


def _ticks(period: float, length_s: float, reconnects: float, rng: Generator) -> tuple[FloatArray, IntArray]:
    """Return sampling times and the connection of each sample; there are no samples between connections."""
    bounds = [(-1.0 + rng.uniform(0.0, 0.5), length_s + 1.0)]
    if reconnects:
        for _ in range(int(rng.integers(1, 3))):
            first, stop = bounds.pop()
            if stop - first < 15:
                bounds.append((first, stop))
                break
            at, gap = rng.uniform(first + 5, stop - 5), rng.uniform(1.5, 10.0)
            bounds += [(first, at), (at + gap, stop)] if at + gap < stop - 2 else [(first, at)]
    times = [
        first + rng.uniform(0, period) + period * np.arange(int((stop - first) / period)) for first, stop in bounds
    ]
    epoch = [np.full(len(t), i, dtype=np.int64) for i, t in enumerate(times)]
    return np.concatenate(times), np.concatenate(epoch)


def _level_value(level: FloatArray, peak: float, snr: float, rng: Generator) -> FloatArray:
    """Return counts: level at rest (variable with placement), responses and noise, rounded to integers."""
    tall = rng.uniform(60.0, 300.0)
    rest = rng.choice([rng.uniform(5.0, 80.0), rng.uniform(80.0, 500.0)])
    counts = rest + tall * (level / peak) + rng.normal(0.0, tall / snr, len(level))
    return np.clip(np.round(counts), 0.0, 1023.0)


def _raw_value(level: FloatArray, snr: float, period: float, rng: Generator) -> FloatArray:
    """Return microvolts: band-limited noise modulated by muscle activity, skin noise, and hum."""
    sos = signal.butter(2, [20.0, 450.0], "bandpass", fs=1000.0, output="sos")
    carrier = signal.sosfilt(sos, rng.standard_normal(len(level)))
    carrier /= np.std(carrier)
    rest = rng.uniform(3.0, 15.0)
    hum = rng.uniform(0.0, 0.5) * rest * np.sin(2 * np.pi * 50.0 * period * np.arange(len(level)))
    value = carrier * (rest * snr * level) + rest * signal.sosfilt(sos, rng.standard_normal(len(level))) + hum
    return np.round(value * 10) / 10
