"""``truth.json``: what happened in a virtual recording. Only tests and benchmarks read it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from acquire.virtual.person.world import World
from dataset.support.arrays import IntArray
from dataset.support.files import write_atomically

TRUTH = "truth.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoTruth:
    """Exposure centre in host ns = ``host_ns_at_pts0 + 1e9 * (1 + rate_ppm * 1e-6) * pts_s``."""

    host_ns_at_pts0: int
    rate_ppm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorTruth:
    """One sensor.

    Attributes
    ----------
    delay_s : float
        Smallest arrival minus the centre of the averaging interval.
    rate_ppm : float
        How much longer than nominal the sensor's interval between values is.
    response_s : float or None
        From a contact's sound at the body to the centre of the response, on the arrival axis, on average; None where
        the channel responded to no contact.
    """

    delay_s: float
    rate_ppm: float
    response_s: float | None


def fit_video(pts_ns: IntArray, centre_ns: IntArray) -> VideoTruth | None:
    """Return the straight line through exposure centres over PTS, by least squares; None with fewer than two frames."""
    if len(pts_ns) < 2:
        return None
    pts_s = pts_ns * 1e-9
    # Relative to the first centre, so that float64 keeps nanoseconds.
    late_s = (centre_ns - centre_ns[0]) * 1e-9 - pts_s
    slope, intercept = np.polyfit(pts_s, late_s, 1)
    return VideoTruth(host_ns_at_pts0=int(centre_ns[0]) + round(float(intercept) * 1e9), rate_ppm=float(slope) * 1e6)


def sensor_truth(world: World, channel: str, *, delay_s: float, rate_ppm: float) -> SensorTruth:
    """Return one sensor's truth from its measured delay and the person's own lead."""
    lead_s = world.lead_s(channel)
    response_s = None if lead_s is None else delay_s - lead_s
    return SensorTruth(delay_s=delay_s, rate_ppm=rate_ppm, response_s=response_s)


def truth_document(world: World, video: VideoTruth | None, sensors: Mapping[str, SensorTruth]) -> dict[str, Any]:
    """Return the content of ``truth.json`` as the contract has it."""
    return {
        "video": None
        if video is None
        else {"host_ns_at_pts0": video.host_ns_at_pts0, "rate_ppm": round(video.rate_ppm, 4)},
        "emg": {
            channel: {
                "delay_s": round(s.delay_s, 6),
                "rate_ppm": round(s.rate_ppm, 4),
                "response_s": None if s.response_s is None else round(s.response_s, 6),
            }
            for channel, s in sensors.items()
        },
        "flashes_host_ns": [flash.on_ns for flash in world.flashes()],
        "claps_host_ns": [c.host_ns for c in world.contacts("clap")],
        "stomps_host_ns": [c.host_ns for c in world.contacts("stomp")],
        "exercises": [
            {"name": e.name, "start_host_ns": e.start_ns, "stop_host_ns": e.stop_ns} for e in world.exercises()
        ],
    }


def write_truth(
    folder: Path, world: World, video: VideoTruth | None, sensors: Mapping[str, SensorTruth]
) -> dict[str, Any]:
    """Write ``truth.json`` into a capture's folder and return its content."""
    document = truth_document(world, video, sensors)
    write_atomically(folder / TRUTH, json.dumps(document, indent=1).encode())
    return document
