"""Subject data: label, consent, height, weight and handedness; read from the last capture of the same person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset.capture.reader import Capture
from dataset.capture.writer import check_subject
from dataset.support.errors import InputError, MiaError
from dataset.support.text import clean_line

#: The ``what`` of the log row that holds these details; their names are those of a session's ``/subject``.
LOG_ROW = "subject"
HANDEDNESS = ("right", "left", "both")
#: Numeric fields with their unit and plausible range.
_NUMBERS = {"height_m": ("m", 0.5, 2.6), "mass_kg": ("kg", 10.0, 350.0), "age_years": ("years", 1.0, 120.0)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One person under a label; unknown values are None or empty.

    Attributes
    ----------
    label : str
        Letters and digits; not the person's name.
    consent_id : str
        Identifies the signed consent form.
    handedness : str
        ``right``, ``left``, ``both`` or empty.
    """

    label: str = "S01"
    consent_id: str = ""
    handedness: str = ""
    height_m: float | None = None
    mass_kg: float | None = None
    age_years: float | None = None

    def info(self) -> dict[str, str | float]:
        """Return the known values by the names of a session's ``/subject``, without the label."""
        names = ("consent_id", "handedness", *_NUMBERS)
        return {name: value for name in names if (value := getattr(self, name)) not in ("", None)}


def read_subject(fields: Mapping[str, Any]) -> Subject:
    """Parse and check a form's fields; blank fields are unknown.

    Raises
    ------
    InputError
        A field is invalid; the message names it and what to type.
    """
    numbers: dict[str, float | None] = {}
    for name, (unit, least, most) in _NUMBERS.items():
        typed = str(fields.get(name) or "").strip().replace(",", ".")
        try:
            value = float(typed) if typed else None
        except ValueError:
            value = float("nan")
        if value is not None and not least <= value <= most:
            word = name.partition("_")[0]
            hint = f"type a number of {unit} from {least:g} to {most:g}, or leave it blank"
            raise InputError(f"{word} {typed!r} is not valid", "", hint)
        numbers[name] = value
    handedness = str(fields.get("handedness") or "").strip().lower()
    matching = [h for h in HANDEDNESS if handedness and h.startswith(handedness)]
    if handedness and not matching:
        raise InputError(f"handedness {handedness!r} is not known", "", f"type one of: {', '.join(HANDEDNESS)}")
    return Subject(
        label=check_subject(str(fields.get("label") or "").strip()),
        consent_id=clean_line(str(fields.get("consent_id") or "")),
        handedness=matching[0] if matching else "",
        **numbers,
    )


def known_subjects(out: Path) -> tuple[str, ...]:
    """Return the labels of the people recorded in a folder of captures."""
    return tuple(sorted(p.name.removeprefix("sub-") for p in out.glob("sub-*") if p.is_dir()))


def last_subject(out: Path, label: str) -> Subject:
    """Return the subject data of the last closed capture of ``label``; only the label if there is none."""
    for folder in sorted((out / f"sub-{label}").glob("ses-*"), reverse=True):
        try:
            with Capture.open(folder) as capture:
                details = next((detail for _, _, what, detail in capture.log() if what == LOG_ROW), None)
            if details is not None:
                return read_subject({**details, "label": label})
        except MiaError:  # cut off or damaged: try an earlier one
            continue
    return Subject(label=label)
