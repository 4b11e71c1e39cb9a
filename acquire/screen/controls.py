"""What the keys of a running recording ask of its recorder."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from acquire.recording.recorder import Recorder


class Control(StrEnum):
    """One thing to ask for; the value is what a key binding names."""

    NEXT = "next"
    SKIP = "skip"
    REDO = "redo"
    PAUSE = "pause"
    RESUME = "resume"
    FLASH = "flash"
    CLAP_CUE = "clap_cue"


_CALLS: dict[Control, Callable[[Recorder], str]] = {
    Control.NEXT: lambda recorder: recorder.next(),
    Control.SKIP: lambda recorder: recorder.skip(),
    Control.REDO: lambda recorder: recorder.redo(),
    Control.PAUSE: lambda recorder: recorder.pause(),
    Control.RESUME: lambda recorder: recorder.resume(),
    Control.FLASH: lambda recorder: recorder.flash(),
    Control.CLAP_CUE: lambda recorder: recorder.clap_cue(),
}


def steer(recorder: Recorder, control: Control) -> str:
    """Ask a recorder for one thing; returns what was done.

    Raises
    ------
    InputError
        Nothing is being recorded, or it cannot be done now.
    HardwareError
        There is nothing that can flash.
    """
    return _CALLS[control](recorder)
