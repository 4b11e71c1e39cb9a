"""Chance test of the contacts' offset from the sensors: cross-correlation of contacts with sEMG bursts at every offset.

Contacts that are selected because sensors respond to them cannot show that they are at the right offset: among many
contacts some coincide with bursts at any. Here all detected contacts count, selected or not, and the scores at the
delays that a response can have, and at all other offsets, are compared with those of surrogate contacts, whose
intervals are shuffled and scaled at random.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage, stats

from dataset.support.arrays import BoolArray, FloatArray
from sync.events.contacts import ContactKind
from sync.events.perievent import level_of
from sync.recording_types import SensorRecord
from sync.robust import mad_sd


@dataclass(frozen=True, slots=True, kw_only=True)
class OffsetSettings:
    """Settings of the chance test.

    Attributes
    ----------
    step_s : float
        Grid of the correlation: a fraction of a burst.
    burst_s, baseline_s : float
        A burst is the mean level over the first, minus the mean over the second around it: exercises last longer.
    delays_s : (float, float)
        Delays from a contact that a response can have: sensors are late by up to half a second, bursts may lead.
    ceiling : float
        Bursts count up to so many standard deviations, so that no single one decides.
    least_contacts : int
        Fewer contacts prove nothing.
    least_overlap : float
        Offsets at which a smaller share of the contacts falls into the sensors' data are not compared.
    n_surrogates : int
        Surrogate trains of contacts.
    scaled : (float, float)
        Range of the factor on each interval of a surrogate.
    supported_chance, contradicted_chance : float
        Largest probability of chance at which responses at the expected delays, and at another offset, are real. The
        first is what nearly every recording has; the second refuses one.
    clearly : float
        Another offset contradicts only if its score is larger by this factor: even intervals between contacts give
        every multiple of the interval a score.
    """

    step_s: float = 0.02
    burst_s: float = 0.3
    baseline_s: float = 1.5
    delays_s: tuple[float, float] = (-0.25, 0.65)
    ceiling: float = 6.0
    least_contacts: int = 3
    least_overlap: float = 0.6
    n_surrogates: int = 40
    scaled: tuple[float, float] = (0.6, 1.4)
    supported_chance: float = 0.005
    contradicted_chance: float = 0.001
    clearly: float = 1.25


SETTINGS = OffsetSettings()
_FEW_VALUES = 20
_SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactOffset:
    """The sensors' bursts after contacts, at the expected delays and at any other offset, against chance.

    Attributes
    ----------
    expected, elsewhere : float
        Largest score at a delay that a response can have, and at any other offset.
    expected_chance, elsewhere_chance : float
        Probability that surrogate contacts score as much at the expected delays, and at any offset.
    elsewhere_s : float
        Offset of the latter.
    """

    expected: float
    expected_chance: float
    elsewhere: float
    elsewhere_chance: float
    elsewhere_s: float

    def supported(self, settings: OffsetSettings = SETTINGS) -> bool:
        """Return whether the sensors respond at the expected delays, and not by chance."""
        clearly_elsewhere = self.elsewhere > settings.clearly * self.expected
        return not clearly_elsewhere and self.expected_chance <= settings.supported_chance

    def contradicted(self, settings: OffsetSettings = SETTINGS) -> bool:
        """Return whether the sensors respond to the contacts at another offset."""
        clearly = self.elsewhere > settings.clearly * self.expected
        return clearly and self.elsewhere_chance <= settings.contradicted_chance


def locate_responses(
    contact_s: Mapping[ContactKind, FloatArray],
    data: Mapping[str, SensorRecord],
    settings: OffsetSettings = SETTINGS,
) -> ContactOffset | None:
    """Return the scores at the expected delays and elsewhere; None where no live sensor could respond to a contact.

    The scores of claps and of stomps are added: both are at one offset.

    Parameters
    ----------
    contact_s : mapping of ContactKind to ndarray
        Host times of all detected contacts of each kind.
    data : mapping by channel
    """
    kinds = {k: np.sort(at_s) for k, at_s in contact_s.items() if len(at_s) >= settings.least_contacts}
    able = {k: [d for d in data.values() if d.responds_to(k) and _is_live(d)] for k in kinds}
    live = [d for limb in able.values() for d in limb]
    if not live:
        return None
    start_s = min(float(d.clock.time_s[0]) for d in live)
    n = 1 + int((max(float(d.clock.time_s[-1]) for d in live) - start_s) / settings.step_s)
    grid = np.asarray(start_s + settings.step_s * np.arange(n), dtype=np.float64)
    bursts = {k: _pooled_bursts(grid, limb, settings) for k, limb in able.items() if limb}
    trains = {k: kinds[k] for k in bursts}
    score, usable = _score(trains, bursts, start_s, settings)
    offset_s = settings.step_s * (np.arange(len(score)) - n)
    expected = usable & (offset_s >= settings.delays_s[0]) & (offset_s <= settings.delays_s[1])
    if not np.any(expected) or not np.any(usable & ~expected):
        return None
    inside, outside = np.where(expected, score, -np.inf), np.where(usable & ~expected, score, -np.inf)
    rng = np.random.default_rng(_SEED)
    windows, largest = list[FloatArray](), list[float]()
    width = int(np.count_nonzero((offset_s >= settings.delays_s[0]) & (offset_s <= settings.delays_s[1])))
    for _ in range(settings.n_surrogates):
        made = {k: _surrogate(at_s, settings, rng) for k, at_s in trains.items()}
        scored, counted = _score(made, bursts, start_s, settings)
        null = scored[counted]
        if len(null) > width:
            whole = null[: len(null) // width * width].reshape(-1, width)
            windows.append(whole.max(axis=1))
            largest.append(float(null.max()))
    if not largest:
        return None
    return ContactOffset(
        expected=float(inside.max()),
        expected_chance=_tail(np.concatenate(windows), float(inside.max())),
        elsewhere=float(outside.max()),
        elsewhere_chance=_tail(np.array(largest), float(outside.max())),
        elsewhere_s=float(offset_s[int(np.argmax(outside))]),
    )


def _is_live(d: SensorRecord) -> bool:
    return len(d.samples.value) > _FEW_VALUES and d.varies


def _tail(null: FloatArray, score: float) -> float:
    """Return the probability that chance scores at least as much, by a Gumbel distribution of the maxima."""
    location, scale = stats.gumbel_r.fit(null)
    return float(stats.gumbel_r.sf(score, location, max(float(scale), 1e-9)))


def _surrogate(at_s: FloatArray, settings: OffsetSettings, rng: np.random.Generator) -> FloatArray:
    """Return contacts with the intervals of others, in another order and of other lengths."""
    steps = rng.permutation(np.diff(at_s)) * rng.uniform(*settings.scaled, len(at_s) - 1)
    return np.asarray(at_s[0] + np.concatenate([[0.0], np.cumsum(steps)]))


def _score(
    trains: Mapping[ContactKind, FloatArray],
    bursts: Mapping[ContactKind, FloatArray],
    start_s: float,
    settings: OffsetSettings,
) -> tuple[FloatArray, BoolArray]:
    """Return the sum of bursts after contacts over the root of their number, and where enough contacts overlap.

    Element ``k`` belongs to the offset ``(k - n) * step_s``, n being the length of the grid.
    """
    n = len(next(iter(bursts.values())))
    size = fft.next_fast_len(4 * n, real=True)
    total, overlap, n_contacts = np.zeros(2 * n), np.zeros(2 * n), 0
    for kind, at_s in trains.items():
        rows = np.round((at_s - start_s) / settings.step_s).astype(np.int64)
        # Further away no offset that is compared brings them into the grid.
        rows = rows[(rows > -n) & (rows < 2 * n)]
        train = np.zeros(size)
        np.add.at(train, rows % size, 1.0)
        spectrum = np.conj(fft.rfft(train))
        for values, into in ((bursts[kind], total), (np.ones(n), overlap)):
            moved = fft.irfft(fft.rfft(values, size) * spectrum, size)
            into += np.concatenate([moved[-n:], moved[:n]])
        n_contacts += len(at_s)
    usable = overlap >= settings.least_overlap * n_contacts
    return total / np.sqrt(np.maximum(overlap, 1.0)), usable


def _pooled_bursts(grid: FloatArray, limb: list[SensorRecord], settings: OffsetSettings) -> FloatArray:
    """Return the mean over a limb's sensors of their bursts, in robust standard deviations."""
    bursts = np.zeros(len(grid))
    short, long = (max(1, round(w / settings.step_s)) for w in (settings.burst_s, settings.baseline_s))
    for d in limb:  # one at a time: hours of fast sensors take gigabytes
        t, y = level_of(*d.level)
        level = np.interp(grid, t, y)
        risen = ndimage.uniform_filter1d(level, short) - ndimage.uniform_filter1d(level, long)
        risen = np.clip(risen / max(mad_sd(risen), 1e-9), -settings.ceiling, settings.ceiling)
        bursts += np.where((grid < t[0]) | (grid > t[-1]), 0.0, risen) / len(limb)
    return bursts
