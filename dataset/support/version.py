"""The name under which this program signs what it writes."""

from __future__ import annotations

from importlib import metadata


def software() -> str:
    """Return the program's name and version."""
    try:
        return f"muscles-in-action {metadata.version('muscles-in-action')}"
    except metadata.PackageNotFoundError:  # run from a source tree that was not installed
        return "muscles-in-action (not installed)"
