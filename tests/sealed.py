"""Manifests that state what a hostile author wants, with right checksums: damage is found, malice must be harmless."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dataset.capture import schema
from dataset.capture.manifest import manifest_bytes
from dataset.support.files import sha256_of


def seal_again(folder: Path, **changes: Any) -> None:
    """Write a capture's manifest anew after a test has changed its files, with ``changes`` to its keys."""
    path = folder / schema.MANIFEST
    manifest = json.loads(path.read_text(encoding="utf-8"))
    for name in manifest["files"]:
        if (folder / name).is_file():
            manifest["files"][name] = {"sha256": sha256_of(folder / name), "size": (folder / name).stat().st_size}
    path.write_bytes(manifest_bytes({**manifest, **changes}))
