"""Video map without flashes: contacts in the sound matched with sEMG bursts, known up to the sensors' own delay."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from scipy import signal

from dataset.support.arrays import FloatArray
from sync.events.contacts import Contact, ContactKind
from sync.events.emg_responses import measure_responses
from sync.events.perievent import level_of
from sync.fit.clock_map import ClockMap
from sync.fit.contact_responses import levels_of_limb
from sync.fit.match import Pairing, match_events
from sync.fit.priors import AV_SKEW, BURST
from sync.recording_types import CONTACT_KINDS, SensorRecord
from sync.robust import mad_sd

_STEP_S = 0.02
#: Bursts in a 10 Hz level are located to about one sampling interval.
_TOLERANCE_S = 0.09
_RATE_SD = 50e-6


def fit_contacts(contacts: tuple[Contact, ...], data: Mapping[str, SensorRecord]) -> tuple[Pairing, ClockMap | None]:
    """Match contacts with sEMG bursts; return the pairing and the video's map, None where the pairing was refused.

    Parameters
    ----------
    contacts : tuple of Contact
        On the file's clock.
    data : mapping of str to SensorRecord
        On the host's clock.

    Notes
    -----
    Under the map, the median response of the sensors equals the prior delay of their model plus the prior of the
    burst. The error of those priors is one constant, and is included in the interval.
    """
    best: tuple[Pairing, ContactKind, FloatArray] | None = None
    for kind in CONTACT_KINDS:
        heard = np.array([c.time_s for c in contacts if c.kind == kind])
        limb = {n: d for n, d in data.items() if d.responds_to(kind)}
        bursts = _bursts(limb)
        pairing = match_events(bursts, heard, tolerance_s=_TOLERANCE_S)
        if best is None or (pairing.accepted, pairing.n_matched) > (best[0].accepted, best[0].n_matched):
            best = (pairing, kind, bursts)
    if best is None or not best[0].accepted:
        refused = best[0] if best else Pairing(accepted=False, reason="no clap or stomp was detected")
        return refused, None
    pairing, kind, bursts = best
    heard = np.array([c.time_s for c in contacts if c.kind == kind])[pairing.pairs[:, 1]]
    bursts = bursts[pairing.pairs[:, 0]]
    middle = float(heard.mean())
    x = heard - middle
    ridge = (_TOLERANCE_S / 3) ** 2 / _RATE_SD**2
    rate = float(np.sum(x * (bursts - heard))) / (float(np.sum(x**2)) + ridge)
    offset = float(np.median(bursts - heard - rate * x)) - rate * middle
    # Bursts were located by their values' arrivals; fitting burst templates is much more precise.
    responses = measure_responses(ClockMap(offset_s=offset, rate=rate)(heard), levels_of_limb(data, kind))
    late = [
        r.response_s - data[n].profile.delay.prior_s - BURST[kind].value_s
        for n, r in responses.items()
        if math.isfinite(r.response_s)
    ]
    if late:
        offset += float(np.median(late))
    else:
        offset -= float(np.median([d.profile.delay.prior_s for d in data.values()])) + BURST[kind].value_s
    delay_sd = max(d.profile.delay.prior_sd_s for d in data.values())
    sd = math.sqrt(delay_sd**2 + BURST[kind].sd_s ** 2 + AV_SKEW.sd_s**2)
    rate_sd = 1.0 / math.sqrt(float(np.sum(x**2)) / (_TOLERANCE_S / 3) ** 2 + 1.0 / _RATE_SD**2)
    return pairing, ClockMap.independent(
        offset_s=offset, rate=rate, reference_s=middle, offset_sd_s=sd, rate_sd=rate_sd
    )


def without_rate(line: ClockMap) -> ClockMap:
    """Return the map as known before contacts measured its rate, for a fit that uses the responses itself."""
    height_s = float(line(line.reference_s))
    return ClockMap.independent(
        offset_s=height_s - line.reference_s,
        rate=0.0,
        reference_s=line.reference_s,
        offset_sd_s=line.offset_sd_s,
        rate_sd=_RATE_SD,
    )


def _bursts(data: Mapping[str, SensorRecord]) -> FloatArray:
    """Return the times at which the sensors of a limb rise together."""
    levels = [level_of(*d.level) for d in data.values() if len(d.samples.value) > 20]
    if not levels:
        return np.zeros(0)
    start, stop = min(t[0] for t, _ in levels), max(t[-1] for t, _ in levels)
    grid = np.arange(start, stop, _STEP_S)
    pooled = np.zeros(len(grid))
    for t, y in levels:
        spread = mad_sd(y) + 1e-9
        pooled += np.clip(np.interp(grid, t, (y - np.median(y)) / spread), -3.0, 30.0)
    pooled /= len(levels)
    peaks, _ = signal.find_peaks(pooled, prominence=2.0, distance=round(0.4 / _STEP_S))
    return np.asarray(grid[peaks], dtype=np.float64)
