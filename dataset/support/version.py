"""Name and version of this program, stored in its output."""

from __future__ import annotations

from importlib import metadata


def software() -> str:
    """Return the program's name and version."""
    try:
        return f"muscles-in-action {metadata.version('muscles-in-action')}"
    except metadata.PackageNotFoundError:  # run from a source tree without installation
        return "muscles-in-action (not installed)"
