"""Which columns are sEMG: what is given, what the names say, and what the values say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset.importers.emg_columns import RESERVED, EmgColumns, choose_columns, clean_name, not_emg_by_name
from dataset.support.arrays import FloatArray
from dataset.support.errors import InputError

T = np.arange(200) / 10


def noise(n: int, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).normal(0, 1, (len(T), n))


def choose(names: list[str], value: FloatArray | None = None, given: dict[str, str] | None = None) -> EmgColumns:
    return choose_columns("e.csv", names, T, noise(len(names)) if value is None else value, given)


@pytest.mark.parametrize(
    ("name", "what"),
    [("Marker", "marker"), ("TTL in", "trigger"), ("Sensor 1: ACC.X 1", "sensor"), ("L BICEPS: ACC.X 1", "sensor"),
     ("Gyro Y", "sensor"), ("Mag X", "sensor"), ("Frame", "counter"), ("Sub Frame", "counter"), ("nSeq", "counter"),
     ("timestamp", "time"), ("X[s]", "time"), ("ECG", "sensor"), ("Trigger", "trigger"), ("Activity", "marker")],
)  # fmt: skip
def test_other_columns_are_known_by_name(name: str, what: str) -> None:
    assert what in not_emg_by_name(name)
    found = choose([name, "EMG 1"])
    assert [c.channel for c in found.taken] == ["EMG 1"]
    assert [c.column for c in found.left_out] == [name]


@pytest.mark.parametrize("name", ["EMG 1", "adductor mag. L", "foo", "a", "flexor digitorum LT", "Sensor 1: EMG 1"])
def test_what_no_name_rules_out_is_a_channel(name: str) -> None:
    assert not_emg_by_name(name) == ""


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (np.arange(200.0), "ramp"), (-3.0 * T, "falls"), (np.full(200, 7.0), "never changes"),
        (np.floor(np.arange(200) / 20), "counter"), (np.arange(200.0) % 16, "wraps"),
        (np.where(np.arange(200) < 120, noise(1)[:, 0], np.nan), "ends early"), (np.full(200, np.nan), "no value"),
        (np.where(np.arange(200) < 5, 1.0, np.nan), "5 values in 200 rows"),
    ],
)  # fmt: skip
def test_other_columns_are_known_by_their_values(values: FloatArray, why: str) -> None:
    found = choose(["EMG 1", "X9"], np.column_stack([noise(1)[:, 0], values]))
    assert [c.channel for c in found.taken] == ["EMG 1"]
    assert why in found.left_out[0].why
    if np.isfinite(values).any():
        assert len(choose(["EMG 1", "X9"], np.column_stack([noise(1)[:, 0], values]), {"X9": "left_biceps"}).taken) == 2


@given(st.integers(0, 2**32 - 1), st.sampled_from((1.0, 1e-4, 1e4)), st.booleans())
def test_no_muscle_is_taken_for_a_counter(seed: int, scale: float, whole: bool) -> None:
    rng = np.random.default_rng(seed)
    envelope = np.repeat(rng.uniform(0, 1, 20), 10)[:, None] * rng.gamma(2, 0.5, (200, 3)) * scale
    value = np.rint(envelope / scale * 100) if whole else envelope
    assert len(choose(["a", "b", "c"], value).taken) == 3


def test_channels_are_named_by_the_person_first() -> None:
    found = choose(
        ["RECTUS FEM. LT", "Quadriceps L", "Marker"], given={"rectus fem. lt": "left_quadriceps", "Marker": "m"}
    )
    assert [(c.channel, c.muscle, c.side) for c in found.taken] == [
        ("left_quadriceps", "quadriceps", "left"), ("Quadriceps L", "quadriceps", "left"), ("m", "m", "")
    ]  # fmt: skip


def test_two_columns_of_one_place_keep_their_own_names() -> None:
    found = choose(["L biceps", "biceps left"])
    assert [c.channel for c in found.taken] == ["L biceps", "biceps left"]
    assert {(c.muscle, c.side) for c in found.taken} == {("biceps", "left")}


@pytest.mark.parametrize(
    ("names", "given"),
    [
        (["Marker"], None),
        (["a"] * 65, None),
        (["a"], {"b": "c"}),
        (["a"], {"a": "video"}),
        (["a", "b"], {"a": "x", "b": "x"}),
    ],
)
def test_what_cannot_be_is_refused(names: list[str], given: dict[str, str] | None) -> None:
    with pytest.raises(InputError) as caught:
        choose(names, given=given)
    assert caught.value.exit_code == 2


@given(st.lists(st.text(), min_size=1, max_size=64))
def test_any_text_becomes_a_name_of_its_own(names: list[str]) -> None:
    try:
        found = choose(names)
    except InputError:
        assert all(not_emg_by_name(clean_name(name)) for name in names)
        return
    channels = [c.channel for c in found.taken]
    assert len(set(channels)) == len(channels)
    assert not set(channels) & {"", *RESERVED}
    assert len(found.taken) + len(found.left_out) == len(names)
    for c in found.taken:
        assert c.channel == clean_name(c.channel)
        c.channel.encode()
    assert [line for line in found.lines() if "\n" in line] == []
