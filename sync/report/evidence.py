"""Gathering what a report shows of each contact and each sensor."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.ndimage import maximum_filter1d

from dataset.media.sound import Sound
from sync.events.contacts import Contact, ContactKind
from sync.events.emg_responses import Response
from sync.events.perievent import AFTER_S, BEFORE_S
from sync.fit.contact_responses import Contacts
from sync.recording_types import SensorRecord
from sync.result import ContactEvidence, SensorEvidence

_SOUND_BEFORE_S, _SOUND_AFTER_S, _SOUND_STEP_S = 0.15, 0.25, 0.001


def contact_evidence(sound: Sound, contact: Contact, kind: ContactKind, time_s: float) -> ContactEvidence:
    """Return the sound's envelope about one contact."""
    start = max(0, round((contact.time_s - _SOUND_BEFORE_S - sound.start_s) * sound.rate_hz))
    stop = round((contact.time_s + _SOUND_AFTER_S - sound.start_s) * sound.rate_hz)
    step = max(1, round(_SOUND_STEP_S * sound.rate_hz))
    piece = np.abs(np.asarray(sound.samples[start:stop], dtype=np.float64))
    envelope = maximum_filter1d(piece, step)[::step] if len(piece) else piece
    at = sound.start_s + (start + step * np.arange(len(envelope))) / sound.rate_hz - contact.time_s
    return ContactEvidence(
        kind=kind,
        time_s=time_s,
        pts_s=contact.time_s,
        uncertainty_s=contact.uncertainty_s,
        sound_time_s=at,
        sound=envelope,
    )


def sensor_evidence(
    d: SensorRecord, kind: ContactKind, response: Response, heard: Mapping[ContactKind, Contacts]
) -> SensorEvidence:
    """Return one sensor's arrivals, and its values about each contact it might answer."""
    times, values = [], []
    for at in heard[kind].host_s if kind in heard else ():
        first = np.searchsorted(d.clock.time_s, at - BEFORE_S)
        stop = np.searchsorted(d.clock.time_s, at + AFTER_S, side="right")
        times.append(d.clock.time_s[first:stop] - at)
        values.append(d.samples.value[first:stop].copy())
    return SensorEvidence(
        arrival_s=d.arrival_s,
        lateness_s=d.clock.lateness_s,
        gaps_s=d.clock.gaps_s,
        rate_hz=d.rate_hz,
        rate_ci95_ppm=d.clock.rate_ci95_ppm,
        nominal_hz=d.profile.stream.rate_hz,
        n_lost=d.clock.n_lost,
        n_malformed=d.samples.n_malformed + d.samples.n_corrupt,
        n_out_of_range=d.samples.n_out_of_range,
        contact=kind,
        response_time_s=tuple(times),
        response=tuple(values),
        answered=response.contact,
        latency_s=response.latency_s,
    )
