"""Profiles of a person's own travel with the capture: their text is in its ``meta``, under ``profile_toml:NAME``."""

from __future__ import annotations

from collections.abc import Iterable

from dataset.capture.reader import Capture, Sensor
from dataset.sensors.profile import Profile, builtin_profiles, find_profile, known_profiles, parse_profile, split_spec

_KEY = "profile_toml:{}"


def profile_texts(sensors: Iterable[Sensor]) -> dict[str, str]:
    """Return the rows of ``meta`` that hold the profiles of ``sensors`` that are not built in."""
    kinds = {split_spec(sensor.profile)[0] for sensor in sensors}
    return {_KEY.format(p.name): p.text for p in known_profiles().values() if p.name in kinds - set(builtin_profiles())}


def profile_of(capture: Capture, sensor: Sensor) -> Profile:
    """Return the profile that decodes a sensor of a capture, as its slot chose column and rate.

    Raises
    ------
    InputError
        It is neither built in nor stored, or it has no such column or rate.
    """
    kind, column, rate_hz = split_spec(sensor.profile)
    text = capture.meta.get(_KEY.format(kind))
    if text is None or kind in builtin_profiles():
        return find_profile(sensor.profile)
    return parse_profile(text, f"{kind} in {capture.folder}").seen_as(sensor.profile, column, rate_hz)
