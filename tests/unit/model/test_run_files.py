"""A run's files are checked once, on reading: what is wrong is named, and a changed bit is never evaluated."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataset.support.errors import InputError
from dataset.support.files import sha256_of
from model import runs
from model.checkpoint import REFERENCE, WEIGHTS, load_network, load_training_windows
from model.options import FitOptions
from model.run_files import CHECKSUMS, CONFIG, METRICS, load_config, load_metrics, metrics_of, write_checksums
from model.runs import evaluate

FILES = (CONFIG, METRICS, WEIGHTS, REFERENCE, CHECKSUMS)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory, made_session: Callable[[Path], Path]) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("fitted")
    session = made_session(folder / "sessions")
    runs.fit([session], folder / "run", FitOptions(epochs=1, stride=17))
    return folder / "run", session


@pytest.fixture
def copied(fitted: tuple[Path, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(fitted[0], tmp_path / "run"))


def rewrite(run: Path, name: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a JSON file as its author would: with right checksums."""
    value = json.loads((run / name).read_text())
    change(value)
    (run / name).write_text(json.dumps(value))
    write_checksums(run, (CONFIG, METRICS, WEIGHTS, REFERENCE))


def read_all(run: Path) -> None:
    """Do what the commands do with a run."""
    config = load_config(run)
    load_metrics(run)
    load_network(run, config)
    load_training_windows(run, config)


@pytest.mark.parametrize(
    ("name", "change", "field"),
    [
        (METRICS, lambda m: m.update(rmse="low"), "rmse"),
        (METRICS, lambda m: m["floors"].update(other=1.0), "floors"),
        (METRICS, lambda m: m.pop("split"), "split"),
        (METRICS, lambda m: m["r2"].popitem(), "r2 and rmse_per_channel"),
        (METRICS, lambda m: m.update(parameters=math.inf), "Infinity is not a finite number"),
        (METRICS, lambda m: m.update(n_test=10**30), "more than 64 bits"),
        (CONFIG, lambda c: c.update(model="other"), "model"),
        (CONFIG, lambda c: c.update(length=-1), "length"),
        (CONFIG, lambda c: c["network"].update(width=10**9), "network.width"),
        (CONFIG, lambda c: c["network"].update(n_heads=7), "n_heads"),
        (CONFIG, lambda c: c["network"].update(width=1024, n_layers=32), "larger than its weights"),
        (CONFIG, lambda c: c["sessions"][0].update(test_rows=[[]]), "sessions.0.test_rows.0"),
        (CONFIG, lambda c: c["training_windows"].update(exercise=3), "training_windows.exercise"),
        (CONFIG, lambda c: c["training_windows"].update(kept=3), "is not of shape"),
        (CONFIG, lambda c: c.update(channels=c["channels"][1:]), "n_channels"),
    ],
)
def test_a_wrong_field_is_named(copied: Path, name: str, change: Callable[[Any], object], field: str) -> None:
    rewrite(copied, name, change)
    with pytest.raises(InputError, match=field):
        read_all(copied)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def keys_of(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the path of each value within a JSON value."""
    children: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        children = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value[:3]))
    inside = [found for key, child in children for found in keys_of(child, (*path, key))]
    return [path, *inside] if path else inside


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), name=st.sampled_from([CONFIG, METRICS]))
def test_any_value_in_any_field_is_read_or_refused(copied: Path, data: st.DataObject, name: str) -> None:
    before = (copied / name).read_bytes()
    try:

        def change(value: dict[str, Any]) -> None:
            *way, last = data.draw(st.sampled_from(keys_of(value)))
            inner: Any = value
            for key in way:
                inner = inner[key]
            inner[last] = data.draw(ANY_JSON)

        rewrite(copied, name, change)
        try:
            read_all(copied)
        except InputError as error:
            assert str(copied) in str(error) and len(str(error)) < 1000
    finally:
        (copied / name).write_bytes(before)
        write_checksums(copied, (CONFIG, METRICS, WEIGHTS, REFERENCE))


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_is_never_accepted(copied: Path, name: str) -> None:
    content = (copied / name).read_bytes()
    rng = np.random.default_rng(0)
    for at in rng.integers(0, 8 * len(content), 40):
        damaged = bytearray(content)
        damaged[at // 8] ^= 1 << (at % 8)
        (copied / name).write_bytes(damaged)
        with pytest.raises(InputError):
            read_all(copied)


def test_a_damaged_run_is_not_evaluated(copied: Path, fitted: tuple[Path, Path]) -> None:
    weights = bytearray((copied / WEIGHTS).read_bytes())
    weights[-2] ^= 0x40
    (copied / WEIGHTS).write_bytes(weights)
    with pytest.raises(InputError, match="has changed since it was written"):
        evaluate(copied, [fitted[1]])


def test_weights_that_are_no_numbers_are_refused_even_with_a_right_checksum(copied: Path) -> None:
    weights = bytearray((copied / WEIGHTS).read_bytes())
    weights[-4:] = b"\x00\x00\xc0\x7f"
    (copied / WEIGHTS).write_bytes(weights)
    write_checksums(copied, (CONFIG, METRICS, WEIGHTS, REFERENCE))
    with pytest.raises(InputError, match="not finite"):
        load_network(copied, load_config(copied))


def test_a_run_of_an_earlier_version_has_no_checksums_and_is_read(copied: Path) -> None:
    (copied / CHECKSUMS).unlink()
    read_all(copied)
    assert len(sha256_of(copied / WEIGHTS)) == 64


def test_an_error_that_overflows_is_stored_as_undefined() -> None:
    found = metrics_of(
        {
            "rmse": math.inf, "rmse_per_exercise": {"squat": math.nan}, "rmse_per_channel": {"a": None},
            "rmse_mean_exercises": np.float64(math.inf), "rmse_normalised": 1.0, "r2": {"a": -math.inf},
            "floors": {"mean": 2.0}, "n_train": 1, "n_test": 1, "seconds": 0.0, "parameters": 1,
            "split": {"name": "time", "seed": 0, "embargo_frames": 0}, "sessions": [],
        }
    )  # fmt: skip
    assert found.rmse is None and found.r2 == {"a": None} and found.floors == {"mean": 2.0}
