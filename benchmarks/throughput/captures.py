"""Long captures of the virtual rig at 720p, with a camera's noise, made once and kept."""

from __future__ import annotations

import shutil
from pathlib import Path

from acquire.protocol import load_protocol
from acquire.virtual.simulate import Film, simulate
from dataset.capture_schema import MANIFEST
from dataset.console import progress

#: Noise and preset of a live recording, at which 720p decodes as fast as real files do: about 40 times real time.
FILM = Film(width=1280, height=720, grain=2.5, preset="veryfast")


def capture_of(work: Path, minutes: float, seed: int) -> Path:
    """Return the capture of this length and seed in ``work``, simulating it where it is not there."""
    stamp = f"20000101T{round(minutes * 60):06d}"
    folder = work / f"sub-T{seed}" / f"ses-{stamp}"
    if (folder / MANIFEST).is_file():
        return folder
    shutil.rmtree(folder, ignore_errors=True)  # left by a run that was interrupted
    protocol, text = load_protocol(None)
    done = 0.0
    with progress(f"simulating {minutes:g} minutes", 1.0) as advance:

        def show(share: float) -> None:
            nonlocal done
            advance(share - done)
            done = share

        return simulate(
            work, subject=f"T{seed}", minutes=minutes, seed=seed, protocol=protocol, protocol_text=text, stamp=stamp,
            film=FILM, progress=show,
        )  # fmt: skip
