"""``profile check``: validates a profile file and decodes a recorded capture with it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dataset.capture.reader import Capture
from dataset.sensors.decode import decode
from dataset.sensors.profile import Profile, load_profile, split_spec
from dataset.support.errors import InputError

#: A measured rate that differs from the declared one by more than this is reported.
_RATE_OFF = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """One slot of a capture, decoded with the profile.

    Attributes
    ----------
    n_notifications : int
        Of the profile's stream, and of ``n_other`` other characteristics.
    n_samples, n_malformed, n_corrupt, n_out_of_range : int
    n_missing : int or None
        By the sensor's counter; None if it has none. The loss of whole counter cycles does not show in it.
    rate_hz : float or None
        Samples a second, measured.
    low, high : float or None
        Of the slot's column.
    problems : tuple of str
    """

    slot: int
    channel: str
    recorded_as: str
    n_notifications: int
    n_other: int
    n_samples: int
    n_malformed: int
    n_corrupt: int
    n_out_of_range: int
    n_missing: int | None
    rate_hz: float | None
    low: float | None
    high: float | None
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileCheck:
    """A valid profile, and what was decoded with it."""

    profile: Profile
    replays: tuple[Replay, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """All problems, over all slots."""
        return tuple(f"{r.channel}: {p}" for r in self.replays for p in r.problems)

    def as_dict(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        return {
            "profile": self.profile.model_dump(mode="json", exclude_defaults=True),
            "replays": [asdict(r) for r in self.replays],
            "problems": list(self.problems),
        }


def check_profile(path: Path, capture: Path | None = None, slot: int | None = None) -> ProfileCheck:
    """Validate a profile file and, if a capture is given, decode its payloads with it.

    Parameters
    ----------
    path : Path
    capture : Path, optional
    slot : int, optional
        Only this slot; by default every slot recorded under the profile's name, else every one with rows of its
        characteristics.

    Raises
    ------
    InputError
        The file is invalid, or the capture has no rows of such a sensor.
    """
    profile = load_profile(path)
    if capture is None:
        return ProfileCheck(profile=profile, replays=())
    with Capture.open(capture) as opened:
        wanted = set(profile.stream.characteristics)
        sensors = [s for s in opened.sensors if slot in (None, s.slot)]
        named = [s for s in sensors if s.profile.kind == profile.name]
        replays = []
        for sensor in named or sensors:
            rows = opened.notifications(sensor.slot)
            if wanted.isdisjoint(rows.characteristic) and not named and slot is None:
                continue
            kind, column, rate_hz = split_spec(sensor.profile.name)
            seen = profile.seen_as(sensor.profile.name, column, rate_hz) if kind == profile.name else profile
            replays.append(_replay(seen, sensor.slot, sensor.channel, sensor.profile.name, rows))
    if not replays:
        raise InputError(
            f"{capture} has no rows of a {profile.name}",
            f"no slot has rows of {', '.join(profile.stream.characteristics)}",
            "choose the slot to decode with --slot",
        )
    return ProfileCheck(profile=profile, replays=tuple(replays))


def _replay(profile: Profile, slot: int, channel: str, recorded_as: str, rows: Any) -> Replay:
    samples = decode(profile, rows)
    ours = np.fromiter((c in profile.stream.characteristics for c in rows.characteristic), bool, len(rows.payload))
    n = len(samples.value)
    rates, missing = [], 0
    for epoch in np.unique(samples.epoch):
        at = samples.arrival_ns[samples.epoch == epoch]
        span_s = float(at[-1] - at[0]) * 1e-9
        if span_s > 0:
            rates.append((len(at) - np.sum(at == at[0])) / span_s)
        if samples.counter is not None:
            steps = np.diff(samples.counter[samples.epoch == epoch])
            steps = np.mod(steps, samples.counter_modulo) if samples.counter_modulo else steps
            missing += int(np.sum(np.maximum(steps - 1, 0)))
    rate_hz = float(np.median(rates)) if rates else math.nan
    declared = profile.stream.rate_hz
    problems = []
    if n == 0:
        problems.append("no payload can be read: wrong characteristic, size or format")
    elif samples.n_malformed + samples.n_corrupt > 0.01 * n:
        problems.append(f"{samples.n_malformed} payloads are malformed and {samples.n_corrupt} frames corrupt")
    if n and samples.n_out_of_range > 0.01 * n:
        problems.append(f"{samples.n_out_of_range} of {n} values are out of range")
    if declared and rates and abs((rate_hz * (1 + missing / max(n, 1))) / declared - 1) > _RATE_OFF:
        problems.append(f"{rate_hz:.2f} samples/s received, the profile states {declared:g}")
    return Replay(
        slot=slot,
        channel=channel,
        recorded_as=recorded_as,
        n_notifications=int(ours.sum()),
        n_other=int((~ours).sum()),
        n_samples=n,
        n_malformed=samples.n_malformed,
        n_corrupt=samples.n_corrupt,
        n_out_of_range=samples.n_out_of_range,
        n_missing=missing if samples.counter is not None else None,
        rate_hz=rate_hz if rates else None,
        low=float(samples.value.min()) if n else None,
        high=float(samples.value.max()) if n else None,
        problems=tuple(problems),
    )


def profile_text(check: ProfileCheck) -> str:
    """Format a profile and what was decoded with it as text."""
    p = check.profile
    stream = p.stream
    layout = stream.format or f"{len(stream.fields)} fields in {stream.frame_bytes} bytes"
    lines = [
        f"{p.name}: {p.title} ({p.source})",
        f"  {', '.join(stream.characteristics)}",
        f"  {layout}, {stream.n_columns or 'any number of'} columns, "
        f"{stream.samples or 'any number of'} samples a notification, {stream.rate_hz or 'unknown':g} Hz"
        if stream.rate_hz
        else f"  {layout}, {stream.n_columns or 'any number of'} columns, rate unknown",
        f"  counter: {stream.counter.where if stream.counter else 'none'}, "
        f"check sum: {'yes' if stream.crc else 'none'}, device time: {'yes' if stream.device_time else 'none'}, "
        f"start commands: {len(p.start)}",
    ]
    for r in check.replays:
        rate = f"{r.rate_hz:.2f}/s" if r.rate_hz is not None else "no rate"
        missing = "" if r.n_missing is None else f", {r.n_missing} missing by the counter"
        span = "" if r.low is None else f", {r.low:g} to {r.high:g}"
        lines.append(
            f"  slot {r.slot} {r.channel}: {r.n_samples} samples of {r.n_notifications} notifications, {rate}{span}, "
            f"{r.n_malformed} malformed, {r.n_corrupt} corrupt{missing}"
        )
    lines += [f"problem: {p}" for p in check.problems]
    return "\n".join(lines)
