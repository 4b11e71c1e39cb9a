"""File of an unfinished training: weights, optimiser, random states, losses and checks, as safetensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as tensor_bytes
from torch import Tensor

from dataset.support.errors import InputError
from dataset.support.files import written_whole
from dataset.support.own_files import own_file
from dataset.support.parsing import parse_json
from dataset.support.text import json_text
from model.networks.base import Network
from model.training.state import State


def save(path: Path, network: Network, optimiser: torch.optim.AdamW, state: State) -> None:
    """Write everything that the rest of the training depends on, atomically."""
    kept = optimiser.state_dict()
    tensors: dict[str, Tensor] = {f"network/{key}": value for key, value in network.state_dict().items()}
    tensors |= {f"best/{key}": value for key, value in state.best.items()}
    tensors |= {f"optimiser/{i}/{key}": value for i, one in kept["state"].items() for key, value in one.items()}
    tensors["random/cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random/cuda"] = torch.cuda.get_rng_state()
    (group,) = kept["param_groups"]
    words = {
        "step": state.step, "total": state.total, "losses": state.losses, "checks": state.checks,
        "best_step": state.best_step, "group": {key: group[key] for key in _CHANGES if key in group},
    }  # fmt: skip
    with written_whole(path) as part:
        content = {key: value.contiguous().cpu() for key, value in tensors.items()}
        part.write_bytes(tensor_bytes(content, {"state": json_text(words)}))


def load(path: Path, network: Network, optimiser: torch.optim.AdamW) -> State:
    """Restore a network, its optimiser and the random states, and return the rest.

    Raises
    ------
    InputError
        The file is damaged, or belongs to another network.
    """
    try:
        with safe_open(own_file(path.parent, path.name), "pt") as file:
            words: dict[str, Any] = parse_json((file.metadata() or {})["state"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - it is not a mapping
        network.load_state_dict(_under("network/", tensors))
        kept = optimiser.state_dict()
        (group,) = kept["param_groups"]
        slots: dict[int, dict[str, Tensor]] = {}
        for key, value in _under("optimiser/", tensors).items():
            i, _, name = key.partition("/")
            slots.setdefault(int(i), {})[name] = value
        changed = {key: tuple(value) if isinstance(value, list) else value for key, value in words["group"].items()}
        optimiser.load_state_dict({"state": slots, "param_groups": [{**group, **changed}]})
        state = State(
            step=words["step"], total=words["total"], losses=list(words["losses"]),
            checks=[(int(step), float(rmse)) for step, rmse in words["checks"]], best_step=words["best_step"],
            best=_under("best/", tensors),
        )  # fmt: skip
    except (OSError, SafetensorError, RuntimeError, KeyError, ValueError) as error:
        raise InputError(f"{path} cannot be read", str(error), "delete it and train from the start") from error
    torch.set_rng_state(tensors["random/cpu"])
    if torch.cuda.is_available() and "random/cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random/cuda"])
    return state


#: Entries of the optimiser that a schedule changes.
_CHANGES = ("lr", "betas", "initial_lr", "max_lr", "min_lr", "base_momentum", "max_momentum", "max_beta1")


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key[len(prefix) :]: value for key, value in tensors.items() if key.startswith(prefix)}
