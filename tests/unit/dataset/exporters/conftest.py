"""Sessions of the virtual rig and of made MIA windows, from the golden files, and a richer one with gaps."""

from __future__ import annotations

import lzma
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dataset.session.file import read_session, write_session

GOLDEN = Path(__file__).resolve().parents[3] / "golden"


@pytest.fixture
def sessions(tmp_path: Path) -> list[Path]:
    """Return the virtual session with a gap, other units and a visit, and the imported one with keypoints."""
    folder = tmp_path / "sessions"
    folder.mkdir()
    for name in ("virtual", "imported"):
        packed = (GOLDEN / f"session-1-{name}.h5.xz").read_bytes()
        (tmp_path / f"{name}.h5").write_bytes(lzma.decompress(packed))
    virtual, imported = (read_session(tmp_path / f"{name}.h5") for name in ("virtual", "imported"))
    emg, valid = virtual.aligned.emg.copy(), virtual.aligned.emg_valid.copy()
    emg[40:60, 2], valid[40:60, 2] = np.nan, False
    units = ("mV", "uV", "%", "counts", *virtual.channels.unit[4:])
    virtual = replace(
        virtual,
        aligned=replace(virtual.aligned, emg=emg, emg_valid=valid),
        channels=replace(virtual.channels, unit=units),
    )
    write_session(folder / "sub-S01_ses-20260101T100000.h5", virtual)
    write_session(folder / "sub-2_ses-20260101T110000.h5", imported)
    return sorted(folder.glob("*.h5"))
