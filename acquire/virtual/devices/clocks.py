"""The virtual devices' clocks and delays, drawn for each seed: when each measures, and when its data arrive.

All times are host nanoseconds. Everything is a function of an index, so that processes that share a seed agree.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from acquire.virtual import chance
from acquire.virtual.faults import Faults
from dataset.capture.types import Sensor
from dataset.muscles import PAPER_CHANNELS
from dataset.support.arrays import FloatArray, IntArray

SPEED_OF_SOUND_M_S = 343.0
SOUND_RATE_HZ = 16000
BLOCK_SAMPLES = 320
FRAME_RATE_HZ = 30.0

_VALUE_S = 0.1
# Pauses of a link are drawn per slot of this length.
_PAUSE_SLOT_S = 20.0
# Values that waited out a pause follow each other this closely.
_CATCH_UP_NS = 3_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorClock:
    """When one M40 measures and when its values arrive.

    Attributes
    ----------
    name : str
        Seeds the jitter.
    zero_ns : int
        Start of the averaging interval of value 0.
    rate_ppm : float
        How much longer than 100 ms its interval is.
    delay_s : float
        From an interval's centre to the earliest possible arrival.
    connection_interval_s : float
        A value waits up to this long for the radio's next turn.
    pauses_per_minute, longest_pause_s : float
        Pauses of the link, after which the values catch up.
    """

    name: str
    zero_ns: int
    rate_ppm: float
    delay_s: float
    connection_interval_s: float
    pauses_per_minute: float
    longest_pause_s: float

    @property
    def period_s(self) -> float:
        """Host seconds from one value to the next."""
        return _VALUE_S * (1.0 + self.rate_ppm * 1e-6)

    def starts_ns(self, index: IntArray) -> IntArray:
        """Return when the averaging intervals begin; each ends where the next begins."""
        return self.zero_ns + np.rint(np.asarray(index, dtype=np.float64) * (self.period_s * 1e9)).astype(np.int64)

    def centres_ns(self, index: IntArray) -> IntArray:
        """Return the centres of the averaging intervals."""
        return (self.starts_ns(index) + self.starts_ns(index + 1)) // 2

    def sends_ns(self, index: IntArray) -> IntArray:
        """Return when values arrive: centre, delay and jitter, or the end of a pause."""
        index = np.asarray(index, dtype=np.int64)
        wait_s = self.connection_interval_s * chance.uniform(f"{self.name}/turn", index)
        stack_s = 0.0012 * -np.log(chance.uniform(f"{self.name}/stack", index))
        planned = self.centres_ns(index) + np.rint((self.delay_s + wait_s + stack_s) * 1e9).astype(np.int64)
        begins, ends = self._pause(planned)
        # Values of a pause follow one another when it has ended; those after it queue up behind them.
        ahead = np.maximum(planned - begins, 0) / (self.period_s * 1e9)
        queued = ends + np.rint(ahead * _CATCH_UP_NS).astype(np.int64)
        return np.where((ends > begins) & (planned >= begins), np.maximum(planned, queued), planned)

    def _pause(self, at_ns: IntArray) -> tuple[IntArray, IntArray]:
        """Return begin and end of the pause drawn in each time's slot (equal where there is none)."""
        slot_ns = round(_PAUSE_SLOT_S * 1e9)
        slot = (at_ns - self.zero_ns) // slot_ns
        happens = chance.uniform(f"{self.name}/pause", slot) < self.pauses_per_minute * _PAUSE_SLOT_S / 60.0
        length_s = 0.15 + (self.longest_pause_s - 0.15) * chance.uniform(f"{self.name}/length", slot) ** 2
        room_s = max(_PAUSE_SLOT_S - self.longest_pause_s - 1.0, 0.0)
        begin_s = room_s * chance.uniform(f"{self.name}/begin", slot)
        begins = self.zero_ns + slot * slot_ns + np.rint(begin_s * 1e9).astype(np.int64)
        return begins, begins + np.where(happens, np.rint(length_s * 1e9).astype(np.int64), 0)

    def interval_ns(self, index: int) -> tuple[int, int]:
        """Return start and stop of the averaging interval of value ``index``."""
        start, stop = self.starts_ns(np.array([index, index + 1]))
        return int(start), int(stop)

    def send_ns(self, index: int) -> int:
        """Return when value ``index`` is sent: centre of its interval plus delay plus jitter."""
        return int(self.sends_ns(np.array([index]))[0])

    def next_index(self, host_ns: int) -> int:
        """Return the first value that is sent at or after ``host_ns``."""
        latest = int((host_ns - self.zero_ns) / (self.period_s * 1e9)) + 1
        index = np.arange(latest - 10 - round(self.longest_pause_s / self.period_s), latest + 1, dtype=np.int64)
        return int(index[0]) + int(np.count_nonzero(self.sends_ns(index) < host_ns))


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraClock:
    """When a rolling-shutter camera exposes and when its frames arrive.

    Attributes
    ----------
    zero_ns : int
        When the first row of frame 0 begins to be exposed.
    rate_ppm : float
        By how much its frame period is too long.
    exposure_s, readout_s : float
        Exposure of a row; time from the first row's to the last row's.
    latency_s, jitter_s : float
        From the end of the last row's exposure to arrival: a constant, and a one-sided part with this scale.
    dropped_share : float
        Share of frames that never arrive.
    """

    name: str
    zero_ns: int
    rate_ppm: float
    exposure_s: float
    readout_s: float
    latency_s: float
    jitter_s: float
    dropped_share: float
    nominal_hz: float = FRAME_RATE_HZ

    @property
    def latency_ns(self) -> int:
        """From the end of the exposure to the earliest arrival."""
        return round(self.latency_s * 1e9)

    @property
    def period_s(self) -> float:
        """Host seconds from one frame to the next."""
        return (1.0 + self.rate_ppm * 1e-6) / self.nominal_hz

    def starts_ns(self, index: IntArray) -> IntArray:
        """Return when the first row of each frame begins to be exposed."""
        return self.zero_ns + np.rint(np.asarray(index, dtype=np.float64) * (self.period_s * 1e9)).astype(np.int64)

    def centres_ns(self, index: IntArray) -> IntArray:
        """Return the centre of each frame's exposure: that of its middle row."""
        return self.starts_ns(index) + round((self.readout_s + self.exposure_s) * 0.5e9)

    def arrivals_ns(self, index: IntArray) -> IntArray:
        """Return when each frame reaches the recorder."""
        index = np.asarray(index, dtype=np.int64)
        jitter_s = self.jitter_s * np.abs(chance.normal(f"{self.name}/jitter", index))
        late_s = self.readout_s + self.exposure_s + self.latency_s + jitter_s
        return self.starts_ns(index) + np.rint(late_s * 1e9).astype(np.int64)

    def dropped(self, index: IntArray) -> NDArray[np.bool_]:
        """Return a mask of the frames that never arrive."""
        return np.asarray(chance.uniform(f"{self.name}/dropped", index) < self.dropped_share)

    def next_index(self, host_ns: int) -> int:
        """Return the first frame that arrives at or after ``host_ns``."""
        latest = int((host_ns - self.zero_ns) / (self.period_s * 1e9)) + 1
        index = np.arange(latest - 20, latest + 1, dtype=np.int64)
        return int(index[0]) + int(np.count_nonzero(self.arrivals_ns(index) < host_ns))

    def lit_rows(self, index: int, height: int, lit_ns: list[tuple[int, int]]) -> FloatArray:
        """Return the share of each row's exposure, shape (height,), that falls into lit spans of host time."""
        start_ns = int(self.starts_ns(np.array([index]))[0])
        opens = np.arange(height) / max(height - 1, 1) * self.readout_s
        share = np.zeros(height)
        for on_ns, off_ns in lit_ns:
            on_s, off_s = (on_ns - start_ns) * 1e-9, (off_ns - start_ns) * 1e-9
            share += np.clip(np.minimum(opens + self.exposure_s, off_s) - np.maximum(opens, on_s), 0.0, None)
        return np.asarray(np.minimum(share / self.exposure_s, 1.0), dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class MicrophoneClock:
    """When the microphone takes its samples and when its blocks arrive.

    Attributes
    ----------
    zero_ns : int
        When sample 0 is taken.
    rate_ppm : float
        By how much its sampling rate is too high.
    latency_s, jitter_s : float
        From a block's last sample to its arrival: a constant, and the mean of an exponential part.
    """

    name: str
    zero_ns: int
    rate_ppm: float
    latency_s: float
    jitter_s: float
    rate_hz: int = SOUND_RATE_HZ
    block_samples: int = BLOCK_SAMPLES

    @property
    def true_rate_hz(self) -> float:
        """Samples per host second."""
        return self.rate_hz * (1.0 + self.rate_ppm * 1e-6)

    def sample_ns(self, sample: int) -> int:
        """Return when a sample is taken."""
        return self.zero_ns + round(sample / self.true_rate_hz * 1e9)

    def arrival_ns(self, block: int) -> int:
        """Return when a block reaches the recorder."""
        late_s = self.latency_s - self.jitter_s * float(
            np.log(chance.uniform(f"{self.name}/jitter", np.array([block])))[0]
        )
        return self.sample_ns((block + 1) * self.block_samples) + round(late_s * 1e9)

    def next_block(self, host_ns: int) -> int:
        """Return the first block whose first sample is taken at or after ``host_ns``."""
        return int(np.ceil((host_ns - self.zero_ns) * 1e-9 * self.true_rate_hz / self.block_samples))


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxDevice:
    """The LED box's clock and line.

    Attributes
    ----------
    first_us : int
        Its microseconds when it is switched on.
    rate_ppm : float
        How much faster than the host's clock it runs.
    latency_s : tuple of float
        Shortest and longest time a line is on its way, in each direction.
    beep_hz : float
        Its tone.
    """

    first_us: int
    rate_ppm: float
    latency_s: tuple[float, float]
    beep_hz: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """Every device of one virtual rig.

    Attributes
    ----------
    sensors : tuple of SensorClock
        In the order of ``PAPER_CHANNELS``.
    body_distance_m, box_distance_m : float
        From the body and from the box to the microphone.
    flash_gain, flash_light : float
        The flash multiplies the picture's brightness by ``1 + flash_gain`` and adds ``flash_light``.
    addresses, serials : tuple of str
        Of the sensors; a serial number is empty where the sensor does not provide it.
    """

    sensors: tuple[SensorClock, ...]
    camera: CameraClock
    microphone: MicrophoneClock
    box: BoxDevice
    body_distance_m: float
    box_distance_m: float
    flash_gain: float
    flash_light: float
    addresses: tuple[str, ...]
    serials: tuple[str, ...]

    @classmethod
    def drawn(cls, seed: int, faults: Faults | None = None, *, recording: int | None = None) -> Devices:
        """Draw the devices of one rig; the estimators share none of their constants.

        Parameters
        ----------
        seed : int
            Draws what stays the same from one recording to the next: constants, addresses, serials.
        faults : Faults, optional
        recording : int, optional
            Draws what does not: jitter, pauses, lost frames. By default ``seed``.
        """
        faults = faults or Faults()
        recording = seed if recording is None else recording
        rng = chance.generator(seed, "devices")
        sensors = tuple(
            SensorClock(
                name=f"{recording}/sensor/{i}",
                zero_ns=-int(rng.integers(0, 1_000_000_000)),
                rate_ppm=float(rng.uniform(-100.0, 100.0)),
                delay_s=float(rng.uniform(0.060, 0.210)),
                connection_interval_s=float(rng.uniform(0.008, 0.030)),
                pauses_per_minute=faults.pauses_per_minute,
                longest_pause_s=faults.longest_pause_s,
            )
            for i in range(len(PAPER_CHANNELS))
        )
        camera = CameraClock(
            name=f"{recording}/camera",
            zero_ns=-int(rng.integers(0, 1_000_000_000)),
            rate_ppm=float(rng.uniform(-80.0, 80.0)),
            exposure_s=float(rng.uniform(0.004, 0.016)),
            readout_s=float(rng.uniform(0.010, 0.028)),
            latency_s=float(rng.uniform(0.040, 0.110)),
            jitter_s=float(rng.uniform(0.001, 0.003)),
            dropped_share=faults.dropped_frame_share,
        )
        microphone = MicrophoneClock(
            name=f"{recording}/microphone",
            zero_ns=-int(rng.integers(0, 1_000_000_000)),
            rate_ppm=float(rng.uniform(-80.0, 80.0)),
            latency_s=float(rng.uniform(0.015, 0.045)),
            jitter_s=float(rng.uniform(0.0005, 0.002)),
        )
        shortest_s = rng.uniform(0.0003, 0.0012)
        box = BoxDevice(
            first_us=int(rng.integers(0, 1 << 32)),
            rate_ppm=float(rng.uniform(-100.0, 100.0)),
            latency_s=(float(shortest_s), float(shortest_s + rng.uniform(0.0005, 0.002))),
            beep_hz=float(rng.uniform(2100.0, 2900.0)),
        )
        numbers = rng.choice(1 << 16, size=len(PAPER_CHANNELS), replace=False)
        return cls(
            sensors=sensors,
            camera=camera,
            microphone=microphone,
            box=box,
            body_distance_m=float(rng.uniform(2.0, 3.0)),
            box_distance_m=float(rng.uniform(0.3, 0.8)),
            flash_gain=float(rng.uniform(0.15, 0.35)),
            flash_light=float(rng.uniform(10.0, 30.0)),
            addresses=tuple(f"F0:5D:A0:40:{n >> 8:02X}:{n & 255:02X}" for n in map(int, numbers)),
            serials=tuple(
                "" if channel.name in faults.no_serial_channels else f"M40-{int(n):05d}"
                for channel, n in zip(PAPER_CHANNELS, numbers, strict=True)
            ),
        )

    def rig_sensors(self) -> tuple[Sensor, ...]:
        """Return the slots: eight M40s on the paper's channels."""
        return tuple(
            Sensor(
                slot=i + 1,
                channel=channel.name,
                muscle=channel.muscle,
                side=channel.side,
                name="ANR Corp M40",
                address=self.addresses[i],
                serial=self.serials[i],
                adapter="virtual",
            )
            for i, channel in enumerate(PAPER_CHANNELS)
        )
