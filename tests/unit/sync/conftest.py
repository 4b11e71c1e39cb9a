"""Sessions of a body that moves and muscles that follow it late, for the tests of the lag probe."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from dataset.pose.skeleton import JOINT
from dataset.session.types import Aligned, ChannelTable, EmgStream, EventTable, ExerciseTable, Session
from dataset.support.arrays import FloatArray

CHANNELS = tuple((side, muscle) for muscle in ("biceps", "quadriceps") for side in ("left", "right"))
_FINE_HZ, _MARGIN_S = 100.0, 4.0


def bending(
    duration_s: float, period_s: float, rng: np.random.Generator, *, strict: bool
) -> tuple[FloatArray, FloatArray]:
    """Return times and the bend of a joint (0 to 1), from before the session to after it."""
    n = int((duration_s + 2 * _MARGIN_S) * _FINE_HZ)
    time_s = np.arange(n) / _FINE_HZ - _MARGIN_S
    knots = np.arange(time_s[0], time_s[-1] + period_s, period_s)
    pace = np.zeros(n) if strict else np.interp(time_s, knots, rng.normal(0, 0.2, len(knots)))
    depth = np.ones(n) if strict else np.interp(time_s, knots, rng.normal(1, 0.15, len(knots)))
    phase = np.cumsum(2 * np.pi / period_s * (1 + np.clip(pace, -0.6, 0.6))) / _FINE_HZ
    return time_s, depth * 0.5 * (1 - np.cos(phase))


def make_moving_session(
    lag_s: float,
    *,
    exercise: str = "squat",
    duration_s: float = 90.0,
    rate_hz: float = 10.0,
    period_s: float = 2.3,
    strict: bool = False,
    rows_a_window: int = 0,
    gaps: int = 0,
    unrelated: bool = False,
    flat: bool = False,
    seed: int = 0,
) -> Session:
    """Return a session in which the working muscles follow the motion ``lag_s`` later."""
    rng = np.random.default_rng(seed)
    fine_s, bend = bending(duration_s, period_s, rng, strict=strict)
    n = int(duration_s * rate_hz)
    time_s = np.arange(n) / rate_hz
    segment = np.zeros(n, dtype=np.int64)
    knee, elbow = ((1.9, 0.0), (0.0, 2.2))[exercise == "curl"]
    now = np.interp(time_s, fine_s, bend)
    later = np.interp(time_s - lag_s, fine_s, bend)
    if unrelated:
        later = np.interp(time_s, *bending(duration_s, 1.7, rng, strict=False))
    working = "biceps" if exercise == "curl" else "quadriceps"
    emg = np.stack(
        [(120 * later**1.5 if muscle == working else 0 * later) * rng.gamma(8, 1 / 8, n) + rng.uniform(5, 25, n)
         for _, muscle in CHANNELS], axis=1,
    )  # fmt: skip
    for _ in range(gaps):
        start = rng.integers(n)
        emg[start : start + rng.integers(2, 30), rng.integers(len(CHANNELS))] = np.nan
    joints = make_body(knee * now, elbow * now) + rng.normal(0, 0.006, (n, 25, 3))
    if rows_a_window:
        segment = np.arange(n) // rows_a_window
        time_s = time_s + segment  # a pause of a second
    blank = ("",) * len(CHANNELS)
    names = tuple(f"{side}_{muscle}" for side, muscle in CHANNELS)
    return Session(
        subject="S01", session_uuid="u", created_utc="2026-01-01", zero_host_ns=-1, verdict="WARNING",
        verdict_reason="made up", rate_hz=rate_hz,
        channels=ChannelTable(
            name=names, muscle=tuple(m for _, m in CHANNELS), side=tuple(s for s, _ in CHANNELS),
            unit=("counts",) * len(names), profile=("anr-m40",) * len(names), serial=blank, placement=blank,
            electrode=blank,
        ),
        emg={
            name: EmgStream(time_s=time_s, value=emg[:, i], arrival_s=np.full(n, np.nan), index_inferred=False)
            for i, name in enumerate(names)
        },
        events=EventTable(time_s=np.zeros(0), uncertainty_s=np.zeros(0), kind=(), label=(), source=()),
        exercises=ExerciseTable(name=(), start_s=np.zeros(0), stop_s=np.zeros(0)),
        sync={},
        aligned=Aligned(
            time_s=time_s, emg=emg, emg_valid=np.isfinite(emg), segment=segment, exercise=("",) * n,
            keypoints_2d=joints[:, :, :2] * 400 if flat else None, keypoints_3d=None if flat else joints,
        ),
        provenance=(),
    )  # fmt: skip


def make_body(knee_rad: FloatArray, elbow_rad: FloatArray) -> FloatArray:
    """Return BODY_25 keypoints, seen from the side, of a body with bent knees and elbows; shape (T, 25, 3)."""
    joints = np.zeros((len(knee_rad), 25, 3))

    def put(name: str, x: FloatArray | float, y: FloatArray | float, z: float) -> None:
        joints[:, JOINT[name], 0], joints[:, JOINT[name], 1], joints[:, JOINT[name], 2] = x, y, z

    for side, z in (("left", 0.15), ("right", -0.15)):
        thigh_x, thigh_y = 0.45 * np.sin(knee_rad / 2), 0.45 * np.cos(knee_rad / 2)
        put(f"{side}_shoulder", 0.0, -0.5, z)
        put(f"{side}_hip", 0.0, 0.0, z)
        put(f"{side}_knee", thigh_x, thigh_y, z)
        put(f"{side}_ankle", 0.0, 2 * thigh_y, z)
        put(f"{side}_elbow", 0.0, -0.2, z)
        put(f"{side}_wrist", 0.28 * np.sin(elbow_rad), -0.2 + 0.28 * np.cos(elbow_rad), z)
    return joints


@pytest.fixture(scope="session")
def moving_session() -> Callable[..., Session]:
    """Return :func:`make_moving_session`."""
    return make_moving_session


@pytest.fixture(scope="session")
def body() -> Callable[[FloatArray, FloatArray], FloatArray]:
    """Return :func:`make_body`."""
    return make_body
