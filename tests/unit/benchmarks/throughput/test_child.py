"""The stages that the throughput benchmark times are functions that exist where it looks for them."""

from __future__ import annotations

import importlib

import pytest

from benchmarks.throughput.child import STAGES


@pytest.mark.parametrize(("stage", "module", "name", "part_of"), STAGES)
def test_every_timed_stage_is_a_function_of_its_module(stage: str, module: str, name: str, part_of: str) -> None:
    assert callable(getattr(importlib.import_module(module), name))
    assert not part_of or part_of in {outer for outer, *_ in STAGES}
