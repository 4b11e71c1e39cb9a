"""The networks, by the name ``mia-train`` gives them.

Imports nothing else of `model`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dataset.support.errors import InputError
from dataset.windows import Windows
from model.networks.base import Network

#: Networks by name, with a description.
NETWORKS = {
    "mia": "hip-centred joints and velocities, subject embedding, small transformer",
    "cnn-paper": "the paper's CNN, as in its first public code",
    "transformer-paper": "the paper's transformer, as in its first public code",
}


def check_name(name: str) -> None:
    """Raise InputError if there is no network of that name."""
    if name not in NETWORKS:
        raise InputError(f"unknown model {name!r}", f"known: {', '.join(NETWORKS)}")


def build(name: str, train: Windows) -> Network:
    """Return an untrained network with its normalisation computed from the training windows."""
    check_name(name)
    network: type[Network] = _network(name)
    return network.from_windows(train)


def rebuild(name: str, config: Mapping[str, Any]) -> Network:
    """Return a network of the shape in ``config``, to load weights into."""
    check_name(name)
    return _network(name).from_config(config)


def _network(name: str) -> type[Network]:
    if name == "mia":
        from model.networks.mia import MiaTransformer

        return MiaTransformer
    if name == "cnn-paper":
        from model.networks.cnn_paper import CnnPaper

        return CnnPaper
    from model.networks.transformer_paper import TransformerPaper

    return TransformerPaper
