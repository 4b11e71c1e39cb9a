"""Makes external text (keys, arguments, radio, files) safe to store and print, and writes standard JSON."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: Replacement of an invalid character: half of a surrogate pair, or a byte that was not UTF-8.
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
#: Bits of an integer in SQLite and most JSON readers, including the sign.
INTEGER_BITS = 64

_SURROGATE = re.compile("[\ud800-\udfff]")
#: C0, DEL and C1; line and paragraph separators; overrides and isolates of the writing direction.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_ESCAPED_BYTE = re.compile(r"\\udc([89a-f][0-9a-f])")


def valid_text(text: str) -> str:
    """Return ``text`` as valid UTF-8: a lone surrogate (a byte that was not UTF-8) becomes U+FFFD."""
    return _SURROGATE.sub(REPLACEMENT, text)


def clean_text(text: str, *, lines: bool = False) -> str:
    r"""Return ``text`` safe to store and print: valid UTF-8, control characters escaped as ``\x1b``.

    Idempotent.

    Parameters
    ----------
    text : str
    lines : bool
        Keep line feeds and tabs.
    """
    kept = "\n\t" if lines else ""
    return _CONTROL.sub(lambda found: found[0] if found[0] in kept else _escaped(ord(found[0])), valid_text(text))


def _escaped(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def clean_line(text: str) -> str:
    """Return :func:`clean_text` of ``text`` with each run of white space replaced by one space."""
    return clean_text(" ".join(text.split()))


def clean_json(value: Any) -> Any:
    """Convert ``value`` to standard JSON types.

    Text is cleaned, a number that is not finite becomes None, an integer beyond 64 bits its hexadecimal text, a NumPy
    scalar a number, and anything else its text.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean_text(value, lines=True)
    if isinstance(value, int):
        return int(value) if value.bit_length() < INTEGER_BITS else hex(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {clean_text(str(key)): clean_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [clean_json(item) for item in value]
    if hasattr(value, "tolist"):
        return clean_json(value.tolist())
    return clean_text(str(value), lines=True)


def json_text(value: Any) -> str:
    """Return ``value`` as standard JSON in ASCII, by :func:`clean_json`."""
    return json.dumps(clean_json(value), allow_nan=False)


def path_text(path: Path) -> str:
    r"""Return a path as valid UTF-8: a byte that is not UTF-8 is written ``\udcef``."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def path_from_text(path: Path) -> Path:
    """Return the path of :func:`path_text`'s text: itself, or with bytes in place of the escapes."""
    if path.exists():
        return path
    raw = Path(_ESCAPED_BYTE.sub(lambda found: chr(0xDC00 + int(found[1], 16)), str(path)))
    return raw if raw.exists() else path
