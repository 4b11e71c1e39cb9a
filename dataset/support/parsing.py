"""Strict reading of JSON and TOML: finite numbers, 64-bit integers, limited depth and size, no key twice.

The parsers of the standard library accept more than a program can work with: NaN and infinities, integers of thousands
of digits (whose conversion to text then fails), and nesting that exhausts the stack. Nothing else in the project parses
either format (an architecture test holds it).
"""

from __future__ import annotations

import json
import math
import tomllib
from pathlib import Path
from typing import Any, Never, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from dataset.support.errors import InputError, MiaError
from dataset.support.text import clean_text

#: Containers in one another.
MOST_DEPTH = 64
#: Size of a text that is parsed: a manifest of a long capture has some kilobytes, a run's configuration some megabytes.
MOST_BYTES = 64 * 2**20
#: TOML is written by people; the parser of the standard library takes quadratic time for dotted keys.
MOST_TOML_BYTES = 2**20
MOST_KEY_PARTS = 32
_LOWEST, _HIGHEST = -(2**63), 2**64 - 1
_MOST_DIGITS = 20

ModelT = TypeVar("ModelT", bound=BaseModel)


class JsonModel(BaseModel):
    """Base of models read from JSON: frozen, no conversion of types, unknown fields kept out."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)


def parse_json(text: str | bytes, *, nan_as_none: bool = False) -> Any:
    """Return the value of a JSON text.

    Parameters
    ----------
    text : str or bytes
        Bytes are UTF-8.
    nan_as_none : bool
        Read NaN and infinities, which earlier versions wrote, as None; otherwise they are errors.

    Raises
    ------
    ValueError
        It is not JSON, too large or too deep, holds a number that is not finite or an integer beyond 64 bits, or
        states a key twice.
    """
    if len(text) > MOST_BYTES:
        raise ValueError(f"it has {len(text)} bytes, and at most {MOST_BYTES} are read")

    def constant(name: str) -> None:
        if not nan_as_none:
            raise ValueError(f"{name} is not a finite number")

    def number(digits: str) -> float | None:
        value = float(digits)
        if math.isfinite(value):
            return value
        constant(shortened(digits))
        return None

    try:
        words = text.decode("utf-8") if isinstance(text, bytes) else text
        value = json.loads(
            words, parse_int=_integer, parse_float=number, parse_constant=constant, object_pairs_hook=_without_doubles
        )
    except RecursionError:
        raise ValueError(f"it is nested deeper than {MOST_DEPTH} levels") from None
    _check_depth(value)
    return value


def parse_json_model(text: str | bytes, model: type[ModelT], *, nan_as_none: bool = False) -> ModelT:
    """Return a JSON text as a ``model``.

    Raises
    ------
    ValueError
        As :func:`parse_json`, or a field is missing or wrong; the message names it.
    """
    return validated(parse_json(text, nan_as_none=nan_as_none), model)


def validated(value: Any, model: type[ModelT]) -> ModelT:
    """Return a parsed value as a ``model``.

    Raises
    ------
    ValueError
        A field is missing or wrong; the message names it.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise ValueError(first_fault(error)) from None


def first_fault(error: ValidationError) -> str:
    """Return the first fault of a validation as ``field.of.it: what is wrong``."""
    first = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(clean_text(str(part)) for part in first["loc"])
    why = first["msg"].removeprefix("Value error, ")
    return f"{field}: {why}" if field else why


def read_json(path: Path, *, hint: str = "", error: type[MiaError] = InputError) -> Any:
    """Return the value of a JSON file.

    Raises
    ------
    MiaError
        Of the class ``error``: it cannot be read, or is not JSON as :func:`parse_json` accepts it.
    """
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise ValueError(f"it has {size} bytes, and at most {MOST_BYTES} are read")
        return parse_json(path.read_bytes())
    except (OSError, ValueError) as fault:
        if isinstance(fault, OSError):
            raise error(f"{path} cannot be read", fault.strerror or str(fault), hint) from fault
        raise error(f"{path} is damaged", str(fault), hint) from fault


def parse_toml(text: str) -> dict[str, Any]:
    """Return the values of a TOML text.

    Raises
    ------
    ValueError
        It is not TOML, too large or too deep, or holds a number that is not finite or an integer beyond 64 bits;
        the message names its key.
    """
    if len(text) > MOST_TOML_BYTES:
        raise ValueError(f"it has {len(text)} characters, and at most {MOST_TOML_BYTES} are read")
    for n, line in enumerate(text.splitlines(), 1):
        if line.partition("=")[0].count(".") > MOST_KEY_PARTS and not line.lstrip().startswith("#"):
            raise ValueError(f"line {n}: a key of more than {MOST_KEY_PARTS} parts")
    try:
        value = tomllib.loads(text)
    except RecursionError:
        raise ValueError(f"it is nested deeper than {MOST_DEPTH} levels") from None
    except tomllib.TOMLDecodeError:
        raise
    except ValueError as error:  # an integer of thousands of digits, a date such as 0000-00-00
        raise ValueError(f"a value in it cannot be read: {shortened(str(error))}") from None
    _check_depth(value)
    _check_numbers(value, ())
    return value


def _integer(digits: str) -> int:
    if len(digits) <= _MOST_DIGITS:
        value = int(digits)
        if _LOWEST <= value <= _HIGHEST:
            return value
    raise ValueError(f"the integer {shortened(digits)} has more than 64 bits")


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {shortened(twice)!r} stands twice in one object")
    return found


def _check_depth(value: Any) -> None:
    layer, depth = [value], 0
    while layer := [item for item in layer if isinstance(item, dict | list)]:
        depth += 1
        if depth > MOST_DEPTH:
            raise ValueError(f"it is nested deeper than {MOST_DEPTH} levels")
        layer = [
            inner
            for item in layer
            for inner in (item.values() if isinstance(item, dict) else item)
            if isinstance(inner, dict | list)
        ]


def _check_numbers(value: Any, where: tuple[str, ...]) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            _check_numbers(item, (*where, str(key)))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            _check_numbers(item, (*where, str(i)))
    elif isinstance(value, float) and not math.isfinite(value):
        _refuse(where, f"{value} is not a finite number")
    elif isinstance(value, int) and not _LOWEST <= value <= _HIGHEST:
        _refuse(where, "an integer of more than 64 bits")


def _refuse(where: tuple[str, ...], why: str) -> Never:
    raise ValueError(f"{clean_text('.'.join(where))}: {why}")


def shortened(text: str, most: int = 60) -> str:
    """Return ``text`` cleaned, and cut to ``most`` characters."""
    return clean_text(text if len(text) <= most else f"{text[:most]}...")
