"""Measured process: ``python -m benchmarks.acquisition.recorded SECONDS OUT``: the load recorded as a capture."""

from __future__ import annotations

import json
import socket
import sqlite3
import sys
import time
from array import array
from asyncio import to_thread
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from acquire.bluetooth.bumble_backend import make_radio
from acquire.bluetooth.bumble_host import Central
from acquire.hardware import Radio
from acquire.protocol.protocol import parse_protocol
from acquire.protocol.schedule import Prompt
from acquire.recording.recorder import Recorder
from acquire.recording.take import Take
from acquire.virtual.devices.child import Child
from benchmarks.acquisition.load import N_SENSORS, PERIOD_NS, read_packet
from benchmarks.acquisition.measured import Meter, percentiles_ms
from benchmarks.acquisition.sensors import address
from dataset.capture.reader import Capture
from dataset.capture.types import Sensor
from dataset.capture.writer import CaptureWriter
from dataset.muscles import PAPER_CHANNELS
from dataset.support.clock import now_ns

PROTOCOL = 'name = "load"\n[sync]\nclaps = 0\nstomps = 0\n[[exercises]]\nname = "rest"\nseconds = 60\n'


class LoadHardware:
    """A rig of eight sensors at 1 kHz in another process, without camera and LED box."""

    name = "load"

    def __init__(self) -> None:
        self.sensors = tuple(
            Sensor(slot=k + 1, channel=c.name, muscle=c.muscle, side=c.side, address=address(k), adapter="virtual")
            for k, c in enumerate(PAPER_CHANNELS[:N_SENSORS])
        )
        self.report: dict[str, Any] = {}

    async def open_radio(self) -> Radio:
        """Start the sensors and open the host stack."""
        here, there = socket.socketpair()
        self._child = Child("benchmarks.acquisition.sensors", ["--hci-fd", str(there.fileno())], (there.fileno(),))
        there.close()
        await to_thread(self._child.wait_ready)
        self._central = await Central.open(here)
        return make_radio(self._central)

    async def close_radio(self) -> None:
        """Get the sensors' report of what they sent, and stop them."""
        self.report = await to_thread(self._child.report)
        await self._central.close()
        await to_thread(self._child.close)

    def open_camera(self) -> None:
        """There is none."""

    def open_sound(self) -> None:
        """There is none."""

    def open_cues(self) -> str:
        """Sound no cues."""
        return ""

    def box_port(self) -> None:
        """There is none."""

    def prompt(self, prompt: Prompt, host_ns: int) -> None:
        """There is no person."""

    def finish(self, capture: Path | None) -> None:
        """Nothing needs closing."""


class TimedWriter:
    """Measures the delay of each notification from its stamp to the end of its commit."""

    def __init__(self) -> None:
        self.seconds = array("d")
        plain = CaptureWriter._commit
        timed = self

        def commit(self: CaptureWriter, db: sqlite3.Connection, rows: list[tuple[str, tuple[Any, ...]]]) -> None:
            plain(self, db, rows)
            done_ns = now_ns()
            timed.seconds.extend((done_ns - row[4]) * 1e-9 for table, row in rows if table == "notification")

        CaptureWriter._commit = commit  # type: ignore[method-assign]


def _wait_until_all_stream(recorder: Recorder) -> None:
    # The recorder's own wait is not used: it expects an M40 value, which these packets do not contain.
    deadline = time.monotonic() + 60.0
    while any(sensor.state != "streaming" for sensor in recorder.snapshot().sensors):
        if time.monotonic() > deadline:
            raise RuntimeError("the sensors are not streaming")
        time.sleep(0.1)


def main(seconds: float, out: Path) -> dict[str, Any]:
    """Record, and return the measurements and the missing packets."""
    protocol = parse_protocol(PROTOCOL, "load")
    hardware, timed, meter = LoadHardware(), TimedWriter(), Meter()
    recorder = Recorder(hardware, Take(protocol=protocol, out=out, subject="B1", seed=1, duration_s=seconds))
    try:
        recorder.open()
        _wait_until_all_stream(recorder)
        recorder.start()
        meter.start()
        while not recorder.finished.wait(0.1):
            recorder.snapshot()  # as a screen does
        used = meter.stop()
        made = recorder.close()
    finally:
        recorder.close()
    if made is None:
        raise RuntimeError("nothing was recorded")
    n, missing, repeated, transit = 0, 0, 0, []
    with Capture.open(made.folder) as capture:
        for sensor in capture.sensors:
            got = capture.notifications(sensor.slot)
            number, sent_ns = np.array([read_packet(p) for p in got.payload], dtype=np.int64).T
            step = np.diff(number)
            n += len(number)
            missing += int(np.sum(step[step > 1] - 1)) + max(0, round(seconds * 1e9 / PERIOD_NS) - len(number) - 25)
            repeated += int(np.sum(step < 1))
            transit.append((got.arrival_ns - sent_ns) * 1e-9)
    times = np.concatenate(transit)
    jitter = np.concatenate([t - t.min() for t in transit])
    return {
        "packets": n,
        "per_s": n / made.duration_s,
        "missing": missing,
        "repeated": repeated,
        "transit_ms": percentiles_ms(times.tolist()),
        "jitter_ms": percentiles_ms(jitter.tolist()),
        "commit_ms": percentiles_ms(timed.seconds),
        "bytes": sum(p.stat().st_size for p in made.folder.iterdir()),
        "sender": hardware.report,
        **used,
    }


if __name__ == "__main__":
    with suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(main(float(sys.argv[1]), Path(sys.argv[2]))) + "\n")
