"""``python -m benchmarks.camera --minutes 10``: 720p30 with sound and eight virtual sensors through the recorder."""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from acquire.protocol.protocol import load_protocol
from acquire.recording.recorder import record
from acquire.recording.take import Snapshot, Take
from acquire.virtual.rig import VirtualHardware
from benchmarks.camera.source import HEIGHT, WIDTH, JpegCamera
from dataset.capture.reader import Capture


class Rig(VirtualHardware):
    """The virtual rig's sensors, microphone and box, with a camera of 720p in place of its own."""

    camera: JpegCamera | None = None

    def open_camera(self) -> JpegCamera:
        """Open the camera."""
        if self.camera is None:
            self.camera = JpegCamera(self._seed)
        return self.camera


def main() -> None:
    """Record, and print dropped frames, delays and CPU time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    cv2.setNumThreads(1)  # as the recorder's own process has it
    rig = Rig(given.seed, "BENCH")
    plan, text = load_protocol(None)
    loads: list[float] = []

    def show(snapshot: Snapshot) -> None:
        if snapshot.phase == "recording" and len(loads) < snapshot.elapsed_s / 10:
            loads.append(os.getloadavg()[0])
            dropped = snapshot.camera.dropped if snapshot.camera else 0
            sys.stderr.write(f"{snapshot.elapsed_s:6.0f} s, {dropped} dropped, load {loads[-1]:.1f}\n")

    with tempfile.TemporaryDirectory() as out:
        began_s, cpu_s = time.monotonic(), _cpu_s()
        take = Take(
            protocol=plan, out=Path(out), subject="BENCH", seed=given.seed, protocol_toml=text,
            duration_s=60 * given.minutes,
        )  # fmt: skip
        made = record(rig, take, on_progress=show)
        wall_s, cpu_s = time.monotonic() - began_s, _cpu_s() - cpu_s
        camera = rig.camera
        if made is None or camera is None:
            raise SystemExit("nothing was recorded")
        n_overrun = camera.finish()
        with Capture.open(made.folder) as capture:
            frames, health = capture.frames(), capture.manifest["health"]
            size = (made.folder / "video.mkv").stat().st_size
            sound = capture.audio_blocks()
    read_ns, sent_ns = np.array(camera.read_ns), np.array(camera.sent_ns)
    which = np.searchsorted(read_ns, frames.arrival_ns, side="right") - 1
    delay_ms = (frames.arrival_ns - sent_ns[which]) * 1e-6
    written = frames.pts_ns >= 0
    pts_off_ms = np.abs(frames.pts_ns - (frames.arrival_ns - frames.arrival_ns[0]))[written].max() * 1e-6
    expected = sum(h["expected"] for h in health["sensors"].values())
    received = sum(h["received"] for h in health["sensors"].values())
    video = health["camera"]
    p50, p99 = np.quantile(delay_ms, (0.5, 0.99))
    encoder_share, own_share = video["encoder_cpu_s"] / made.duration_s, cpu_s / wall_s
    print(
        f"{WIDTH}x{HEIGHT} at 30 Hz, sound, {len(health['sensors'])} virtual sensors, {made.duration_s:.0f} s; "
        f"seed {given.seed}; {os.cpu_count()} cores, load {min(loads, default=0):.1f}-{max(loads, default=0):.1f}\n"
        f"frames: {len(frames.pts_ns)} arrived, {video['written']} written, {video['dropped']} dropped by us; "
        f"{n_overrun} not fetched in time from the camera's 8 buffers\n"
        f"stamp delay since the camera had the frame ready, decoding included: p50 {p50:.1f}, p99 {p99:.1f}, "
        f"max {delay_ms.max():.1f} ms\n"
        f"PTS against arrival: {pts_off_ms:.2f} ms at most\n"
        f"encoder: {100 * encoder_share:.0f} % of a core, {8e-6 * size / made.duration_s:.1f} Mbit/s; the recorder's "
        f"whole process: {100 * own_share:.0f} % of a core\n"
        f"sound: {len(sound.n_samples)} blocks written, {video['sound_blocks_dropped']} dropped; "
        f"sensors: {received} of {expected} values"
    )


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
