"""Captures and sessions of format version 1 still open, and say what they said when they were written.

``tests/golden`` holds virtual data: ``mia-record simulate --mixed --no-video --seed 6`` (``capture-1-mixed``),
``mia-sync run --no-pose`` on ``mia-record simulate --seed 5`` (``session-1-virtual``), and ``mia-sync import mia`` on
four made windows (``session-1-imported``). ``expected.json`` was written by the same code that wrote the files.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from dataset.capture.reader import Capture
from dataset.sensors.decode import decode
from dataset.session.file import check_session, read_session, write_session

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
EXPECTED: dict[str, Any] = json.loads((GOLDEN / "expected.json").read_text(encoding="utf-8"))
SESSIONS = ("session-1-virtual", "session-1-imported")


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    folder = tmp_path / "sub-M02" / "ses-20260101T110000"
    folder.mkdir(parents=True)
    packed = GOLDEN / "capture-1-mixed"
    shutil.copy(packed / "manifest.json", folder)
    (folder / "capture.db").write_bytes(lzma.decompress((packed / "capture.db.xz").read_bytes()))
    return folder


def unpacked(name: str, folder: Path) -> Path:
    path = folder / f"{name}.h5"
    path.write_bytes(lzma.decompress((GOLDEN / f"{name}.h5.xz").read_bytes()))
    return path


def digest(*arrays: np.ndarray) -> str:
    """Return a checksum of the arrays' values, the same on machines of either byte order."""
    total = hashlib.sha256()
    for array in arrays:
        plain = np.ascontiguousarray(array)
        total.update(plain.astype(plain.dtype.newbyteorder("<")).tobytes())
    return total.hexdigest()


def said_of(folder: Path) -> dict[str, Any]:
    """Return what is read of a capture: counts, decoded values, events and texts."""
    with Capture.open(folder) as opened:
        channels = {}
        for sensor in opened.sensors:
            samples = decode(sensor.profile, opened.notification_blocks(sensor.slot))
            channels[sensor.channel] = {
                "profile": sensor.profile.name,
                "n": len(samples.value),
                "digest": digest(
                    np.asarray(samples.value, dtype=np.float64),
                    np.asarray(samples.arrival_ns, dtype=np.int64),
                    np.asarray(samples.epoch, dtype=np.int64),
                ),
            }
        return {
            "subject": opened.subject,
            "meta": sorted(opened.meta),
            "channels": channels,
            "events": [[e.t_ns, e.kind, e.label] for e in opened.events()],
            "log": [what for _, _, what, _ in opened.log()],
            "frames": len(opened.frames().frame_index),
            "serial_lines": len(opened.serial_lines()),
            "clock_anchors": len(opened.clock_anchors()),
        }


def test_a_capture_of_version_1_says_what_it_always_said(capture: Path) -> None:
    said = said_of(capture)
    assert said == EXPECTED["capture-1-mixed"]
    assert len({c["profile"].partition(":")[0] for c in said["channels"].values()}) >= 3  # the rig was a mixed one


@pytest.mark.parametrize("name", SESSIONS)
def test_a_session_of_version_1_is_whole(name: str, tmp_path: Path) -> None:
    assert check_session(unpacked(name, tmp_path)) == []


def leaves(path: Path) -> dict[str, Any]:
    """Return every dataset and attribute of a session file, as h5py alone reads them."""
    found: dict[str, Any] = {}
    with h5py.File(path) as file:

        def visit(place: str, item: h5py.Group | h5py.Dataset) -> None:
            for key, value in item.attrs.items():
                found[f"{place}@{key}"] = value
            if isinstance(item, h5py.Dataset):
                found[place] = item[()]

        visit("", file)
        file.visititems(visit)
    return found


def without_machine(value: Any) -> list[str]:
    """Return a text, or an array of texts, without the folder in which the golden session was made."""
    texts = [one.decode() if isinstance(one, bytes) else str(one) for one in np.atleast_1d(value)]
    return [one.replace("/tmp/golden/c/", "") for one in texts]


@pytest.mark.parametrize("name", SESSIONS)
def test_nothing_of_a_session_of_version_1_is_lost_by_reading_and_writing(name: str, tmp_path: Path) -> None:
    before = unpacked(name, tmp_path)
    write_session(tmp_path / "again.h5", read_session(before))
    was, now = leaves(before), leaves(tmp_path / "again.h5")
    assert set(was) <= set(now)
    for key, value in was.items():
        if key.rpartition("@")[2] in {"created_utc", "format_version", "unit", "description"}:
            continue
        if key in {"video@file", "provenance/log"}:  # they had the folders of the machine that wrote them
            assert without_machine(now[key]) == without_machine(value), key
            continue
        np.testing.assert_array_equal(now[key], value, err_msg=key)
