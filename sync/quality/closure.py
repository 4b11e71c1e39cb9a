"""Closure: comparison of the two independent methods of alignment, flashes with arrivals and claps with sound.

They share no constant, so a wrong pairing in either one makes them differ.
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
from sync.fit.contact_offset import ContactOffset
from sync.fit.contact_responses import Contacts, why_unusable
from sync.fit.priors import BURST
from sync.fit.video_map import VideoMapped
from sync.recording_types import Recording, SensorRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Closure:
    """Difference between the two methods, flashes with arrivals and claps with sound, and its limit.

    Attributes
    ----------
    gap_s : float
        Median sensor delay measured by the contacts minus the delay expected of its model.
    allowed_s : float
        Limit: half-width of their joint 99 % interval.
    """

    gap_s: float
    allowed_s: float

    @property
    def closes(self) -> bool:
        """Whether the difference is within its limit."""
        return abs(self.gap_s) <= self.allowed_s


def close_routes(
    recording: Recording,
    mapped: VideoMapped | None,
    responses: Mapping[str, tuple[ContactKind, Response]],
    contacts: Mapping[ContactKind, Contacts],
    offset: ContactOffset | None,
    span_s: tuple[float, float],
) -> Closure | None:
    """Compare flashes and arrivals with claps and sound; None where one of the two methods is missing.

    First by all detected contacts, at every offset: where sensors respond to them at another offset than the flashes
    give, the methods disagree. Then by the sensors' responses or, without any, by the sound's map from contacts and
    bursts alone.
    """
    if recording.video is None or mapped is None or mapped.route != "flash" or mapped.sound is None:
        return None
    if offset is not None and offset.contradicted():
        return _close_by_offset(recording.sensors, offset)
    by_responses = _close_by_responses(recording.sensors, responses, contacts)
    if by_responses is not None:
        return by_responses
    return _close_by_contacts(recording.video.contacts, recording.sensors, mapped.sound.line, span_s)


def _close_by_offset(data: Mapping[str, SensorRecord], offset: ContactOffset) -> Closure:
    """Compare the offset at which sensors respond to contacts with the response expected of the usual sensor."""
    priors = [d.profile.delay for d in data.values()]
    burst = BURST[ContactKind.CLAP]
    expected_s = float(np.median([prior.prior_s for prior in priors])) + burst.value_s
    sd_s = math.hypot(float(np.median([prior.prior_sd_s for prior in priors])), burst.sd_s)
    return Closure(gap_s=offset.elsewhere_s - expected_s, allowed_s=2.576 * sd_s)


def _close_by_responses(
    data: Mapping[str, SensorRecord],
    responses: Mapping[str, tuple[ContactKind, Response]],
    contacts: Mapping[ContactKind, Contacts],
) -> Closure | None:
    """Compare the two methods by the sensors' responses; None where no sensor responded to a contact.

    Notes
    -----
    Flashes and arrivals date a value at its arrival minus its model's delay; claps and sound date it at the contact's
    burst. The two share no constant, so a wrong pairing in either one makes them differ.
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
    """Compare the sound's map with the one from contacts and bursts alone; None where those give no map.

    For a recording in which no sensor responds at the expected time: either there are no responses at all, or the
    clocks are far apart, and then the contacts match the bursts at another offset.

    Parameters
    ----------
    sound : ClockMap
        The sound's map from the flashes.
    span_s : (float, float)
        Start and end of the session in seconds on the host clock.
    """
    _, line = fit_contacts(contacts, data)
    if line is None:
        return None
    at = sound.inverse()(np.array([0.5 * (span_s[0] + span_s[1])]))
    width = float(np.hypot(line.half_width_s(at), sound.half_width_s(at))[0])
    return Closure(gap_s=float((line(at) - sound(at))[0]), allowed_s=2.576 / 1.96 * width)
