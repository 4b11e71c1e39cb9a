"""Labels in the names of captures and sessions: ``sub-<ID>`` and ``ses-<STAMP>``."""

from __future__ import annotations

import re

_SUBJECT = re.compile(r"[A-Za-z0-9]+")
_STAMP = re.compile(r"[0-9]{8}T[0-9]{6}")
_SESSION = re.compile(rf"sub-{_SUBJECT.pattern}_ses-{_STAMP.pattern}")


def is_subject(text: str) -> bool:
    """Whether a text is a valid subject label: ASCII letters and digits."""
    return _SUBJECT.fullmatch(text) is not None


def is_stamp(text: str) -> bool:
    """Whether a text has the form ``YYYYMMDDTHHMMSS``."""
    return _STAMP.fullmatch(text) is not None


def is_session_name(text: str) -> bool:
    """Whether a text is ``sub-<ID>_ses-<STAMP>``."""
    return _SESSION.fullmatch(text) is not None
