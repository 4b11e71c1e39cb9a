"""Storage of a run: weights and training windows as safetensors, settings as JSON; loading cannot execute code."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from safetensors.torch import load_file as load_torch_file
from safetensors.torch import save_file as save_torch_file

from dataset.support.errors import InputError
from dataset.support.own_files import own_file
from dataset.windows import Windows
from model import networks
from model.networks.base import Network

FORMAT = "mia-run"
FORMAT_VERSION = "1"

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
REFERENCE = "training_windows.safetensors"

#: Most training windows stored for the baselines of later evaluations; of more, evenly spaced ones are stored.
MOST_KEPT = 5000


def save_run(folder: Path, *, name: str, network: Network, train: Windows, settings: dict[str, Any]) -> None:
    """Write weights, settings and training windows into ``folder``, which exists."""
    save_torch_file({k: v.contiguous() for k, v in network.state_dict().items()}, folder / WEIGHTS)
    kept = train.take(np.unique(np.linspace(0, len(train) - 1, min(len(train), MOST_KEPT)).round().astype(np.int64)))
    arrays, texts = _packed(kept)
    save_file(arrays, folder / REFERENCE)
    config = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "model": name,
        "network": asdict(network.config),
        **settings,
        "training_windows": {"kept": len(kept), "of": len(train), **texts},
    }
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def load_config(folder: Path) -> dict[str, Any]:
    """Return the settings of the run in ``folder``.

    Raises
    ------
    InputError
        The folder is not a run, or is one of a newer version.
    """
    path = own_file(folder, CONFIG)
    hint = "give the folder that mia-train fit wrote"
    if not path.is_file():
        raise InputError(f"{folder} is not a run", f"it has no {CONFIG}", hint)
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read", str(error), hint) from error
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        raise InputError(f"{folder} is not a run", f"{CONFIG} does not state the format {FORMAT!r}", hint)
    if config.get("format_version") != FORMAT_VERSION:
        raise InputError(
            f"{folder} has format_version {config.get('format_version')!r}",
            f"this program reads {FORMAT_VERSION!r}",
            "update muscles-in-action, or train again",
        )
    return config


def load_network(folder: Path, config: dict[str, Any]) -> Network:
    """Return the trained network of a run, on the CPU.

    Raises
    ------
    InputError
        The weights are missing, damaged, or of another network.
    """
    weights = own_file(folder, WEIGHTS)
    try:
        network = networks.rebuild(config["model"], config["network"])
        network.load_state_dict(load_torch_file(weights))
    except (OSError, SafetensorError, RuntimeError, KeyError, TypeError) as error:
        raise InputError(f"the weights of {folder} cannot be read", str(error), "train again") from error
    return network.eval()


def load_training_windows(folder: Path, config: dict[str, Any]) -> Windows:
    """Return the training windows stored with a run.

    Raises
    ------
    InputError
        They are missing or damaged.
    """
    try:
        return _unpacked(load_file(own_file(folder, REFERENCE)), config["training_windows"])
    except (OSError, SafetensorError, KeyError, TypeError, IndexError) as error:
        raise InputError(f"the training windows of {folder} cannot be read", str(error), "train again") from error


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
