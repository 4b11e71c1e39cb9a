"""Storage of a run: weights and training windows as safetensors, settings as JSON; loading cannot execute code."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file
from safetensors.numpy import save as numpy_bytes
from safetensors.torch import load_file as load_torch_file
from safetensors.torch import save as torch_bytes

from dataset.support.errors import InputError
from dataset.support.own_files import own_file
from dataset.windows import Windows
from model import networks
from model.networks.base import Network
from model.run_files import CONFIG, FORMAT, FORMAT_VERSION, RunConfig, write_json

WEIGHTS = "model.safetensors"
REFERENCE = "training_windows.safetensors"

#: Most training windows stored for the baselines of later evaluations; of more, evenly spaced ones are stored.
MOST_KEPT = 5000


def save_run(folder: Path, *, name: str, network: Network, train: Windows, settings: dict[str, Any]) -> None:
    """Write weights, settings and training windows into ``folder``, which exists."""
    # Through Python's files: a full disk is an error there, never a signal.
    (folder / WEIGHTS).write_bytes(torch_bytes({k: v.contiguous() for k, v in network.state_dict().items()}))
    kept = train.take(np.unique(np.linspace(0, len(train) - 1, min(len(train), MOST_KEPT)).round().astype(np.int64)))
    arrays, texts = _packed(kept)
    (folder / REFERENCE).write_bytes(numpy_bytes(arrays))
    config = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "model": name,
        "network": asdict(network.config),
        **settings,
        "training_windows": {"kept": len(kept), "of": len(train), **texts},
    }
    write_json(folder / CONFIG, config)


def load_network(folder: Path, config: RunConfig) -> Network:
    """Return the trained network of a run, on the CPU.

    Raises
    ------
    InputError
        The weights are missing, damaged, or of another network.
    """
    weights = own_file(folder, WEIGHTS)
    try:
        with torch.device("meta"):  # takes no memory: the settings may claim a larger network than the weights
            claimed = networks.rebuild(config.model, config.network).state_dict().values()
        if sum(t.numel() * t.element_size() for t in claimed) > weights.stat().st_size:
            raise ValueError("the network of the settings is larger than its weights")
        network = networks.rebuild(config.model, config.network)
        network.load_state_dict(load_torch_file(weights))
        if not all(bool(torch.isfinite(t).all()) for t in network.state_dict().values()):
            raise ValueError("some weights are not finite")
    except (OSError, SafetensorError, RuntimeError, KeyError, TypeError, ValueError, MemoryError) as error:
        raise InputError(f"the weights of {folder} cannot be read", str(error), "train again") from error
    return network.eval()


def load_training_windows(folder: Path, config: RunConfig) -> Windows:
    """Return the training windows stored with a run.

    Raises
    ------
    InputError
        They are missing or damaged.
    """
    try:
        windows = _unpacked(
            load_file(own_file(folder, REFERENCE)), config.training_windows.model_dump(exclude_unset=True)
        )
        _check_windows(windows, config)
        return windows
    except (OSError, SafetensorError, KeyError, TypeError, IndexError, ValueError, MemoryError) as error:
        raise InputError(f"the training windows of {folder} cannot be read", str(error), "train again") from error


def _check_windows(windows: Windows, config: RunConfig) -> None:
    """Check that stored windows have the types and shapes of :class:`Windows`."""
    n, length, channels = config.training_windows.kept, config.length, len(config.channels)
    n_dims = windows.keypoints.shape[-1] if windows.keypoints.ndim == 4 else 0
    shapes: dict[str, tuple[str, tuple[int, ...]]] = {
        "keypoints": ("f", (n, length, 25, 2 if n_dims == 2 else 3)),
        "emg": ("f", (n, length, channels)),
        "valid": ("b", (n, length, channels)),
        **dict.fromkeys(("recording", "run", "start_row"), ("i", (n,))),
        **dict.fromkeys(("start_s", "stop_s"), ("f", (n,))),
        **dict.fromkeys(("subject", "exercise"), ("U", (n,))),
    }
    if windows.image_xy is not None:
        shapes["image_xy"] = ("f", (n, length, 25, 2))
    for name, (kind, shape) in shapes.items():
        found = getattr(windows, name)
        if not isinstance(found, np.ndarray) or found.dtype.kind != kind or found.shape != shape:
            raise ValueError(f"{name} is not of shape {shape}")
        if kind == "f" and np.isinf(found).any():
            raise ValueError(f"{name} has infinite values")
    if n < 1:
        raise ValueError("there are none")
    if windows.recording.min() < 0 or windows.recording.max() >= len(windows.recordings):
        raise ValueError("recording is out of range")


def _packed(windows: Windows) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split windows into numeric arrays and the rest, with texts as indices into a list."""
    arrays: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for f in fields(windows):
        value = getattr(windows, f.name)
        if not isinstance(value, np.ndarray):
            rest[f.name] = value
        elif value.dtype.kind == "U":
            names, index = np.unique(value, return_inverse=True)
            rest[f.name] = names.tolist()
            arrays[f.name] = index.astype(np.int64)
        else:
            arrays[f.name] = np.ascontiguousarray(value)
    return arrays, rest


def _unpacked(arrays: dict[str, Any], rest: dict[str, Any]) -> Windows:
    values: dict[str, Any] = {}
    for f in fields(Windows):
        if f.name not in arrays:
            value = rest[f.name]
            values[f.name] = tuple(value) if isinstance(value, list) else value
        elif f.name in rest:
            values[f.name] = np.array(rest[f.name], dtype=np.str_)[arrays[f.name]]
        else:
            values[f.name] = arrays[f.name]
    return Windows(**values)
