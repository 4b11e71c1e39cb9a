"""Values on demand are those of a mapping, and nothing keeps them."""

from __future__ import annotations

import weakref

import numpy as np
import pytest

from dataset.support.on_demand import OnDemand


def test_it_is_a_mapping_of_the_names_in_their_order() -> None:
    lengths = OnDemand(["three", "one", "three"], len)
    assert dict(lengths) == {"three": 5, "one": 3}
    assert list(lengths) == ["three", "one"]
    assert len(lengths) == 2
    assert "one" in lengths
    assert "two" not in lengths
    with pytest.raises(KeyError):
        lengths["two"]


def test_only_the_value_in_use_is_in_memory() -> None:
    made: list[weakref.ref[np.ndarray]] = []

    def make(name: str) -> np.ndarray:
        assert all(value() is None for value in made)
        value = np.full(10, len(name))
        made.append(weakref.ref(value))
        return value

    many = OnDemand(["a", "bc", "d"], make)
    assert sum(int(many[name].sum()) for name in many) == 40
    assert len(made) == 3
