"""What a test knows to be there, for the types too."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def present(value: T | None) -> T:
    """Return the value; fail where it is None."""
    assert value is not None
    return value
