"""Checks of a session file before its values are read: groups, types, shapes, attributes, and claimed sizes.

A file of kilobytes can claim arrays of gigabytes; what it claims is compared with what it holds before memory is
taken. Everything is checked against the one table in :mod:`dataset.session.schema`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import h5py
import numpy as np

from dataset.session import schema
from dataset.support.labels import is_subject
from dataset.support.parsing import shortened
from dataset.support.text import clean_text, valid_text

_NUMPY_KIND = {"f": "f", "i": "iu", "b": "bu", "s": "OS"}

#: Deflate compresses at most 1032 to 1; beyond it a claimed size has no bytes behind it.
_MOST_COMPRESSED = 1100
#: What an array may claim beyond that: its chunks are padded.
_FREE_BYTES = 2**20
_MOST_CHUNK_BYTES = 2**26
_MOST_ATTRIBUTE_BYTES = 2**20
#: Channels of a recording, and streams beside them.
MOST_CHANNELS = 64

_VIDEO = {"file": str, "sha256": str, "width": int, "height": int}
_POSE = {"backend": str, "model_sha256": str}
_STREAM: dict[str, type] = {
    **dict.fromkeys(schema.SYNC_FLOATS, float),
    **dict.fromkeys(schema.SYNC_INTS, int),
    **dict.fromkeys(schema.SYNC_TEXTS, str),
}
_IN_WORDS = {str: "a text", int: "an integer", float: "a number", bool: "true or false"}


def structure_problems(file: h5py.File) -> Iterator[str]:
    """Yield the faults of a session file, one sentence each; of a faulty group, only the first kind."""
    yield from _attribute_problems(file, "", schema.ROOT_ATTRIBUTES)
    missing = [name for name in schema.REQUIRED_GROUPS if not isinstance(file.get(name), h5py.Group)]
    yield from (f"group /{name} is missing" for name in missing)
    for name in ("subject", "calibration", "video", "pose"):
        if name in file and not isinstance(file[name], h5py.Group):
            missing.append(name)
            yield f"/{name} is not a group"
    for name in {"emg", "sync"} - set(missing):
        for child, node in file[name].items():
            if not isinstance(node, h5py.Group):
                missing.append(name)
                yield f"/{name}/{clean_text(child)} is not a group"
    if missing:
        return
    problems = [*_dataset_problems(file), *_group_attribute_problems(file)]
    yield from problems
    if not problems:
        yield from _value_problems(file)


def attributes_of(node: h5py.Group | h5py.File) -> dict[str, Any]:
    """Return the attributes that are single numbers, booleans or texts, as Python's own; others as None."""
    return {valid_text(name): _plain(node, name) for name in node.attrs}


def _plain(node: h5py.Group, name: str) -> Any:
    attribute = node.attrs.get_id(name)
    if attribute.get_storage_size() > _MOST_ATTRIBUTE_BYTES or attribute.shape not in ((), (1,)):
        return None
    value = node.attrs[name]
    if isinstance(value, np.ndarray):
        value = value.reshape(-1)[0] if value.size == 1 else None
    if isinstance(value, bytes):
        return valid_text(value.decode("utf-8", "surrogateescape"))
    if isinstance(value, str):
        return valid_text(value)
    if isinstance(value, np.bool_ | np.integer | np.floating):
        return value.item()
    return value if isinstance(value, bool | int | float) else None


def _attribute_problems(node: h5py.Group, where: str, wanted: Mapping[str, type]) -> Iterator[str]:
    found = attributes_of(node)
    for name, kind in wanted.items():
        words = f"attribute {name} of {where}" if where else f"root attribute {name}"
        if name not in found:
            yield f"{words} is missing"
            continue
        value = found[name]
        accepted: tuple[type, ...] = {float: (float, int), int: (int,), bool: (bool, int), str: (str,)}[kind]
        if not isinstance(value, accepted) or (isinstance(value, bool) and kind in (float, int)):
            if kind is int and isinstance(value, float) and value.is_integer():
                continue  # a number that another program has written as one
            is_ = "is not a single value" if value is None else f"is {shortened(repr(value))}, not {_IN_WORDS[kind]}"
            yield f"{words} {is_}"
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            yield f"{words} is an integer of more than 64 bits"


def _group_attribute_problems(file: h5py.File) -> Iterator[str]:
    for stream, group in file["sync"].items():
        yield from _attribute_problems(group, f"/sync/{clean_text(stream)}", _STREAM)
    for channel, group in file["emg"].items():
        yield from _attribute_problems(group, f"/emg/{clean_text(channel)}", {"index_inferred": bool})
    for name, wanted in (("video", _VIDEO), ("pose", _POSE)):
        if name in file:
            yield from _attribute_problems(file[name], f"/{name}", wanted)
    for name in ("subject", *(f"sync/{stream}" for stream in file["sync"])):
        if name in file:
            for key, value in attributes_of(file[name]).items():
                if value is None:
                    yield f"attribute {clean_text(key)} of /{clean_text(name)} is not a single number or text"


def _dataset_problems(file: h5py.File) -> Iterator[str]:
    sizes: dict[tuple[str, str], int] = {}
    for spec in schema.DATASETS:
        for path in instances(file, spec):
            group, _, _ = path.rpartition("/")
            if group not in file:
                continue
            shown = clean_text(path)
            if path not in file:
                if spec.required:
                    yield f"dataset /{shown} is missing"
                continue
            dataset = file[path]
            if not isinstance(dataset, h5py.Dataset):
                yield f"/{shown} is not a dataset"
                continue
            fault = _dataset_fault(dataset, spec)
            if fault:
                yield f"dataset /{shown} {fault}"
                continue
            for want, got in zip(spec.shape, dataset.shape, strict=True):
                scope = "" if want == "C" else group
                expected = want if isinstance(want, int) else sizes.setdefault((scope, want), got)
                if expected != got:
                    yield f"dataset /{shown} has shape {dataset.shape}, expected {expected} for {want}"
                    break
    channels = sizes.get(("", "C"), 0)
    if not 1 <= channels <= MOST_CHANNELS:
        yield f"/channels has {channels} channels, not 1 to {MOST_CHANNELS}"


def _dataset_fault(dataset: h5py.Dataset, spec: schema.DatasetSpec) -> str:
    """Return what is wrong with a dataset's type, dimensions or size; empty if nothing is."""
    dtype = dataset.dtype
    text = spec.kind == "s"
    if dtype.kind not in _NUMPY_KIND[spec.kind] or (dtype.kind == "O" and h5py.check_string_dtype(dtype) is None):
        return f"has type {dtype}"
    if (not text and dtype.itemsize > 8) or (text and dtype.itemsize > _MOST_ATTRIBUTE_BYTES):
        return f"has type {dtype}"
    if dataset.shape is None or dataset.ndim != len(spec.shape):
        return f"has shape {dataset.shape}, not {spec.shape}"
    claimed, held = dataset.size * dtype.itemsize, dataset.id.get_storage_size()
    chunk = int(np.prod(dataset.chunks)) * dtype.itemsize if dataset.chunks else 0
    if claimed > _FREE_BYTES and claimed > _MOST_COMPRESSED * held:
        return f"claims {claimed} bytes and holds {held}"
    if held > dataset.file.id.get_filesize():
        return f"claims to hold {held} bytes, more than the file"
    if chunk > max(_MOST_CHUNK_BYTES, _FREE_BYTES) or (chunk > _FREE_BYTES and chunk > _MOST_COMPRESSED * max(held, 1)):
        return f"has chunks of {chunk} bytes"
    return ""


def instances(file: h5py.File, spec: schema.DatasetSpec) -> list[str]:
    """Return the paths in a file to which one line of the schema applies: one for each channel or stream."""
    for placeholder, group in (("{channel}", "emg"), ("{stream}", "sync")):
        if placeholder in spec.path:
            return [spec.path.replace(placeholder, name) for name in file[group]]
    return [spec.path]


def _value_problems(file: h5py.File) -> Iterator[str]:
    found = attributes_of(file)
    if found.get("verdict") not in schema.VERDICTS:
        yield f"root attribute verdict is {found.get('verdict')!r}"
    if not is_subject(str(found.get("subject", ""))):  # it becomes part of paths
        yield f"root attribute subject is {found.get('subject')!r}, not letters and digits"
    for stream, group in file["sync"].items():
        if attributes_of(group).get("verdict") not in schema.VERDICTS:
            yield f"attribute verdict of /sync/{clean_text(stream)} is none of {', '.join(schema.VERDICTS)}"
