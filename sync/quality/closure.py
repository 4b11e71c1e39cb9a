"""Closure of the two independent routes: flash and arrival against clap and sound.

A wrong pairing on either side opens a gap between them, since they share no constant.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sync.events.contacts import Contact, ContactKind
from sync.events.emg_responses import Response
from sync.fit.clock_map import ClockMap
from sync.fit.contact_fit import fit_contacts
from sync.fit.contact_responses import Contacts, why_unusable
from sync.fit.priors import BURST
from sync.fit.video_map import VideoMapped
from sync.recording_types import Recording, SensorRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Closure:
    """Whether the two routes agree: flash and arrival against clap and sound.

    Attributes
    ----------
    gap_s : float
        Median sensor delay by the contacts less the delay its model is expected to have.
    allowed_s : float
        Half-width of their joint 99 % interval.
    """

    gap_s: float
    allowed_s: float

    @property
    def closes(self) -> bool:
        """True where they agree."""
        return abs(self.gap_s) <= self.allowed_s


def close_routes(
    recording: Recording,
    mapped: VideoMapped | None,
    responses: Mapping[str, tuple[ContactKind, Response]],
    contacts: Mapping[ContactKind, Contacts],
    span_s: tuple[float, float],
) -> Closure | None:
    """Compare flash and arrival with clap and sound; None where one of the routes is missing.

    By the sensors' responses, or where there are none by the map that contacts and bursts alone give the sound.
    """
    if recording.video is None or mapped is None or mapped.route != "flash" or mapped.sound is None:
        return None
    by_responses = _close_by_responses(recording.sensors, responses, contacts)
    if by_responses is not None:
        return by_responses
    return _close_by_contacts(recording.video.contacts, recording.sensors, mapped.sound.line, span_s)


def _close_by_responses(
    data: Mapping[str, SensorRecord],
    responses: Mapping[str, tuple[ContactKind, Response]],
    contacts: Mapping[ContactKind, Contacts],
) -> Closure | None:
    """Compare the routes; None where no sensor answered a contact.

    Notes
    -----
    Flash and arrival put a value at its arrival less its model's delay; clap and sound put it at the contact's burst.
    The two share no constant, so a wrong pairing on either side opens a gap between them.
    """
    gaps, variances = [], []
    for name, (kind, response) in responses.items():
        if why_unusable(response):
            continue
        prior = data[name].profile.delay
        gaps.append(response.response_s - BURST[kind].value_s - prior.prior_s)
        sound = contacts[kind].ci95_s / 1.96
        variances.append(prior.prior_sd_s**2 + BURST[kind].sd_s ** 2 + sound**2 + (response.ci95_s / 1.96) ** 2)
    if not gaps:
        return None
    return Closure(gap_s=float(np.median(gaps)), allowed_s=2.576 * math.sqrt(float(np.median(variances))))


def _close_by_contacts(
    contacts: tuple[Contact, ...], data: Mapping[str, SensorRecord], sound: ClockMap, span_s: tuple[float, float]
) -> Closure | None:
    """Compare the map that contacts alone give the sound with the one it has; None where they give none.

    For a recording in which no sensor answers where it should: either nothing answers at all, or the clocks are far
    apart, and then the contacts pair with the bursts elsewhere.

    Parameters
    ----------
    sound : ClockMap
        The sound's map by the flashes.
    span_s : (float, float)
        The session, in seconds on the host clock.
    """
    _, line = fit_contacts(contacts, data)
    if line is None:
        return None
    at = sound.inverse()(np.array([0.5 * (span_s[0] + span_s[1])]))
    width = float(np.hypot(line.half_width_s(at), sound.half_width_s(at))[0])
    return Closure(gap_s=float((line(at) - sound(at))[0]), allowed_s=2.576 / 1.96 * width)
