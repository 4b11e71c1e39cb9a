"""Who may read what was written."""

from __future__ import annotations

from pathlib import Path


def modes(root: Path) -> tuple[set[str], set[str]]:
    """Return the modes of a folder and those in it, and of all files, in octal."""
    inside = [root, *root.rglob("*")]
    return (
        {f"{path.stat().st_mode & 0o777:04o}" for path in inside if path.is_dir()},
        {f"{path.stat().st_mode & 0o777:04o}" for path in inside if path.is_file()},
    )
