"""Protocol files: read from TOML and validated."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from pydantic import Field, field_validator, model_validator

from dataset.exercises import canonical_exercise
from dataset.support.errors import InputError
from dataset.support.toml import TomlModel, parse_model, read_toml

_BUILT_IN = resources.files("acquire.protocol")


class Exercise(TomlModel):
    """One exercise: its name, duration or repetitions, and the text shown.

    Attributes
    ----------
    seconds : float or None
        Duration; alternative to ``repetitions``.
    repetitions : int or None
        Number of repetitions, each taking ``seconds_each``; they are counted on the screen.
    rest_s : float or None
        Rest after it; the protocol's by default.
    """

    name: str
    seconds: float | None = Field(default=None, gt=0, le=3600)
    repetitions: int | None = Field(default=None, ge=1, le=1000)
    seconds_each: float = Field(default=3.0, gt=0, le=60)
    rest_s: float | None = Field(default=None, ge=0, le=3600)
    text: str = ""

    @field_validator("name")
    @classmethod
    def _canonical(cls, value: str) -> str:
        name = canonical_exercise(value)
        if not name:
            raise ValueError("an exercise needs a name")
        return name

    @model_validator(mode="after")
    def _has_one_measure(self) -> Exercise:
        if (self.seconds is None) == (self.repetitions is None):
            raise ValueError("an exercise needs seconds or repetitions, and not both")
        return self

    @property
    def duration_s(self) -> float:
        """Duration of the exercise."""
        return self.seconds if self.seconds is not None else (self.repetitions or 0) * self.seconds_each


class CalibrationPart(TomlModel):
    """Rest, contraction, rest of each muscle before the first sync sequence, in a recording with calibration."""

    rest_s: float = Field(default=3.0, ge=2.5, le=60)
    contract_s: float = Field(default=3.0, ge=1.5, le=30)


class SyncSequence(TomlModel):
    """Number of claps and stomps at each end, each with a flash near its cue."""

    claps: int = Field(default=4, ge=0, le=30)
    stomps: int = Field(default=4, ge=0, le=30)
    shortest_gap_s: float = Field(default=0.9, gt=0, le=60)
    longest_gap_s: float = Field(default=1.7, gt=0, le=60)


class Protocol(TomlModel):
    """A recording session: sync sequence, exercises in passes, sync sequence."""

    name: str
    title: str = ""
    passes: int = Field(default=1, ge=1, le=100)
    rest_s: float = Field(default=1.0, ge=0, le=3600)
    lead_in_s: float = Field(default=2.0, ge=0, le=3600)
    sync: SyncSequence = SyncSequence()
    calibration: CalibrationPart = CalibrationPart()
    exercises: tuple[Exercise, ...] = Field(default=(), max_length=1000)


def parse_protocol(text: str, where: str) -> Protocol:
    """Parse and validate a protocol from TOML.

    Raises
    ------
    InputError
        It is not TOML, or a field is missing or wrong; the message names the field.
    """
    return parse_model(text, Protocol, f"protocol {where}")


def built_in_protocols() -> tuple[str, ...]:
    """Return the names of the built-in protocols."""
    return tuple(sorted(f.name.removesuffix(".toml") for f in _BUILT_IN.iterdir() if f.name.endswith(".toml")))


def load_protocol(path: Path | None) -> tuple[Protocol, str]:
    """Read and validate a protocol; return it and its text.

    Parameters
    ----------
    path : Path or None
        A file, or the name of a built-in protocol, such as ``paper``, if there is no file of that name. None: the
        demo, a minute long.

    Raises
    ------
    InputError
        There is neither, or it is not a protocol.
    """
    name = "demo" if path is None else str(path)
    if name in built_in_protocols() and (path is None or not path.exists()):
        text = _BUILT_IN.joinpath(f"{name}.toml").read_text(encoding="utf-8")
        return parse_protocol(text, f"{name}.toml"), text
    if path is None or not (path.suffix or path.exists()):
        raise InputError(
            f"there is no protocol {name}",
            "it is neither a file nor built in",
            f"give a file, or one of: {', '.join(built_in_protocols())}",
        )
    text = read_toml(path, "protocol")
    return parse_protocol(text, str(path)), text
