"""The virtual rig's sensors of other makes: a BITalino with two muscles on it and a board that writes lines.

They send what those devices send, built from the devices' documents and not with the decoder that they test.
Everything is a function of an index, as for the M40s.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from acquire.virtual import chance
from acquire.virtual.faults import Faults
from acquire.virtual.person.world import World
from dataset.capture.types import Sensor
from dataset.sensors.profile import find_profile
from dataset.support.arrays import FloatArray, IntArray

#: Which channels of the mixed rig sit on which kind of device.
MIXED = (("bitalino-ble", ("left_biceps", "left_triceps")), ("nus-lines", ("right_quadriceps",)))

_RATE_HZ = {"bitalino-ble": 1000.0, "nus-lines": 50.0}
_NAMES = {"bitalino-ble": "BITalino-51-3B", "nus-lines": "EMG board"}
#: Counts of level per count of the waveform's standard deviation.
_LEVEL_PER_COUNT = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherDevice:
    """One device.

    Attributes
    ----------
    kind : str
        ``bitalino-ble`` or ``nus-lines``.
    channels : tuple of str
        What its columns measure.
    zero_ns : int
        When sample 0 is taken.
    rate_ppm : float
        How much longer than nominal its sampling interval is.
    delay_s : float
        From a sample until it is ready to send.
    turn_s : float
        Interval at which the radio sends what is ready.
    """

    kind: str
    channels: tuple[str, ...]
    name: str
    address: str
    zero_ns: int
    rate_ppm: float
    delay_s: float
    turn_s: float

    @property
    def advertised_name(self) -> str:
        """Its advertised name."""
        return _NAMES[self.kind]

    @property
    def period_ns(self) -> float:
        """Host nanoseconds from one sample to the next."""
        return 1e9 / _RATE_HZ[self.kind] * (1.0 + self.rate_ppm * 1e-6)

    def samples_ns(self, index: IntArray) -> IntArray:
        """Return when samples are taken."""
        return self.zero_ns + np.rint(np.asarray(index, dtype=np.float64) * self.period_ns).astype(np.int64)

    def centres_ns(self, index: IntArray) -> IntArray:
        """Return the centre of each sample's averaging interval: the board averages since its last line."""
        back_ns = 0 if self.kind == "bitalino-ble" else round(0.5 * self.period_ns)
        return np.asarray(self.samples_ns(index) - back_ns, dtype=np.int64)

    def turns_ns(self, number: IntArray) -> IntArray:
        """Return when the radio sends: each interval, with jitter."""
        late_s = 0.0008 * -np.log(chance.uniform(f"{self.name}/turn", number))
        since_s = number * self.turn_s + np.minimum(late_s, 0.005)
        return np.asarray(self.zero_ns + np.rint(since_s * 1e9), dtype=np.int64)

    def turn_of(self, index: IntArray) -> IntArray:
        """Return in which of the radio's turns each sample goes out."""
        ready_s = (self.samples_ns(index) - self.zero_ns) * 1e-9 + self.delay_s
        return np.asarray(np.ceil(ready_s / self.turn_s), dtype=np.int64)

    def first_index(self, turn: int) -> int:
        """Return the first sample of a turn."""
        guess = int((turn - 1) * self.turn_s / (self.period_ns * 1e-9) - self.delay_s * _RATE_HZ[self.kind]) - 3
        index = np.arange(guess, guess + 8, dtype=np.int64)
        return int(index[np.searchsorted(self.turn_of(index), turn)])

    def turn_at(self, host_ns: int) -> int:
        """Return the first turn after a moment."""
        return int((host_ns - self.zero_ns) * 1e-9 / self.turn_s) + 1

    def values(self, world: World, index: IntArray) -> IntArray:
        """Return what each column reads, shape (N, columns): a waveform about mid-range, or a mean level."""
        columns: list[FloatArray] = []
        for channel in self.channels:
            if self.kind == "bitalino-ble":
                noise = chance.normal(f"{self.name}/{channel}", index)
                level = world.level(channel, self.samples_ns(index)) / _LEVEL_PER_COUNT
                columns.append(512.0 + level * noise)
            else:
                parts = self.samples_ns(index)[:, None] - np.rint((np.arange(5) + 0.5) / 5 * self.period_ns).astype(
                    np.int64
                )
                mean = world.level(channel, parts.ravel()).reshape(parts.shape).mean(axis=1)
                columns.append(mean + 2.0 * chance.normal(f"{self.name}/{channel}", index))
        return np.clip(np.rint(np.stack(columns, axis=1)), 0, 1023).astype(np.int64)

    def payload(self, faults: Faults, index: IntArray, values: IntArray) -> bytes:
        """Return the bytes of some successive samples; faults drop samples or flip a bit."""
        lost = chance.uniform(f"{self.name}/lost", index) < faults.lost_share
        broken = chance.uniform(f"{self.name}/malformed", index) < faults.malformed_share
        pieces = []
        for i, of_columns, gone, bad in zip(index.tolist(), values.tolist(), lost, broken, strict=True):
            if gone:
                continue
            if self.kind == "bitalino-ble":
                piece = bitalino_frame(i, of_columns)
                pieces.append(piece[:3] + bytes([piece[3] ^ 0x20]) + piece[4:] if bad else piece)
            else:
                pieces.append(b"?!\n" if bad else b",".join(b"%d" % v for v in of_columns) + b"\r\n")
        return b"".join(pieces)


def bitalino_frame(sequence: int, analog: list[int]) -> bytes:
    """Return one BITalino frame of six channels; the last byte is the sequence above a CRC-4."""
    a = [*analog, 0, 0, 0, 0, 0, 0][:6]
    frame = bytearray(8)
    frame[7] = (sequence & 0xF) << 4
    frame[6] = a[0] >> 6
    frame[5] = (a[0] & 0x3F) << 2 | a[1] >> 8
    frame[4] = a[1] & 0xFF
    frame[3] = a[2] >> 2
    frame[2] = (a[2] & 0x3) << 6 | a[3] >> 4
    frame[1] = (a[3] & 0xF) << 4 | a[4] >> 2
    frame[0] = (a[4] & 0x3) << 6 | a[5]
    # A shift register of four bits fed with each half byte, as in the firmware.
    register = 0
    for byte in frame:
        for half in (byte >> 4, byte & 0xF):
            for _ in range(4):
                register <<= 1
                register ^= 0x13 if register & 0x10 else 0
            register ^= half
    frame[7] |= register
    return bytes(frame)


def drawn_others(seed: int, *, recording: int | None = None) -> tuple[OtherDevice, ...]:
    """Draw the mixed rig's other devices from ``seed``, and from ``recording`` what differs between recordings."""
    rng = chance.generator(seed, "others")
    return tuple(
        OtherDevice(
            kind=kind,
            channels=channels,
            name=f"{seed if recording is None else recording}/{kind}",
            address=f"F0:5D:A0:77:{int(rng.integers(256)):02X}:{number:02X}",
            zero_ns=-int(rng.integers(0, 1_000_000_000)),
            rate_ppm=float(rng.uniform(-100.0, 100.0)),
            delay_s=float(rng.uniform(0.015, 0.070)),
            turn_s=float(rng.uniform(0.011, 0.028)),
        )
        for number, (kind, channels) in enumerate(MIXED)
    )


def mixed_sensors(sensors: tuple[Sensor, ...], others: tuple[OtherDevice, ...]) -> tuple[Sensor, ...]:
    """Return the slots with those of the other devices in place of M40s."""
    seats = {
        channel: (device, f"{device.kind}:{column}" if column > 1 else device.kind)
        for device in others
        for column, channel in enumerate(device.channels, start=1)
    }
    mixed = []
    for sensor in sensors:
        if sensor.channel in seats:
            device, spec = seats[sensor.channel]
            sensor = replace(
                sensor, name=device.advertised_name, address=device.address, serial="", profile=find_profile(spec)
            )
        mixed.append(sensor)
    return tuple(mixed)
