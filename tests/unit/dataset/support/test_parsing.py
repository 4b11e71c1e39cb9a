"""JSON and TOML are read strictly: any text is a value a program can work with, or one ValueError."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset.support.errors import CaptureError
from dataset.support.parsing import (
    MOST_BYTES,
    MOST_DEPTH,
    JsonModel,
    parse_json,
    parse_json_model,
    parse_toml,
    read_json,
)

BAD_JSON = {
    "NaN": "NaN is not a finite number",
    "[1, -Infinity]": "-Infinity is not a finite number",
    "1e999": "1e999 is not a finite number",
    "-1E+400": "is not a finite number",
    "1" * 5000: "has more than 64 bits",
    "-" + "9" * 19: "has more than 64 bits",
    str(2**64): "has more than 64 bits",
    "[" * 100_000: "nested deeper|Expecting value",
    "[" * 65 + "]" * 65: "nested deeper",
    '{"a":' * 70 + "1" + "}" * 70: "nested deeper",
    '{"a": 1, "a": 2}': "'a' stands twice",
    "": "Expecting value",
    '{"a"': "delimiter",
}


@pytest.mark.parametrize(("text", "why"), BAD_JSON.items(), ids=lambda text: str(text)[:20])
def test_json_that_no_program_can_work_with_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        parse_json(text)
    assert len(str(caught.value)) < 300


def test_bounds_themselves_are_accepted() -> None:
    assert parse_json(f"[{2**64 - 1}, {-(2**63)}, 1e308]") == [2**64 - 1, -(2**63), 1e308]
    deep = "[" * MOST_DEPTH + "]" * MOST_DEPTH
    assert json.dumps(parse_json(deep)) == deep


def test_a_text_that_is_too_large_is_not_parsed(tmp_path: Path) -> None:
    with (tmp_path / "x.json").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(CaptureError, match="at most"):
        read_json(tmp_path / "x.json", error=CaptureError)


def test_what_earlier_versions_wrote_is_read_as_unknown() -> None:
    assert parse_json('{"a": NaN, "b": [Infinity, 1e999]}', nan_as_none=True) == {"a": None, "b": [None, None]}


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_a_value_error(content: bytes) -> None:
    with suppress(ValueError):
        assert finite(parse_json(content))


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def finite(value: Any) -> bool:
    if isinstance(value, dict):
        return all(finite(item) for item in value.values())
    if isinstance(value, list):
        return all(finite(item) for item in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, int) or -(2**63) <= value < 2**64


@given(ANY_JSON)
def test_what_python_writes_is_read_back_where_it_is_finite(value: Any) -> None:
    text = json.dumps(value)
    if finite(value):
        assert parse_json(text) == value
    else:
        with pytest.raises(ValueError, match=r"is not a finite number|64 bits"):
            parse_json(text)


class Point(JsonModel):
    x: float
    n: int


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"x": 1.0}', "n: Field required"),
        ('{"x": "1", "n": 1}', "x: "),
        ('{"x": 1, "n": 1.5}', "n: "),
        ("[]", "valid"),
    ],
)
def test_a_model_names_its_field(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_json_model(text, Point)
    assert parse_json_model('{"x": 1, "n": 2, "more": 3}', Point) == Point(x=1, n=2)


BAD_TOML = {
    "a = nan": "a: nan is not a finite number",
    "[b]\nc = [1, -inf]": r"b.c.1: -inf is not a finite number",
    "a = 1e999": "a: inf is not a finite number",
    "a = " + "1" * 5000: "cannot be read",
    "a = 0x" + "f" * 50: "a: an integer of more than 64 bits",
    "a = " + "[" * 5000 + "]" * 5000: "nested deeper",
    "a." * 5000 + "b = 1": "a key of more than",
    "a = " + "{b = " * 70 + "1" + "}" * 70: "nested deeper",
    "a = 2026-13-01": "Expected|Invalid|cannot",
    "[" + "a." * 5000 + "b]": "a key of more than",
    "#" * (2**20 + 1): "at most",
}


@pytest.mark.parametrize(("text", "why"), BAD_TOML.items(), ids=lambda text: str(text)[:20])
def test_toml_that_no_program_can_work_with_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        parse_toml(text)
    assert len(str(caught.value)) < 300


@given(st.text(alphabet="ab.=[]{}\"'#\n 01e+-_xinf:TZ,", max_size=80))
def test_any_toml_is_values_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert isinstance(parse_toml(text), dict)
