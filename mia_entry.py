"""Entry points of the three commands: check that ``dataset`` is this project's before anything imports it.

The package index has an unrelated package called ``dataset``. Installed into the same environment, it overwrites our
``dataset/__init__.py``. This module lies outside the four packages, so nothing overwrites it, and it imports none of
them before the check.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

#: The first words of our ``dataset/__init__.py``.
OURS = '"""Stored data and its readers'
EXIT_INPUT = 2


def foreign_dataset(text: str | None) -> str:
    """Return what is wrong with ``dataset/__init__.py``, from its text (None: no file); empty if it is ours."""
    if text is not None and text.startswith(OURS):
        return ""
    found = "has been overwritten by another package" if text is not None else "is missing"
    return f"the file dataset/__init__.py of muscles-in-action {found}"


def check_dataset() -> None:
    """End the program with exit code 2 and one line if ``dataset`` is not this project's."""
    spec = importlib.util.find_spec("dataset")
    path = Path(spec.origin) if spec and spec.origin else None
    what = foreign_dataset(path.read_text(encoding="utf-8", errors="replace") if path else None)
    if not what:
        return
    why = "the package 'dataset' from the package index uses the same folder"
    hint = "make a new environment (python3 -m venv) and install only muscles-in-action in it"
    error = {"code": "missing-dependency", "what": what, "why": why, "hint": hint}
    if "--json" in sys.argv[1:]:
        sys.stdout.write(json.dumps({"error": error}) + "\n")
    else:
        sys.stderr.write(f"error: {what}: {why} [missing-dependency]\nhint: {hint}\n")
    sys.exit(EXIT_INPUT)


def record() -> None:
    """Run ``mia-record``."""
    check_dataset()
    from acquire.cli import main

    main()


def sync() -> None:
    """Run ``mia-sync``."""
    check_dataset()
    from sync.cli import main

    main()


def train() -> None:
    """Run ``mia-train``."""
    check_dataset()
    from model.cli import main

    main()
