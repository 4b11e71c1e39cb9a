"""``mia-record simulate``: the virtual rig's truth as a capture, faster than real time, without Bluetooth."""

from __future__ import annotations

import struct
from array import array
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from acquire.event_log import EventLog
from acquire.ledbox.clock_sync import Exchange, unwrap_us
from acquire.ledbox.driver import IDLE_PINGS_EVERY_S, PINGS_AT_FIRST, PINGS_IN_A_BURST
from acquire.ledbox.flasher import BOX_SOURCE, FLASH_MS, Flash, box_flash
from acquire.media.microphone import ArrivalLine
from acquire.media.video_writer import VideoFormat, VideoWriter
from acquire.protocol.protocol import Protocol
from acquire.protocol.schedule import Schedule, build_schedule
from acquire.quality.sensor_health import SensorHealth, health_by_channel
from acquire.recording.row_writer import RowWriter
from acquire.virtual import chance
from acquire.virtual.devices.box import BANNER, BoxClock, answer
from acquire.virtual.devices.clocks import Devices, SensorClock
from acquire.virtual.devices.orders import make_world
from acquire.virtual.devices.others import drawn_others, mixed_sensors
from acquire.virtual.devices.soundtrack import Soundtrack
from acquire.virtual.faults import Faults, load_faults
from acquire.virtual.film import Film
from acquire.virtual.person.figure import Figure, expose
from acquire.virtual.person.motions import known_motion
from acquire.virtual.person.world import World
from acquire.virtual.simulate_options import SimulateOptions
from acquire.virtual.simulate_others import write_other
from acquire.virtual.truth import SensorTruth, VideoTruth, fit_video, sensor_truth, write_truth
from dataset.capture.schema import VIDEO
from dataset.capture.types import Sensor
from dataset.capture.writer import CaptureHeader, CaptureWriter, new_capture_folder
from dataset.muscles import PAPER_CHANNELS
from dataset.sensors.profile import find_profile
from dataset.support.arrays import IntArray
from dataset.support.clock import anchor
from dataset.support.errors import InputError

#: Called from time to time with the share that is done, 0-1.
Progress = Callable[[float], None]

#: Frames whose bodies are computed together.
_FRAMES_AT_ONCE = 30
#: Rows that may wait to be written: more come in an instant than are written in one.
_ROWS_AT_ONCE = 5000


def simulate(out: Path, options: SimulateOptions, progress: Progress = lambda _: None) -> Path:
    """Write a closed capture of the virtual person, with its ``truth.json``.

    Parameters
    ----------
    out : Path
        The capture goes to ``out/sub-<subject>/ses-<stamp>``.
    options : SimulateOptions
    progress : callable, optional

    Returns
    -------
    Path
        The capture's folder.

    Raises
    ------
    InputError
        An exercise the virtual person does not know, a wrong faults file, or too few minutes.
    OutputExistsError
        The folder is there already.
    """
    faults = load_faults(options.faults) if isinstance(options.faults, Path) else options.faults or Faults()
    protocol, _ = options.protocol
    for exercise in protocol.exercises:
        known_motion(exercise.name)
    calibrated = tuple(c.name for c in PAPER_CHANNELS) if options.calibrate else ()
    schedule = _schedule(protocol, options.seed, options.minutes, calibrated)
    return _Simulation(out, options, schedule, faults).write(progress)


def _schedule(protocol: Protocol, seed: int, minutes: float | None, calibrate: Sequence[str]) -> Schedule:
    """Return the prompts, with as many passes as fill the minutes."""
    plain = build_schedule(protocol, seed, calibrate=calibrate)
    if minutes is None:
        return plain
    wanted_s = minutes * 60.0
    pass_s = sum(e.duration_s + (protocol.rest_s if e.rest_s is None else e.rest_s) for e in protocol.exercises)
    if pass_s > 0.0:
        around_s = plain.duration_s - protocol.passes * pass_s
        passes = max(1, round((wanted_s - around_s) / pass_s))
        protocol = protocol.model_copy(update={"passes": passes})
    schedule = build_schedule(protocol, seed, wanted_s, calibrate=calibrate)
    if schedule.duration_s > wanted_s + 5.0:
        raise InputError(
            f"{minutes:g} minutes are too few",
            f"the sync sequences{' and the calibration' if calibrate else ''} alone take {schedule.duration_s:.0f} s",
            "ask for more minutes, or for fewer claps and stomps in the protocol",
        )
    return schedule


class _Simulation:
    """One capture being written."""

    def __init__(self, out: Path, options: SimulateOptions, schedule: Schedule, faults: Faults) -> None:
        seed, subject = options.seed, options.subject
        self._seed = seed
        self._film_as = options.film
        self._schedule = schedule
        self._faults = faults
        self._rng = chance.generator(seed, "simulate")
        self._devices = Devices.drawn(seed, faults)
        self._world = make_world(seed, subject, faults)
        self._began_ns = int(self._rng.integers(10**12, 10**14))
        self._ended_ns = self._began_ns + round(schedule.duration_s * 1e9)
        self._folder = new_capture_folder(out, subject, options.stamp)
        self._others = drawn_others(seed) if options.mixed else ()
        self._sensors = mixed_sensors(self._devices.rig_sensors(), self._others)
        self._writer = CaptureWriter(
            self._folder,
            subject=subject,
            sensors=self._sensors,
            sync_seed=seed,
            header=CaptureHeader(
                rig_toml=f'name = "{"virtual-mixed" if options.mixed else "virtual"}"\n',
                protocol_toml=options.protocol[1],
            ),
        )
        self._event_log = EventLog()
        self._rows = RowWriter(self._writer, self._event_log)

    def write(self, progress: Progress) -> Path:
        """Write everything; after a failure the folder stays unclosed."""
        _, utc_ns = anchor()
        self._rows.clock_anchor(self._began_ns, utc_ns)
        self._event_log.attach(self._writer)
        self._rows.begun(self._began_ns, seed=self._seed, duration_s=self._schedule.duration_s)
        self._prompts()
        health, sensors = self._notifications()
        video, n_written, n_unwritten = self._film(self._film_as, progress) if self._film_as else (None, 0, 0)
        self._rows.clock_anchor(self._ended_ns, utc_ns + self._ended_ns - self._began_ns)
        self._rows.ended(self._ended_ns)
        self._event_log.detach()
        self._rows.close(health, {"written": n_written, "dropped": n_unwritten})
        write_truth(self._folder, self._world, video, sensors)
        return self._folder

    # -- prompts and the box --------------------------------------------------------------------------------------

    def _prompts(self) -> None:
        """Give every prompt to the person and every flash to the box, and store the recorder's rows."""
        flash_ns = []
        for prompt in self._schedule.prompts:
            host_ns = self._began_ns + round((prompt.at_s + self._rng.uniform(0.0, 0.001)) * 1e9)
            if prompt.kind == "flash":
                flash_ns.append(host_ns)
                continue
            self._world.prompt(prompt, host_ns)
            self._rows.prompt(prompt, host_ns)
        for flash in self._box(flash_ns):
            self._rows.flash(flash, BOX_SOURCE)

    def _box(self, flash_ns: list[int]) -> list[Flash]:
        """Talk to the box as the recorder does: bursts of pings each second, and flashes when asked."""
        device = self._devices.box
        began_ns = self._began_ns - 1_000_000_000
        clock = BoxClock(zero_ns=began_ns - 5_000_000_000, first_us=device.first_us, rate_ppm=device.rate_ppm)
        self._rows.box_line(began_ns, BANNER)
        exchanges: deque[Exchange] = deque(maxlen=400)
        number, previous_us = 0, device.first_us

        def ask(verb: str, tail: str, sent_ns: int) -> tuple[Exchange, int]:
            nonlocal number, previous_us
            number += 1
            read_ns = sent_ns + self._trip_ns()
            reply = answer(f"{verb} {number}{tail}".encode(), clock.micros(read_ns))
            received_ns = read_ns + self._trip_ns()
            self._rows.box_line(received_ns, reply.line)
            previous_us = unwrap_us(previous_us + 1_000_000, int(reply.line.split()[-1]))
            return Exchange(sent_ns=sent_ns, received_ns=received_ns, box_us=previous_us), read_ns

        def burst(at_ns: int, n: int = PINGS_IN_A_BURST) -> int:
            for _ in range(n):
                exchange, _ = ask("PING", "", at_ns)
                exchanges.append(exchange)
                at_ns = exchange.received_ns + 50_000
            return at_ns

        flashed: list[Flash] = []
        now_ns = burst(began_ns, PINGS_AT_FIRST)
        for wanted_ns in [*sorted(flash_ns), self._ended_ns]:
            self._writer.wait_until_few_wait(_ROWS_AT_ONCE)
            while now_ns + IDLE_PINGS_EVERY_S * 1e9 < wanted_ns:
                now_ns = burst(now_ns + round(IDLE_PINGS_EVERY_S * 1e9))
            if wanted_ns == self._ended_ns:
                break
            exchange, on_ns = ask("FLASH", f" {FLASH_MS}", max(now_ns, wanted_ns))
            if self._rng.random() >= self._faults.hidden_flash_share:
                self._world.flash(on_ns, on_ns + FLASH_MS * 1_000_000)
            this = number
            exchanges.append(exchange)
            now_ns = burst(exchange.received_ns + 50_000)
            flashed.append(box_flash(list(exchanges), exchange, number=this, duration_ms=FLASH_MS))
        return flashed

    def _trip_ns(self) -> int:
        return round(float(self._rng.uniform(*self._devices.box.latency_s)) * 1e9)

    # -- sensors --------------------------------------------------------------------------------------------------

    def _notifications(self) -> tuple[dict[str, Any], dict[str, SensorTruth]]:
        profile = find_profile("anr-m40")
        pack = struct.Struct(profile.stream.format).pack
        health: dict[str, Any] = {}
        truth: dict[str, SensorTruth] = {}
        for sensor, clock in zip(self._sensors, self._devices.sensors, strict=True):
            if sensor.profile.name != profile.name:
                continue
            first, stop = clock.next_index(self._began_ns), clock.next_index(self._ended_ns)
            index = np.arange(first, stop, dtype=np.int64)
            # A link delivers in order: delayed values push back those behind them.
            spaced = np.arange(len(index)) * 1_000_000
            arrival = np.maximum.accumulate(_in_parts(clock.sends_ns, index) - spaced) + spaced
            value = _in_parts(partial(self._values, sensor.channel, clock), index)
            value = np.where(self._chosen(clock, "over", index, self._faults.over_range_share), value + 1024, value)
            malformed = self._chosen(clock, "malformed", index, self._faults.malformed_share)
            received = ~self._chosen(clock, "lost", index, self._faults.lost_share) & (arrival < self._ended_ns)
            epoch = self._epochs(sensor, arrival, received)
            counts = SensorHealth(profile)
            counts.begin(self._began_ns)
            for i in np.flatnonzero(received):
                payload = pack(int(value[i]))
                if malformed[i]:
                    payload = payload[:1] if index[i] % 2 else payload + b"\x00"
                at_ns = int(arrival[i])
                self._writer.notification(sensor.slot, int(epoch[i]), profile.stream.characteristic, at_ns, payload)
                counts.add(int(epoch[i]), at_ns, None if malformed[i] else float(value[i]))
                if i % _ROWS_AT_ONCE == 0:
                    self._writer.wait_until_few_wait(_ROWS_AT_ONCE)
            health |= health_by_channel([(sensor, counts)], self._ended_ns)
            if np.any(received):
                delay_s = float((arrival - clock.centres_ns(index))[received].min()) * 1e-9
                truth[sensor.channel] = sensor_truth(
                    self._world, sensor.channel, delay_s=delay_s, rate_ppm=clock.rate_ppm
                )
        for device in self._others:
            counted, delay_s = write_other(
                self._writer, self._world, self._faults, device, self._sensors, (self._began_ns, self._ended_ns)
            )
            health |= counted
            for channel in device.channels:
                truth[channel] = sensor_truth(self._world, channel, delay_s=delay_s, rate_ppm=device.rate_ppm)
        return health, truth

    def _values(self, channel: str, clock: SensorClock, index: IntArray) -> IntArray:
        return self._world.values(channel, clock.starts_ns(index), clock.starts_ns(index + 1))

    def _chosen(self, clock: SensorClock, fault: str, index: IntArray, share: float) -> NDArray[np.bool_]:
        return np.asarray(chance.uniform(f"{clock.name}/{fault}", index) < share)

    def _epochs(self, sensor: Sensor, arrival: IntArray, received: NDArray[np.bool_]) -> IntArray:
        """Return each value's epoch; values within an outage are removed from ``received``."""
        epoch = np.zeros(len(arrival), dtype=np.int64)
        for outage in self._faults.outages:
            if outage.channel != sensor.channel:
                continue
            from_ns = self._began_ns + round(outage.at_s * 1e9)
            until_ns = from_ns + round(outage.seconds * 1e9)
            received &= (arrival < from_ns) | (arrival >= until_ns)
            epoch += arrival >= until_ns
            self._event_log.log("warning", "disconnected", {"slot": sensor.slot}, t_ns=from_ns)
            self._event_log.log("info", "connected", {"slot": sensor.slot}, t_ns=until_ns)
        return epoch

    # -- picture and sound ----------------------------------------------------------------------------------------

    def _film(self, film: Film, progress: Progress) -> tuple[VideoTruth | None, int, int]:
        """Write the video; returns its truth and how many frames were and were not written."""
        camera = self._devices.camera
        body = self._world.body
        figure = Figure(self._world.look, body.height_m, film.width, film.height, girth=body.girth)
        grain = _Grain(film)
        every = np.arange(camera.next_index(self._began_ns), camera.next_index(self._ended_ns), dtype=np.int64)
        index = every[~camera.dropped(every)]
        arrival = np.maximum.accumulate(camera.arrivals_ns(index))
        arrival += np.arange(len(index))  # strictly growing
        unwritten = chance.uniform(f"{camera.name}/unwritten", index) < self._faults.unwritten_frame_share
        lit = [(flash.on_ns, flash.off_ns) for flash in self._world.flashes()]
        zero_ns = int(arrival[0])
        pts, centres = array("q"), array("q")
        stored = VideoFormat(
            width=film.width,
            height=film.height,
            nominal_hz=camera.nominal_hz,
            sound_rate_hz=self._devices.microphone.rate_hz,
            preset=film.preset,
        )
        with VideoWriter(self._folder / VIDEO, stored) as video:
            sound = _SoundWriter(self._world, self._devices, self._faults, self._writer, video, zero_ns)
            for begin in range(0, len(index), _FRAMES_AT_ONCE):
                some = index[begin : begin + _FRAMES_AT_ONCE]
                middle = camera.centres_ns(some)
                bodies = self._world.joints_at(middle)
                for k, body in enumerate(bodies, begin):
                    sound.write_until(int(arrival[k]))
                    if unwritten[k]:
                        self._writer.frame(0, k, int(arrival[k]), None)
                        continue
                    start_ns = int(middle[k - begin])
                    near = [span for span in lit if abs(span[0] - start_ns) < 1_000_000_000]
                    image = figure.draw(body)
                    if near:
                        rows = camera.lit_rows(int(index[k]), film.height, near)
                        image = expose(image, rows, self._devices.flash_gain, self._devices.flash_light)
                    written_ns = video.write_frame(grain.on(image, k), int(arrival[k]) - zero_ns)
                    self._writer.frame(0, k, int(arrival[k]), written_ns)
                    pts.append(written_ns)
                    centres.append(start_ns)
                progress(min(1.0, (begin + len(some)) / len(index)))
                self._writer.wait_until_few_wait(_ROWS_AT_ONCE)
            sound.write_until(self._ended_ns)
        truth = fit_video(np.array(pts, dtype=np.int64), np.array(centres, dtype=np.int64))
        return truth, len(pts), int(unwritten.sum())


def _in_parts(work: Callable[[IntArray], IntArray], index: IntArray) -> IntArray:
    """Return ``work(index)`` computed in blocks, so that its memory does not grow with the recording."""
    pieces = [work(index[k : k + _ROWS_AT_ONCE]) for k in range(0, len(index), _ROWS_AT_ONCE)]
    return np.concatenate(pieces) if pieces else index


class _Grain:
    """Noise on pictures, the same in all colours, from a few fields drawn once and laid differently on each frame."""

    _FIELDS, _MARGIN = 8, 64

    def __init__(self, film: Film) -> None:
        rng = chance.generator(0, "grain")
        size = (film.height + self._MARGIN, film.width + self._MARGIN)
        drawn = [rng.normal(0.0, film.grain, size) for _ in range(self._FIELDS)] if film.grain > 0.0 else []
        self._fields = [np.repeat(np.rint(f).astype(np.int16)[..., None], 3, axis=2) for f in drawn]

    def on(self, image: NDArray[np.uint8], k: int) -> NDArray[np.uint8]:
        """Return the ``k``-th picture with noise."""
        if not self._fields:
            return image
        y, x = k * 29 % self._MARGIN, k * 37 % self._MARGIN
        field = self._fields[k % self._FIELDS][y : y + image.shape[0], x : x + image.shape[1]]
        return np.asarray(cv2.add(image, np.ascontiguousarray(field), dtype=cv2.CV_8U), dtype=np.uint8)


class _SoundWriter:
    """Writes blocks of sound as they arrive, as the recorder does."""

    def __init__(
        self, world: World, devices: Devices, faults: Faults, writer: CaptureWriter, video: VideoWriter, zero_ns: int
    ) -> None:
        self._device = devices.microphone
        self._soundtrack = Soundtrack(world, devices, faults)
        self._writer = writer
        self._video = video
        self._zero_ns = zero_ns
        self._line = ArrivalLine(self._device.rate_hz)
        self._block = self._first = self._device.next_block(zero_ns)
        self._last_ns = 0

    def write_until(self, host_ns: int) -> None:
        """Write every block that has arrived by ``host_ns``."""
        n = self._device.block_samples
        while (arrival_ns := self._device.arrival_ns(self._block)) <= host_ns:
            arrival_ns = max(arrival_ns, self._last_ns + 1)
            self._last_ns = arrival_ns
            samples = self._soundtrack.samples(self._device.sample_ns(self._block * n), n, self._device.true_rate_hz)
            first = (self._block - self._first) * n
            self._line.add(first + n, arrival_ns)
            self._writer.audio_block(0, first, n, arrival_ns)
            self._video.write_sound(samples, max(0, self._line.host_ns(first) - self._zero_ns))
            self._block += 1
