"""Profiles of a person's own travel with the capture: their text is in its ``meta``, under ``profile_toml:NAME``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dataset.sensors.profile import Profile, builtin_profiles, find_profile, parse_profile, split_spec

_KEY = "profile_toml:{}"


def profile_texts(profiles: Iterable[Profile]) -> dict[str, str]:
    """Return the rows of ``meta`` that hold those profiles that are not built in."""
    return {_KEY.format(p.kind): p.text for p in profiles if p.kind not in builtin_profiles()}


def stored_profile(meta: Mapping[str, str], spec: str, where: str) -> Profile:
    """Return the profile that decodes a sensor of a capture, as its slot chose column and rate.

    Parameters
    ----------
    meta : mapping of str to str
        The capture's ``meta`` table.
    spec : str
        As in its ``sensor`` table, such as ``bitalino-ble:2@100``.
    where : str
        The capture, for the message.

    Raises
    ------
    InputError
        It is neither built in nor stored, or it has no such column or rate.
    """
    kind, column, rate_hz = split_spec(spec)
    text = meta.get(_KEY.format(kind))
    if text is None or kind in builtin_profiles():
        return find_profile(spec)
    return parse_profile(text, f"{kind} in {where}").seen_as(spec, column, rate_hz)
