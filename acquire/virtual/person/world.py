"""The ground truth: one person in a room, moved by prompts, from which every virtual device computes its values."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from acquire.protocol.schedule import Prompt
from acquire.virtual import chance
from acquire.virtual.person.activation import Activation
from acquire.virtual.person.body import Body, posture
from acquire.virtual.person.figure import Look
from acquire.virtual.person.muscles import Muscles
from acquire.virtual.person.performance import Contact, ExerciseDone, Performance
from acquire.virtual.person.placement import ANTAGONIST, Placement
from dataset.muscles import CONTACT_OF_MUSCLE, PAPER_CHANNELS
from dataset.support.arrays import FloatArray, IntArray

_PERSON, _LEVELS, _BURSTS, _EVENT, _RESTS = 11, 12, 13, 14, 15
_COUNTS_MAX = 1023
# A raised cosine's half over [0, 1] has its centre here.
_HALF_COSINE_CENTRE = 0.5 - 2.0 / np.pi**2

CHANNEL_INDEX = {channel.name: i for i, channel in enumerate(PAPER_CHANNELS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Flash:
    """The box's LED and buzzer, on from ``on_ns`` to ``off_ns``."""

    on_ns: int
    off_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """Response of one channel to its contact.

    Attributes
    ----------
    lead_s : float
        How far the burst's centre lies before the contact.
    rise_s, fall_s : float
        Raised-cosine flanks; the width at half height is half their sum.
    counts : float
        Height of a mean burst.
    """

    lead_s: float
    rise_s: float
    fall_s: float
    counts: float

    def shape(self, since_contact_s: FloatArray) -> FloatArray:
        """Return the burst's course, 0-1, at times relative to its contact."""
        peak_s = -self.lead_s - _HALF_COSINE_CENTRE * (self.fall_s - self.rise_s)
        x = since_contact_s - peak_s
        x = np.clip(np.where(x < 0.0, x / self.rise_s, x / self.fall_s), -1.0, 1.0)
        return np.asarray(0.5 + 0.5 * np.cos(np.pi * x), dtype=np.float64)


class World:
    """One person in a room; the same in every process for the same seed, subject and prompts.

    Every method may be called from any thread. Times may be requested in any order, up to about now.

    Parameters
    ----------
    seed : int
        Draws everything that differs between recordings.
    subject : str
        Draws the person: body, muscles, looks, and where the sensors sit.
    missed_contacts : float
        Probability that the person does not follow a clap or stomp cue.
    dead_channels : iterable of str
        Channels whose sensor lost its electrode: rest and noise only.
    rest_counts : (float, float), optional
        Least and greatest level at rest, drawn for every sensor; by default what the person's placement gives.
    """

    def __init__(
        self,
        seed: int,
        subject: str = "S01",
        *,
        missed_contacts: float = 0.0,
        dead_channels: Iterable[str] = (),
        rest_counts: tuple[float, float] | None = None,
    ) -> None:
        self.seed = seed
        self.subject = subject
        person = np.random.default_rng([zlib.crc32(subject.encode()), _PERSON])
        self.body = Body.drawn(person)
        self.muscles = Muscles.drawn(person)
        self.look = Look.drawn(person)
        self.placement = Placement.drawn(person)
        pace = float(np.exp(person.normal(0.0, 0.07)))
        self._lock = threading.RLock()
        self._performance = Performance(seed, pace=pace, missed_contacts=missed_contacts)
        self._activation = Activation(self.body, self.muscles, self._performance)
        self._flashes: list[Flash] = []

        rng = np.random.default_rng([seed, _LEVELS])
        n = len(PAPER_CHANNELS)
        # Electrodes settle and skin gets wet: recordings of one placement differ a little.
        self._rest = np.array(self.placement.rest_counts) * np.exp(rng.normal(0.0, 0.02, n))
        if rest_counts is not None:
            self._rest = np.random.default_rng([seed, _RESTS]).uniform(*rest_counts, n)
        self._gain = 330.0 * np.array(self.placement.gain) * np.exp(rng.normal(0.0, 0.06, n))
        self._noise_counts = rng.uniform(0.8, 3.0, n)
        self._noise_share = rng.uniform(0.04, 0.09, n)
        self._wander = rng.uniform(0.5, 3.0, n)
        self._wander_hz = rng.uniform(0.01, 0.04, n)
        self.bursts = self._draw_bursts()
        self._dead = frozenset(CHANNEL_INDEX[name] for name in dead_channels)

    def _draw_bursts(self) -> tuple[Burst, ...]:
        rng = np.random.default_rng([self.seed, _BURSTS])
        of_kind = {kind: (rng.uniform(0.0, 0.120), rng.uniform(0.080, 0.220)) for kind in ("clap", "stomp")}
        bursts = []
        for i, channel in enumerate(PAPER_CHANNELS):
            lead_s, width_s = of_kind[CONTACT_OF_MUSCLE[channel.muscle]]
            lead_s = float(np.clip(lead_s + rng.normal(0.0, 0.010), 0.0, 0.120))
            width_s = float(np.clip(width_s * np.exp(rng.normal(0.0, 0.08)), 0.080, 0.220))
            rising = float(rng.uniform(0.3, 0.5))
            height = float(min(rng.uniform(170.0, 420.0), 0.55 * (_COUNTS_MAX - self._rest[i])))
            bursts.append(
                Burst(lead_s=lead_s, rise_s=2 * width_s * rising, fall_s=2 * width_s * (1 - rising), counts=height)
            )
        return tuple(bursts)

    # -- what happens ---------------------------------------------------------------------------------------------

    def prompt(self, prompt: Prompt, host_ns: int) -> None:
        """Give the person a prompt; prompts of one recording come in time order."""
        with self._lock:
            self._performance.prompt(prompt, host_ns)

    def flash(self, on_ns: int, off_ns: int) -> None:
        """Light the box's LED, with its beep, in the given span of host time."""
        with self._lock:
            self._flashes.append(Flash(on_ns=on_ns, off_ns=off_ns))

    def flashes(self) -> tuple[Flash, ...]:
        """Return all flashes so far."""
        with self._lock:
            return tuple(self._flashes)

    def contacts(self, kind: str = "") -> tuple[Contact, ...]:
        """Return all contacts so far, or those of one kind (``clap``, ``stomp``)."""
        with self._lock:
            return tuple(c for c in self._performance.contacts if kind in ("", c.kind))

    def exercises(self) -> tuple[ExerciseDone, ...]:
        """Return all exercises so far."""
        with self._lock:
            return self._performance.exercises

    # -- what can be measured -------------------------------------------------------------------------------------

    def joints(self, host_ns: int) -> FloatArray:
        """Return the body's BODY_25 joints in metres, shape (25, 3): x to the person's left, y up, z ahead."""
        joints: FloatArray = self.joints_at(np.array([host_ns], dtype=np.int64))[0]
        return joints

    def joints_at(self, host_ns: IntArray) -> FloatArray:
        """Return :meth:`joints` at several times, shape (T, 25, 3)."""
        with self._lock:
            pose = self._performance.pose(np.asarray(host_ns, dtype=np.int64))
        return posture(self.body, pose).joints

    def activation(self, channel: str, host_ns: IntArray) -> FloatArray:
        """Return how active a muscle is in exercises, shape like ``host_ns``: 0 at rest, about 1 at full effort."""
        with self._lock:
            return self._activation(CHANNEL_INDEX[channel], np.asarray(host_ns, dtype=np.int64))

    def level(self, channel: str, host_ns: IntArray) -> FloatArray:
        """Return a muscle's level in counts at host times, before averaging, noise and rounding.

        Parameters
        ----------
        channel : str
            One of ``PAPER_CHANNELS``.
        host_ns : ndarray of int64

        Returns
        -------
        ndarray, shape like ``host_ns``
        """
        i = CHANNEL_INDEX[channel]
        at_ns = np.asarray(host_ns, dtype=np.int64)
        with self._lock:
            crosstalk = self._activation(ANTAGONIST[i], at_ns) * self.placement.crosstalk[i]
            active = self._activation(i, at_ns) + crosstalk
            contacts = self._performance.contacts
        wander = self._wander[i] * np.sin(2.0 * np.pi * self._wander_hz[i] * at_ns * 1e-9 + i)
        counts = np.asarray(self._rest[i] + wander + self._gain[i] * active, dtype=np.float64)
        if i in self._dead:
            return np.asarray(self._rest[i] + wander, dtype=np.float64)
        kind, burst = CONTACT_OF_MUSCLE[PAPER_CHANNELS[i].muscle], self.bursts[i]
        for contact in contacts:
            if contact.kind == kind:
                since_s = np.asarray((at_ns - contact.host_ns) * 1e-9, dtype=np.float64)
                near = np.abs(since_s) < 0.8
                if np.any(near):
                    height, earlier_s = self._event(i, contact)
                    counts[near] += height * burst.shape(since_s[near] + earlier_s)
        return counts

    def _event(self, i: int, contact: Contact) -> tuple[float, float]:
        """Return the height of one channel's burst at one contact, in counts, and how much earlier than usual it comes.

        Effort varies by about 30 %; all muscles of one contact come early or late together.
        """
        of_channel = np.random.default_rng([self.seed, _EVENT, contact.index, i])
        of_contact = np.random.default_rng([self.seed, _EVENT, contact.index])
        height = self.bursts[i].counts * float(np.clip(np.exp(of_channel.normal(0.0, 0.30)), 0.5, 1.7))
        return height, float(np.clip(of_contact.normal(0.0, 0.006), -0.015, 0.015))

    def values(self, channel: str, start_ns: IntArray, stop_ns: IntArray) -> IntArray:
        """Return what the sensor reports for averaging intervals: mean level with noise, as a whole number 0-1023.

        Parameters
        ----------
        channel : str
        start_ns, stop_ns : ndarray of int64, shape (N,)

        Returns
        -------
        ndarray of int64, shape (N,)
        """
        start, stop = np.asarray(start_ns, dtype=np.int64), np.asarray(stop_ns, dtype=np.int64)
        i = CHANNEL_INDEX[channel]
        # Midpoints of ten equal parts.
        parts = (np.arange(10) + 0.5) / 10.0
        at_ns = start[:, None] + np.round((stop - start)[:, None] * parts).astype(np.int64)
        mean = self.level(channel, at_ns.ravel()).reshape(at_ns.shape).mean(axis=1)
        noise = chance.normal(f"{self.seed}/noise/{i}", start)
        spread = self._noise_counts[i] + self._noise_share[i] * np.maximum(mean - self._rest[i], 0.0)
        whole = np.rint(np.clip(mean + spread * noise, 0, _COUNTS_MAX))
        return np.asarray(whole, dtype=np.int64)

    def value(self, channel: str, start_ns: int, stop_ns: int) -> int:
        """Return what the sensor reports for one averaging interval."""
        return int(self.values(channel, np.array([start_ns]), np.array([stop_ns]))[0])

    def lead_s(self, channel: str) -> float | None:
        """Return how far the centres of a channel's bursts lie before their contacts, on average; None without any."""
        i = CHANNEL_INDEX[channel]
        contacts = self.contacts(CONTACT_OF_MUSCLE[PAPER_CHANNELS[i].muscle])
        if not contacts:
            return None
        return self.bursts[i].lead_s + float(np.mean([self._event(i, contact)[1] for contact in contacts]))
