"""Advice for each verdict: the cause, derived from the stream's stored numbers, and one sentence on what to do.

A verdict's reason states what was found and what was expected; the advice states the one thing to do. Causes are
derived from the numbers stored with the verdict, never from the wording of its reason.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from dataset.session.types import StreamSync
from sync.fit.match import MIN_MARGIN, MIN_MATCH_RATE, MIN_MATCHES
from sync.quality import gates
from sync.quality.gates import Verdict
from sync.quality.sensor_entry import MIN_DELIVERED, RATE_TOLERANCE
from sync.quality.stream_alignment import DelaySource, SensorConstants, VideoConstants

#: Names of the streams that are not sensors.
VIDEO, SOUND = "video", "sound"


class Cause(StrEnum):
    """Why a stream, or a session, did not pass."""

    NO_VIDEO = "no video"
    NO_OVERLAP = "no overlap in time"
    ROUTES_DISAGREE = "methods disagree"
    FLASHES_MISDATED = "wrong flash times"
    NO_FLASH_LOG = "no flash log"
    FEW_FLASHES_SENT = "few flashes sent"
    FEW_FLASHES_SEEN = "few flashes detected"
    FLASHES_DO_NOT_FIT = "flashes do not fit"
    AMBIGUOUS = "ambiguous pairing"
    CHANCE = "pairing may be chance"
    CONTACTS_ONLY = "aligned by contacts only"
    TERMINAL_FLASHES = "terminal flashes"
    SCATTERED = "large residuals"
    TOO_WIDE = "interval too wide"
    WIDTH_UNKNOWN = "interval unknown"
    NO_BEEP = "no beep"
    NO_CONTACT = "no contact detected"
    FEW_ANSWERS = "few responses"
    AMBIGUOUS_ANSWERS = "ambiguous responses"
    LOST_VALUES = "values lost"
    CONSTANT_VALUE = "value never changes"
    RATE = "unexpected rate"
    VIDEO_FIRST = "video not aligned"


ADVICE: Mapping[Cause, str] = {
    Cause.NO_VIDEO: "Give the video of this recording with --video.",
    Cause.NO_OVERLAP: "Check that the video belongs to this recording, and that the flash times are on the sensors' "
    "clock.",
    Cause.ROUTES_DISAGREE: "Check that video, flash log and sensors belong to one recording, and that their times are "
    "in seconds on one clock.",
    Cause.FLASHES_MISDATED: "Compare the flash log's clock with the recorder's; an LED box must be synchronised before "
    "its flashes are used.",
    Cause.NO_FLASH_LOG: "Give the times at which the flashes were sent (import files --flashes), or record again with "
    "an LED box.",
    Cause.FEW_FLASHES_SENT: "Record again with at least five flashes at the start and five at the end, unevenly "
    "spaced.",
    Cause.FEW_FLASHES_SEEN: "Record again with the LED box in the picture, near the camera and out of bright light.",
    Cause.FLASHES_DO_NOT_FIT: "Check that the flash log belongs to this video; if it does, record again without other "
    "changing lights.",
    Cause.AMBIGUOUS: "Record again with flashes at uneven intervals, at the start and at the end.",
    Cause.CHANCE: "Record again with more flashes, at least five at the start and five at the end.",
    Cause.CONTACTS_ONLY: "Put an LED box in the picture next time: its flashes align the video within milliseconds.",
    Cause.TERMINAL_FLASHES: "Use an LED box instead of terminal flashes next time.",
    Cause.SCATTERED: "Look at the events with the largest residuals below, and check the camera for dropped frames.",
    Cause.TOO_WIDE: "Record more events next time, both at the start and at the end of the recording.",
    Cause.WIDTH_UNKNOWN: "Record at least three events both at the start and at the end of the recording.",
    Cause.NO_BEEP: "Place the LED box where the microphone can pick up its beeps next time.",
    Cause.NO_CONTACT: "Record sound, and clap and stomp hard, at least six times each, near the microphone.",
    Cause.FEW_ANSWERS: "Check the electrode's contact and position, and clap or stomp harder, at least six times, with "
    "rests between.",
    Cause.AMBIGUOUS_ANSWERS: "Clap or stomp at uneven intervals, and relax the muscle between them.",
    Cause.LOST_VALUES: "Move the sensor closer to the receiver, charge it, and record again.",
    Cause.CONSTANT_VALUE: "Check the electrode and the sensor's cable, and record again.",
    Cause.RATE: "Check that the sensor's profile matches its model and firmware.",
    Cause.VIDEO_FIRST: "Align the video first: without it the times of claps and stomps are unknown.",
}

#: Causes that mean nothing for a sensor while the times of the contacts are unknown.
_FROM_CONTACTS = (Cause.NO_CONTACT, Cause.FEW_ANSWERS, Cause.AMBIGUOUS_ANSWERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """A stream's cause and the one thing to do; both empty where the stream passes."""

    cause: Cause | None = None

    @property
    def text(self) -> str:
        """One sentence; empty where there is nothing to do."""
        return ADVICE[self.cause] if self.cause is not None else ""


def advise(
    streams: Mapping[str, StreamSync],
    *,
    closes: bool = True,
    overlaps: bool = True,
    nominal_hz: Mapping[str, float] | None = None,
) -> dict[str, Advice]:
    """Return the advice for every stream, and for ``video`` even where there is no video.

    Parameters
    ----------
    streams : mapping of str to StreamSync
    closes : bool
        The two methods of alignment agree, or only one exists.
    overlaps : bool
        Video and sensors overlap in time.
    nominal_hz : mapping of str to float, optional
        Rate stated by each channel's sensor profile; 0 where it states none.
    """
    advice: dict[str, Advice] = {}
    if VIDEO not in streams:
        advice[VIDEO] = Advice(cause=Cause.NO_VIDEO)
    for name, stream in streams.items():
        if stream.verdict == Verdict.PASS:
            cause = None
        elif name == VIDEO:
            cause = _video(stream, closes=closes, overlaps=overlaps)
        elif name == SOUND:
            cause = Cause.NO_BEEP if stream.method != "beeps" else Cause.TOO_WIDE
        else:
            cause = _behind_video(_sensor(stream, (nominal_hz or {}).get(name, 0.0)), streams.get(VIDEO))
        advice[name] = Advice(cause=cause)
    return advice


def _video(stream: StreamSync, *, closes: bool, overlaps: bool) -> Cause:
    if stream.verdict == Verdict.FAIL and stream.method != "assumed":
        if not overlaps:
            return Cause.NO_OVERLAP
        return Cause.FLASHES_MISDATED if closes else Cause.ROUTES_DISAGREE
    if stream.method == "assumed":
        return _unpaired(stream)
    if stream.method == "contacts":
        return Cause.CONTACTS_ONLY
    if not math.isfinite(stream.error_ci95_s):
        return Cause.WIDTH_UNKNOWN
    if stream.error_ci95_s > gates.VIDEO_GATE_S[0]:
        return Cause.TOO_WIDE
    return Cause.TERMINAL_FLASHES if VideoConstants.read(stream.constants).flash_source.is_terminal else Cause.SCATTERED


def _unpaired(stream: StreamSync) -> Cause:
    """Return why no pairing of the flashes was accepted, checked in the order of the gates."""
    if stream.n_reference == 0:
        return Cause.NO_FLASH_LOG
    if stream.n_reference < MIN_MATCHES:
        return Cause.FEW_FLASHES_SENT
    if stream.n_target < MIN_MATCHES:
        return Cause.FEW_FLASHES_SEEN
    if len(stream.matches) < MIN_MATCHES or stream.match_rate < MIN_MATCH_RATE:
        return Cause.FLASHES_DO_NOT_FIT
    return Cause.AMBIGUOUS if stream.ambiguity_margin < MIN_MARGIN else Cause.CHANCE


def _sensor(stream: StreamSync, nominal_hz: float) -> Cause:
    constants = SensorConstants.read(stream.constants)
    rate_hz, delivered = constants.rate_hz, constants.delivered
    if stream.verdict == Verdict.FAIL:
        # Too few values to measure a rate count as lost: no other cause can be derived from them.
        lost = not math.isfinite(rate_hz) or not delivered >= MIN_DELIVERED
        return Cause.LOST_VALUES if lost else Cause.CONSTANT_VALUE
    if nominal_hz > 0 and abs(rate_hz / nominal_hz - 1.0) > RATE_TOLERANCE:
        return Cause.RATE
    if constants.delay_source is not DelaySource.MEASURED:
        return _unanswered(stream)
    judged_s = stream.error_ci95_s if constants.film_ci95_s is None else constants.film_ci95_s
    if not math.isfinite(judged_s):
        return Cause.WIDTH_UNKNOWN
    return Cause.TOO_WIDE if judged_s > gates.sensor_gate_s(rate_hz)[0] else Cause.SCATTERED


def _behind_video(cause: Cause, video: StreamSync | None) -> Cause:
    """Return the video's cause in place of a sensor's, where the sensor's problem follows from the video's."""
    if cause in _FROM_CONTACTS and (video is None or video.verdict == Verdict.FAIL):
        return Cause.VIDEO_FIRST
    return cause


def _unanswered(stream: StreamSync) -> Cause:
    if stream.n_target == 0:
        return Cause.NO_CONTACT
    # Only a fitted response has a margin: there were enough responses, but they fit at another time as well.
    return Cause.AMBIGUOUS_ANSWERS if 0.0 < stream.ambiguity_margin < MIN_MARGIN else Cause.FEW_ANSWERS
