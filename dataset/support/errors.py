"""Errors of the project, with one root: what happened, why, and what to do."""

from __future__ import annotations

from typing import ClassVar


class MiaError(Exception):
    """Root error of the project.

    Parameters
    ----------
    what : str
        What happened, in one clause, naming the file or stream.
    why : str
        The cause, as far as known.
    hint : str
        What the user can do about it.

    Attributes
    ----------
    code : str
        Machine-readable name used in ``--json`` output.
    exit_code : int
        Process exit code (2 usage or input, 3 refused).
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 2

    def __init__(self, what: str, why: str = "", hint: str = "") -> None:
        self.what = what
        self.why = why
        self.hint = hint
        super().__init__(f"{what}: {why}" if why else what)

    def as_dict(self) -> dict[str, str]:
        """Return the object that ``--json`` prints under ``error``."""
        return {"code": self.code, "what": self.what, "why": self.why, "hint": self.hint}


class UsageError(MiaError):
    """An invalid command line: an unknown option, a missing argument, text for a number."""

    code = "usage"


class InputError(MiaError):
    """A file, table or argument that is missing or invalid."""

    code = "bad-input"


class OutputExistsError(MiaError):
    """An output that exists already: nothing is ever overwritten."""

    code = "output-exists"


class MissingDependencyError(MiaError):
    """A missing system library, extra or model file."""

    code = "missing-dependency"


class CaptureError(InputError):
    """A folder that is not a readable capture."""

    code = "bad-capture"


class CaptureCutOffError(CaptureError):
    """A capture whose recording was not closed."""

    code = "capture-cut-off"


class DiskFullError(MiaError):
    """Too little space on the disk, before or during a recording."""

    code = "disk-full"


class SessionError(InputError):
    """A file that is not a readable session."""

    code = "bad-session"


class VideoError(InputError):
    """A video that cannot be decoded, or shows no person."""

    code = "bad-video"


class HardwareError(MiaError):
    """A sensor, camera, microphone or LED box that fails."""

    code = "hardware"


class RefusedError(MiaError):
    """A refusal of valid input, because the result would not be correct."""

    code = "refused"
    exit_code = 3
