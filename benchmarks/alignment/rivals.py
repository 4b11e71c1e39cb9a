"""Other methods on the same session: pyxdf's dejittering, matching of whole bright frames, plain cross-correlation.

They get information that is not available in practice (the true contact times, the number of flashes), and none of
them can refuse or give an interval.
"""

from __future__ import annotations

import logging
from types import SimpleNamespace

import numpy as np
from pyxdf.pyxdf import _jitter_removal
from scipy import signal
from scipy.ndimage import median_filter, uniform_filter1d

from benchmarks.alignment.estimate import Estimate, SensorEstimate, VideoEstimate
from benchmarks.alignment.synthetic import SyntheticSensor, SyntheticSession
from dataset.muscles import CONTACT_OF_MUSCLE
from dataset.support.arrays import FloatArray

# It warns about every stream whose rate differs from the nominal one, as all do here.
logging.getLogger("pyxdf").setLevel(logging.ERROR)

_STEP_S = 0.01
_LARGEST_LAG_S = 1.0


def argmax_matcher(session: SyntheticSession) -> Estimate:
    """Align the video by its brightest whole frames, matched with the log in order, and a least-squares line."""
    log_s = session.flash_log_s
    if len(log_s) < 2:
        return Estimate(reason="no log")
    level = _above_background(session)
    found = []
    for _ in range(len(log_s)):
        k = int(np.argmax(level))
        found.append(session.frame_pts_s[k])
        level[np.abs(session.frame_pts_s - session.frame_pts_s[k]) < 0.7] = -np.inf
    pts_s = np.sort(found)
    middle_s = float(pts_s.mean())
    slope, height = np.polyfit(pts_s - middle_s, log_s - pts_s, 1)
    return Estimate(video=VideoEstimate(offset_s=float(height - slope * middle_s), rate=float(slope)))


def correlate_video(session: SyntheticSession) -> Estimate:
    """Align the video by the peak of the cross-correlation of its brightness with the log; one offset, no rate."""
    log_s, pts_s = session.flash_log_s, session.frame_pts_s
    if len(log_s) < 1:
        return Estimate(reason="no log")
    step = 1 / 120
    seen = np.interp(np.arange(pts_s[0], pts_s[-1], step), pts_s, _above_background(session))
    train = np.zeros(round((log_s[-1] - log_s[0]) / step) + round(0.1 / step) + 1)
    for at in log_s - log_s[0]:
        first = round(at / step)
        train[first : first + round(0.1 / step)] = 1.0
    score = signal.correlate(seen - seen.mean(), train, mode="full", method="fft")
    # Video time of the train's first flash.
    first_s = pts_s[0] + (int(np.argmax(score)) - (len(train) - 1)) * step
    return Estimate(video=VideoEstimate(offset_s=float(log_s[0] - first_s), rate=0.0))


def correlate_arrivals(session: SyntheticSession) -> Estimate:
    """Measure responses by the peak of the cross-correlation of the level, at raw arrivals, with the true contacts."""
    sensors = {}
    for name, sensor in session.sensors.items():
        lag_s = _correlate(session, sensor, sensor.arrival_s)
        if lag_s is not None:
            sensors[name] = SensorEstimate(response_s=lag_s)
    return Estimate(sensors=sensors)


def pyxdf_dejitter(session: SyntheticSession) -> Estimate:
    """Measure responses in the same way after pyxdf's dejittering of the arrivals."""
    clock_s = {name: _pyxdf_times(sensor) for name, sensor in session.sensors.items()}
    sensors = {}
    for name, sensor in session.sensors.items():
        lag_s = _correlate(session, sensor, clock_s[name])
        if lag_s is not None:
            sensors[name] = SensorEstimate(response_s=lag_s)
    return Estimate(sensors=sensors, clock_s=clock_s)


RIVALS = {
    "argmax": argmax_matcher,
    "correlation": correlate_video,
    "arrivals + correlation": correlate_arrivals,
    "pyxdf + correlation": pyxdf_dejitter,
}


def _above_background(session: SyntheticSession) -> FloatArray:
    level = session.tiles.mean(axis=(1, 2), dtype=np.float64)
    frame_s = float(np.median(np.diff(session.frame_pts_s)))
    return level - median_filter(level, size=2 * round(0.5 / frame_s) + 1, mode="nearest")


def _pyxdf_times(sensor: SyntheticSensor) -> FloatArray:
    """Return the arrivals as pyxdf would load them, from one stream that LSL stamped on arrival."""
    stamps = sensor.arrival_s.copy()
    # LSL stamps a chunk's last sample and dates the others before it at the nominal rate.
    ends = np.append(np.flatnonzero(np.diff(stamps) > 0), len(stamps) - 1)
    if len(ends) < len(stamps) / 2:
        behind = ends[np.searchsorted(ends, np.arange(len(stamps)))] - np.arange(len(stamps))
        stamps = stamps - behind / sensor.nominal_hz
    stream = SimpleNamespace(
        time_stamps=stamps, srate=sensor.nominal_hz, tdiff=1 / sensor.nominal_hz, segments=[], effective_srate=0.0
    )
    return np.asarray(_jitter_removal({1: stream}, 1, 500)[1].time_stamps, dtype=np.float64)


def _correlate(session: SyntheticSession, sensor: SyntheticSensor, time_s: FloatArray) -> float | None:
    contact_s = session.truth.contact_s[CONTACT_OF_MUSCLE[sensor.muscle]]
    if len(contact_s) == 0:
        return None
    value = sensor.value
    if sensor.nominal_hz > 100:
        value = uniform_filter1d(np.abs(value - value.mean()), round(0.05 * sensor.nominal_hz))
    order = np.argsort(time_s, kind="stable")
    grid = np.arange(time_s.min(), time_s.max(), _STEP_S)
    level = np.interp(grid, time_s[order], value[order])
    level -= level.mean()
    lags = np.arange(-_LARGEST_LAG_S, _LARGEST_LAG_S, _STEP_S)
    score = np.interp(contact_s[:, None] + lags[None, :], grid, level, left=0.0, right=0.0).sum(axis=0)
    return float(lags[np.argmax(score)])
