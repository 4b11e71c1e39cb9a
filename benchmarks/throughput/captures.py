"""Long captures of the virtual rigs, made once: at 720p with a camera's noise, and with raw sEMG at 1 kHz."""

from __future__ import annotations

import shutil
from pathlib import Path

from acquire.protocol.protocol import load_protocol
from acquire.virtual.film import Film
from acquire.virtual.simulate import simulate
from acquire.virtual.simulate_options import SimulateOptions
from dataset.capture.schema import MANIFEST
from dataset.support.console import progress

#: Noise and preset of a live recording, at which 720p decodes as fast as real files do: about 40 times real time.
FILM = Film(width=1280, height=720, grain=2.5, preset="veryfast")
#: A small film, for runs that measure only the sensors.
SMALL_FILM = Film(width=320, height=180)


def capture_of(work: Path, minutes: float, seed: int, *, mixed: bool = False) -> Path:
    """Return the capture of this length and seed in ``work``, simulating it where it is not there.

    ``mixed`` gives the rig with two sensors of 1 kHz, one of 50 Hz and five M40, and a small film.
    """
    subject, stamp = f"{'M' if mixed else 'T'}{seed}", f"20000101T{round(minutes * 60):06d}"
    folder = work / f"sub-{subject}" / f"ses-{stamp}"
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
            work,
            SimulateOptions(
                subject=subject,
                minutes=minutes,
                seed=seed,
                protocol=(protocol, text),
                stamp=stamp,
                film=SMALL_FILM if mixed else FILM,
                mixed=mixed,
            ),
            progress=show,
        )
