"""The manifest of a closed capture: the SHA-256 of its files and of itself, written once and checked on reading."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from dataset.capture import schema
from dataset.support.errors import CaptureError
from dataset.support.files import sha256_of
from dataset.support.own_files import check_own_file, is_plain_name
from dataset.support.parsing import JsonModel, validated

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
#: Key of the manifest's own checksum; manifests of earlier versions have none.
OWN = "manifest_sha256"


class FileEntry(JsonModel):
    """SHA-256 and size of one file."""

    sha256: Sha256
    size: Annotated[int, Field(ge=0)]


class Manifest(JsonModel):
    """Content of ``manifest.json``; an unknown key is an error, so that a damaged one is found.

    Attributes
    ----------
    pending : dict
        Files that are about to be replaced, as they will be: a program killed meanwhile leaves one or the other.
    """

    model_config = ConfigDict(extra="forbid")

    format: str = ""
    format_version: str = ""
    capture_uuid: str = ""
    closed_utc: str | None = None
    files: dict[str, FileEntry] = Field(default_factory=dict)
    counts: dict[str, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
    health: dict[str, Any] = Field(default_factory=dict)
    pending: dict[str, FileEntry] = Field(default_factory=dict)
    manifest_sha256: Sha256 | None = None


def manifest_bytes(manifest: Mapping[str, Any]) -> bytes:
    """Return the file of a manifest, with its own checksum in it."""
    content = {key: value for key, value in manifest.items() if key != OWN}
    return json.dumps({**content, OWN: _own_sha256(content)}, indent=1, allow_nan=False).encode()


def checked_manifest(value: Any) -> dict[str, Any]:
    """Return the content of a manifest.

    Raises
    ------
    ValueError
        A field is wrong, or its own checksum differs: it was damaged.
    """
    stated = validated(value, Manifest).manifest_sha256
    content: dict[str, Any] = {key: item for key, item in value.items() if key != OWN}
    if stated is not None and stated != _own_sha256(content):
        raise ValueError("its own SHA-256 differs: it has changed since it was written")
    return content


def _own_sha256(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, allow_nan=False).encode()).hexdigest()


def differing_files(folder: Path, manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each file that differs from the manifest, and whether it is ``missing`` or ``changed``.

    Raises
    ------
    CaptureError
        The manifest does not list the database, or lists a path.
    """
    where = folder / schema.MANIFEST
    files = manifest.get("files") or {}
    if schema.DATABASE not in files:
        raise CaptureError(f"{where} lists no files", "it is not a capture's manifest")
    for name, entry in files.items():
        if not is_plain_name(name):
            raise CaptureError(f"{where} is damaged", f"it lists {name!r}, which is not a file name")
        path = folder / name
        if not check_own_file(folder, name):
            yield name, "missing"
        elif not matches(path, entry, manifest.get("pending", {}).get(name)):
            yield name, "changed"


def matches(path: Path, *entries: Mapping[str, Any] | None) -> bool:
    """Whether a file is one of those stated."""
    size = path.stat().st_size
    fitting = [entry["sha256"] for entry in entries if entry is not None and entry["size"] == size]
    return bool(fitting) and sha256_of(path) in fitting
