"""Reads and validates TOML files with pydantic models; errors name the invalid field."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from dataset.support.errors import InputError
from dataset.support.parsing import MOST_TOML_BYTES, first_fault, parse_toml
from dataset.support.text import clean_line, clean_text


class TomlModel(BaseModel):
    """Base of all models read from TOML: frozen, and an unknown field is an error.

    Text is cleaned by :func:`dataset.support.text.clean_text`; multiple lines are joined into one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _clean(cls, data: Any) -> Any:
        return _cleaned(data)


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean_line(value) if "\n" in value else clean_text(value)
    if isinstance(value, dict):
        return {name: _cleaned(item) for name, item in value.items()}
    return [_cleaned(item) for item in value] if isinstance(value, list) else value


ModelT = TypeVar("ModelT", bound=TomlModel)


def parse_model(
    text: str, model: type[ModelT], what: str, *, hint: str = "", context: dict[str, Any] | None = None
) -> ModelT:
    """Parse and validate a ``model`` from TOML text.

    Parameters
    ----------
    text : str
        TOML.
    model : type
        The model to validate against.
    what : str
        Description and source for the message: ``rig rig.toml``.
    hint : str
        What to do if a field is wrong.
    context : dict, optional
        Further input of validators, such as the folder for relative paths.

    Raises
    ------
    InputError
        It is not TOML, or a field is missing or wrong; the message names the field.
    """
    try:
        values = parse_toml(text)
    except ValueError as error:
        raise InputError(f"the {what} is not TOML", str(error)) from error
    try:
        return model.model_validate(values, context=context)
    except ValidationError as error:
        raise InputError(f"the {what} is wrong", first_fault(error), hint) from error


def read_toml(path: Path, what: str, *, hint: str = "") -> str:
    """Return the text of a TOML file.

    Raises
    ------
    InputError
        It cannot be read, or is not UTF-8.
    """
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"cannot read the {what} {path}", "it is not a file", hint)
        with path.open("rb") as file:  # no more than is parsed: the text of a larger file is refused
            return file.read(4 * MOST_TOML_BYTES + 1).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(f"cannot read the {what} {path}", why, hint) from error
