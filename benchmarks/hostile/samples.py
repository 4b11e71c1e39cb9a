"""Valid files of every format that is read, made from virtual data, to be mutated."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

import av
import h5py
import numpy as np
import torch

from acquire.protocol.protocol import load_protocol
from acquire.virtual.simulate import simulate
from acquire.virtual.simulate_options import SimulateOptions
from dataset.session.file import read_session, write_session
from model import runs
from model.options import FitOptions
from sync.options import SyncOptions
from sync.pipeline import run_capture

PROTOCOL = """name = "tiny"
rest_s = 0.5
lead_in_s = 1.0

[sync]
claps = 3
stomps = 3

[[exercises]]
name = "squat"
seconds = 6
"""

RIG = """name = "lab"

[[slots]]
channel = "left_biceps"
address = "AA:BB:CC:DD:EE:01"

[[slots]]
channel = "right_biceps"
profile = "myo"
column = 2

[camera]
index = 0
rate_hz = 30.0

[microphone]
rate_hz = 48000
"""

FAULTS = """lost_share = 0.1
dead_channels = ["left_biceps"]

[[outages]]
channel = "right_biceps"
at_s = 3.5
seconds = 2.0
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Paths of the valid files.

    Attributes
    ----------
    capture : Path
        A closed capture without a picture.
    session : Path
        With keypoints, so that a model can be trained on it.
    run : Path
        Trained on the session.
    texts : dict
        TOML and CSV files by name.
    film, opensignals : Path
    """

    capture: Path
    session: Path
    run: Path
    texts: dict[str, Path]
    film: Path
    opensignals: Path


def make_samples(folder: Path) -> Samples:
    """Make the files; takes some ten seconds."""
    torch.set_num_threads(1)  # trials are forked: a thread pool would not live on in them
    texts = _texts(folder / "texts")
    capture = simulate(
        folder / "captures",
        SimulateOptions(subject="S01", minutes=0.4, seed=3, protocol=load_protocol(texts["protocol.toml"]), film=None),
    )
    made = run_capture(capture, folder / "aligned", SyncOptions(pose=False, allow_unverified=True))
    session = _with_keypoints(made.session_path or folder, folder / "session.h5")
    run = folder / "run"
    runs.fit([session], run, FitOptions(epochs=1, stride=7, allow_unverified=True))
    return Samples(
        capture=capture, session=session, run=run, texts=texts, film=_film(folder / "film.mkv"),
        opensignals=_opensignals(folder / "device.h5"),
    )  # fmt: skip


def _texts(folder: Path) -> dict[str, Path]:
    folder.mkdir(parents=True)
    rows = [f"{i / 20:.3f},{100 + 40 * np.sin(i / 9):.1f},{90 + 9 * (i % 7)}" for i in range(400)]
    contents = {
        "protocol.toml": PROTOCOL,
        "rig.toml": RIG,
        "faults.toml": FAULTS,
        "profile.toml": resources.files("dataset.sensors").joinpath("myoware.toml").read_text(encoding="utf-8"),
        "emg.csv": "\n".join(["time_s,left_biceps,right_biceps", *rows]) + "\n",
        "flashes.csv": "time_s\n1.5\n4.25\n9.5\n",
        "exercises.csv": "name,start_s,stop_s\nsquat,3,8\nlunge,9,15\n",
    }
    for name, content in contents.items():
        (folder / name).write_text(content, encoding="utf-8")
    return {name: folder / name for name in contents}


def _with_keypoints(path: Path, out: Path) -> Path:
    """Rewrite a session with keypoints of a body that moves, and a verdict that training accepts."""
    session = read_session(path)
    n = len(session.aligned.time_s)
    rng = np.random.default_rng(0)
    bend = 0.1 * np.sin(np.arange(n) / 5)[:, None, None]
    points = rng.normal(0, 0.3, (1, 25, 3)) + bend + rng.normal(0, 0.01, (n, 25, 3))
    grid = replace(session.aligned, exercise=("",) * n, keypoints_3d=points, confidence=np.ones((n, 25)))
    write_session(out, replace(session, aligned=grid, verdict="WARNING", verdict_reason="virtual"))
    return out


def _film(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=15)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for i in range(45):
            grey = np.full((64, 96, 3), 200 if i in (10, 30) else 40, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(stream.encode())
    return path


def _opensignals(path: Path) -> Path:
    edges = np.cumsum(np.random.default_rng(4).integers(40, 160, 24))
    level = np.searchsorted(edges, np.arange(edges[-1] + 100), side="right") % 2
    with h5py.File(path, "w") as file:
        device = file.create_group("00:11:22:33:44:55")
        device.attrs["sampling rate"] = 100
        device.create_dataset("raw/channel_1", data=500 * level[:, None])
    return path


def copy_to(samples: Samples, format_name: str, work: Path) -> Path:
    """Copy the sample of a format into ``work`` and return the copy."""
    source = {
        "capture": samples.capture, "session": samples.session, "run": samples.run, "film": samples.film,
        "opensignals": samples.opensignals,
    }.get(format_name) or samples.texts[format_name]  # fmt: skip
    if source.is_dir():
        return Path(shutil.copytree(source, work / "sub-S01" / source.name))
    return Path(shutil.copy(source, work / source.name))
