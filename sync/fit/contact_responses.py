"""Sensors' responses to claps and stomps: measured, compared between sensors of a model, and accepted or refused."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from dataset.support.arrays import FloatArray, IntArray
from dataset.support.on_demand import OnDemand
from sync.events.contacts import ContactKind
from sync.events.emg_responses import MIN_RESPONSES, Response, measure_responses
from sync.fit.joint import JointFit, ResponseLatencies
from sync.fit.match import MIN_MARGIN, MIN_MATCH_RATE
from sync.fit.priors import BURST
from sync.recording_types import CONTACT_KINDS, SensorRecord

#: Responses this many standard deviations of the model's delay from those of at least this many sensors of the same
#: model are taken for a wrong pairing.
_OUTLYING_SD, _SIBLINGS = 3.0, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Contacts:
    """Contacts of one kind on the host clock.

    Attributes
    ----------
    host_s : ndarray, shape (E,)
        Time of each contact.
    pts_s : ndarray, shape (E,)
        Its sound on the file's clock.
    index : ndarray of int64, shape (E,)
        Its number among all detected sounds.
    ci95_s : float
        Half-width of their common error: that of the sound's map.
    n_made : int
        Estimated number of contacts made: those cued, or those detected where these are more.
    """

    host_s: FloatArray
    pts_s: FloatArray
    index: IntArray
    ci95_s: float
    n_made: int = 0

    def refined(self, joint: JointFit) -> Contacts:
        """Return the contacts at their times under the final maps."""
        if joint.sound is None:
            return self
        width_s = float(joint.sound.half_width_s(self.pts_s).max())
        return replace(self, host_s=joint.sound(self.pts_s) - joint.acoustic_s, ci95_s=width_s)


def measure_limbs(
    data: Mapping[str, SensorRecord],
    contacts: Mapping[ContactKind, Contacts],
    detected: Mapping[ContactKind, FloatArray] | None = None,
) -> dict[str, tuple[ContactKind, Response]]:
    """Return for each channel the kind of contact it responds to, and its response by template matching.

    Arms respond to claps and legs to stomps; channels elsewhere are tried with both. Responses that a sensor of the
    model cannot have are marked as outliers.

    Parameters
    ----------
    data : mapping by channel
    contacts : mapping by kind
        The selected contacts.
    detected : mapping by kind, optional
        Times of all detected contacts, of which those that no sensor responds to are not selected.
    """
    results: dict[str, tuple[ContactKind, Response]] = {}
    for kind, heard in contacts.items():
        limb = levels_of_limb(data, kind)
        for name, response in measure_responses(heard.host_s, limb).items():
            if name not in results or response.contrast > results[name][1].contrast:
                results[name] = (kind, response)
    for name, d in data.items():
        if name not in results:
            own = [kind for kind in CONTACT_KINDS if d.responds_to(kind)]
            results[name] = (own[0], Response(disowned=_why_none(own, detected or {})))
    return reject_outliers(data, results)


def _why_none(own: list[ContactKind], detected: Mapping[ContactKind, FloatArray]) -> str:
    """Return why no contact was selected for a sensor that responds to some kinds; empty where none was detected."""
    if any(kind in detected for kind in own):
        names = " and ".join(f"{kind}s" for kind in own if kind in detected)
        return f"sensors respond to the detected {names} no more than chance gives"
    others = " and ".join(f"{kind}s" for kind in detected)
    return f"only {others} were detected, and it responds to {' and '.join(f'{k}s' for k in own)}" if others else ""


def levels_of_limb(data: Mapping[str, SensorRecord], kind: ContactKind) -> Mapping[str, tuple[FloatArray, FloatArray]]:
    """Return de-jittered arrivals and values of the sensors that may respond to a kind of contact, read on demand."""
    limb = [n for n, d in data.items() if d.responds_to(kind) and len(d.samples.value)]
    return OnDemand(limb, lambda name: data[name].level)


def trusted_answers(
    data: Mapping[str, SensorRecord],
    responses: Mapping[str, tuple[ContactKind, Response]],
    contacts: Mapping[ContactKind, Contacts],
) -> dict[str, ResponseLatencies]:
    """Return the response latencies for the joint fit: those of each sensor whose response was accepted."""
    answers: dict[str, ResponseLatencies] = {}
    for name, (kind, response) in responses.items():
        if why_unusable(response) or kind not in contacts:
            continue
        heard, epochs = contacts[kind], [e for e in data[name].clock.epochs if len(e.time_s)]
        starts = np.array([e.time_s[0] for e in epochs])
        at = heard.host_s[response.contact] + response.latency_s
        answers[name] = ResponseLatencies(
            pts_s=heard.pts_s[response.contact],
            event=np.asarray(heard.index[response.contact]),
            latency_s=response.latency_s,
            epoch=np.clip(np.searchsorted(starts, at, side="right") - 1, 0, len(epochs) - 1).astype(np.int64),
            n_epochs=len(epochs),
            response_s=response.response_s,
            each_sd_s=response.each_sd_s,
            n_made=heard.n_made,
        )
    return answers


def reject_outliers(
    data: Mapping[str, SensorRecord], responses: Mapping[str, tuple[ContactKind, Response]]
) -> dict[str, tuple[ContactKind, Response]]:
    """Mark responses that differ too much from those of the same model on the same limb, or from the model's prior.

    Matching responses with the wrong contacts gives an error of the time between contacts, but small residuals.
    """
    groups: dict[tuple[ContactKind, str], list[str]] = {}
    for name, (kind, response) in responses.items():
        if not why_unusable(response):
            groups.setdefault((kind, data[name].profile.kind), []).append(name)
    result = dict(responses)
    for (kind, _), names in groups.items():
        alone = len(names) < _SIBLINGS
        for name in names:
            response, prior = responses[name][1], data[name].profile.delay
            usual = (
                BURST[kind].value_s + prior.prior_s
                if alone
                else float(np.median([responses[n][1].response_s for n in names]))
            )
            allowed = _OUTLYING_SD * math.hypot(prior.prior_sd_s, BURST[kind].sd_s if alone else 0.0)
            off = response.response_s - usual
            if abs(off) > allowed:
                beside = "the delay expected of its model" if alone else "those of similar sensors"
                why = f"its responses differ by {1e3 * off:+.0f} ms from {beside} (limit {1e3 * allowed:.0f} ms)"
                result[name] = (kind, replace(response, disowned=why))
    return result


def why_unusable(response: Response) -> str:
    """Return why a response cannot be used; empty where it can."""
    if response.disowned:
        return response.disowned
    if response.n_contacts == 0:
        return f"no clap or stomp occurred while its values arrived ({MIN_RESPONSES} are needed)"
    if len(response.latency_s) < MIN_RESPONSES or not math.isfinite(response.response_s):
        return (
            f"it responded to {len(response.latency_s)} of {response.n_contacts} contacts ({MIN_RESPONSES} are needed)"
        )
    rate = len(response.latency_s) / response.n_contacts
    if rate < MIN_MATCH_RATE:
        return f"it responded to only {len(response.latency_s)} of {response.n_contacts} contacts (half are needed)"
    if response.ambiguity_margin < MIN_MARGIN:
        return (
            "its responses match the contacts nearly as well at another offset (margin "
            f"{response.ambiguity_margin:.2f}, {MIN_MARGIN:.2f} is needed)"
        )
    return ""
