"""Small made-up sessions: smooth periodic motions, muscles that follow from them, noise on both."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from dataset.muscles import PAPER_CHANNELS, recognise
from dataset.pose.skeleton import JOINT
from dataset.session.file import write_session
from dataset.session.types import Aligned, ChannelTable, EventTable, ExerciseTable, Session, VideoInfo

RATE_HZ = 10.0
MOTIONS = ("squat", "jumping_jack", "hook_punch", "front_kick")

SessionMaker = Callable[..., Path]


def _motion(name: str, phase: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return knee bend, arm rise, punch and kick of each side, 0-1, at phases in cycles."""
    swing = 0.5 - 0.5 * np.cos(2 * np.pi * phase)
    left, right = swing * (phase % 2 < 1), swing * (phase % 2 >= 1)
    none = np.zeros_like(phase)
    both = {"squat": "bend", "jumping_jack": "rise"}.get(name)
    sides = {"hook_punch": "punch", "front_kick": "kick"}.get(name)
    values = {f"{part}_{side}": none for part in ("bend", "rise", "punch", "kick") for side in ("left", "right")}
    if both:
        values |= {f"{both}_left": swing, f"{both}_right": swing}
    if sides:
        values |= {f"{sides}_left": left, f"{sides}_right": right}
    return values


def _joints(m: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return BODY_25 in metres, y down, about the hip; shape (T, 25, 3)."""
    xyz = np.zeros((len(m["bend_left"]), 25, 3))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        bend, rise, punch, kick = (m[f"{part}_{side}"] for part in ("bend", "rise", "punch", "kick"))
        for joint, x, y, z in (
            ("shoulder", 0.20, -0.50, 0.0),
            ("hip", 0.12, 0.0, 0.0),
            ("elbow", 0.25 + 0.25 * rise, -0.25 - 0.4 * rise - 0.2 * punch, 0.25 * punch),
            ("wrist", 0.25 + 0.35 * rise - 0.2 * punch, -0.8 * rise - 0.45 * punch, 0.5 * punch),
            ("knee", 0.12 + 0.1 * rise, 0.45 - 0.25 * bend - 0.35 * kick, 0.35 * bend + 0.4 * kick),
            ("ankle", 0.12 + 0.2 * rise, 0.85 - 0.35 * bend - 0.6 * kick, 0.75 * kick),
            ("heel", 0.12 + 0.2 * rise, 0.90 - 0.35 * bend - 0.6 * kick, 0.7 * kick),
            ("big_toe", 0.12 + 0.2 * rise, 0.92 - 0.35 * bend - 0.65 * kick, 0.15 + 0.8 * kick),
            ("small_toe", 0.15 + 0.2 * rise, 0.92 - 0.35 * bend - 0.65 * kick, 0.12 + 0.8 * kick),
            ("eye", 0.03, -0.75, 0.1),
            ("ear", 0.07, -0.75, 0.0),
        ):
            i = JOINT[f"{side}_{joint}"]
            xyz[:, i, 0], xyz[:, i, 1], xyz[:, i, 2] = sign * np.asarray(x), y, z
    xyz[:, JOINT["neck"], 1], xyz[:, JOINT["nose"], 1] = -0.52, -0.72
    return xyz


def _levels(m: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return how hard each of the paper's muscles works, shape (T, 8): posture, and effort to speed up."""
    columns = []
    for channel in PAPER_CHANNELS:
        bend, rise, punch, kick = (m[f"{part}_{channel.side}"] for part in ("bend", "rise", "punch", "kick"))
        push = {part: np.maximum(np.gradient(m[f"{part}_{channel.side}"]), 0.0) for part in ("bend", "rise", "punch")}
        columns.append(
            {
                "biceps": 0.7 * punch + 0.3 * rise,
                "triceps": 1.5 * push["punch"] + 1.2 * push["rise"],
                "quadriceps": 0.8 * bend + 0.5 * kick,
                "hamstrings": 0.3 * bend + 1.2 * push["bend"] + 0.4 * (kick > 0) * (1 - kick),
            }[channel.muscle]
        )
    return np.stack(columns, axis=1)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Networks this small do not gain from threads, and test workers beside each other lose by them."""
    torch.set_num_threads(1)


def write_made_session(
    name: str = "sub-S01_ses-20260101T000000",
    *,
    seed: int = 0,
    subject: str = "S01",
    passes: int = 2,
    seconds: float = 4.6,
    verdict: str = "PASS",
    in_3d: bool = True,
    motions: tuple[str, ...] = MOTIONS,
    channels: tuple[str, ...] | None = None,
    folder: Path,
) -> Path:
    """Write a session of exercises in passes and return its path."""
    rng = np.random.default_rng(seed)
    gain, rest = rng.uniform(120, 300, 8), rng.uniform(10, 40, 8)
    joints, emg, labels = [], [], []
    for motion in motions * passes:
        n = round(seconds * RATE_HZ)
        pace = rng.uniform(0.5, 0.7)
        m = _motion(motion, rng.uniform(0, 1) + np.arange(n) / RATE_HZ * pace)
        joints.append(_joints(m) + rng.normal(0, 0.01, (n, 25, 3)))
        level = rest + gain * _levels(m)
        emg.append(np.maximum(level * (1 + rng.normal(0, 0.05, level.shape)), 0))
        labels += [motion] * n + [""] * 8
        joints.append(np.repeat(_joints({k: v[:1] * 0 for k, v in m.items()}), 8, axis=0))
        emg.append(np.tile(rest, (8, 1)))
    xyz, counts = np.concatenate(joints), np.rint(np.concatenate(emg))
    names = channels or tuple(c.name for c in PAPER_CHANNELS)
    known = [recognise(name) for name in names]
    # Where other channels are asked for, they follow the paper's muscles in turn.
    counts = counts[:, np.arange(len(names)) % 8]
    n, blank = len(xyz), ("",) * len(names)
    session = Session(
        subject=subject,
        session_uuid=str(uuid.uuid4()),
        created_utc="2026-01-01T00:00:00+00:00",
        zero_host_ns=0,
        verdict=verdict,
        verdict_reason="no flash was seen" if verdict == "FAIL" else "",
        rate_hz=RATE_HZ,
        channels=ChannelTable(
            name=names,
            muscle=tuple(k.muscle or name for k, name in zip(known, names, strict=True)),
            side=tuple(k.side for k in known),
            unit=("counts",) * len(names),
            profile=("anr-m40",) * len(names),
            serial=blank,
            placement=blank,
            electrode=blank,
        ),
        emg={},
        events=EventTable(time_s=np.zeros(0), uncertainty_s=np.zeros(0), kind=(), label=(), source=()),
        exercises=ExerciseTable(name=(), start_s=np.zeros(0), stop_s=np.zeros(0)),
        sync={},
        aligned=Aligned(
            time_s=np.arange(n) / RATE_HZ,
            emg=counts,
            emg_valid=np.ones(counts.shape, dtype=np.bool_),
            segment=np.zeros(n, dtype=np.int64),
            exercise=tuple(labels),
            keypoints_2d=320 + 200 * xyz[..., :2],
            keypoints_3d=xyz if in_3d else None,
        ),
        provenance=({"step": "made up"},),
        video=VideoInfo(
            frame_time_s=np.arange(n) / RATE_HZ,
            frame_index=np.arange(n),
            file="video.mkv",
            sha256="",
            width=640,
            height=640,
        ),
    )
    path = folder / f"{name}.h5"
    write_session(path, session)
    return path


@pytest.fixture(scope="session")
def made_session() -> Callable[[Path], Path]:
    """Return a function that writes such a session into a folder."""
    return lambda folder: write_made_session(folder=folder)


@pytest.fixture
def make_session(tmp_path: Path) -> SessionMaker:
    """Return a function that writes a session of exercises in passes and returns its path."""
    return partial(write_made_session, folder=tmp_path / "sessions")
