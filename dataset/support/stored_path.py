"""Paths as files store them: without the folders of the machine that wrote them."""

from __future__ import annotations

import re
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import Any

_HOMES = ("home", "users")
_SUBJECT, _VISIT = re.compile(r"sub-[A-Za-z0-9]+"), re.compile(r"ses-[A-Za-z0-9]+")


def stored_path(path: PurePath | str) -> str:
    """Return a path from its last ``sub-<ID>/ses-<STAMP>`` on, or else its last part; separators become slashes."""
    parts = _parts(str(path))
    pairs = [i for i in range(len(parts) - 1) if _SUBJECT.fullmatch(parts[i]) and _VISIT.fullmatch(parts[i + 1])]
    if pairs:
        return "/".join(parts[pairs[-1] :])
    if not parts or (len(parts) > 1 and parts[-2].lower() in _HOMES):  # the last part is a person's account
        return ""
    return parts[-1]


def without_folders(value: Any) -> Any:
    """Return ``value`` with every text that is an absolute path, in any depth, as :func:`stored_path` gives it.

    Several paths may be joined by " + ", as those of a video in parts are.
    """
    if isinstance(value, dict):
        return {key: without_folders(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [without_folders(one) for one in value]
    if isinstance(value, PurePath):
        return without_folders(str(value))
    if isinstance(value, str):
        return " + ".join(stored_path(one) if _is_absolute(one) else one for one in value.split(" + "))
    return value


def _is_absolute(text: str) -> bool:
    text = text.removeprefix("file://")
    return len(text) > 1 and (PurePosixPath(text).is_absolute() or PureWindowsPath(text).is_absolute())


def _parts(text: str) -> list[str]:
    windows = PureWindowsPath(text)
    pure: PurePath = windows if windows.drive or "/" not in text else PurePosixPath(text)
    return [part for part in pure.parts if part != pure.anchor and part not in ("..", ".", "file:")]
