"""Result of a synchronisation: the session, its verdict, and the evidence shown in the report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from dataset.session.types import Session, StreamSync
from dataset.support.arrays import FloatArray, IntArray
from sync.events.contacts import ContactKind
from sync.quality.advice import Advice, advise
from sync.quality.gates import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactEvidence:
    """One contact: its time, and the sound around it.

    Attributes
    ----------
    kind : ContactKind
    time_s : float
        Session time of its sound.
    pts_s : float
        Presentation time of its sound in the file.
    uncertainty_s : float
        Half-width of the onset stated by the detector.
    sound_time_s, sound : ndarray, shape (K,)
        Seconds after the contact, and the sound's envelope (0 to 1).
    """

    kind: ContactKind
    time_s: float
    pts_s: float
    sound_time_s: FloatArray
    sound: FloatArray
    uncertainty_s: float = math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorEvidence:
    """One sensor's arrivals and responses.

    Attributes
    ----------
    arrival_s, lateness_s : ndarray, shape (N,)
        Arrival (session seconds) and lateness relative to the sensor's own clock.
    gaps_s : ndarray, shape (G, 2)
    rate_hz, rate_ci95_ppm : float
    nominal_hz : float
        Rate stated by its profile; 0 if it states none.
    n_lost, n_malformed, n_out_of_range : int
    contact : ContactKind
        Kind of contact it responds to.
    response_time_s, response : tuple of ndarray
        For each contact of that kind: seconds after its sound (in de-jittered arrival time), and the values.
    answered : ndarray of int64
        Indices of the contacts it responded to.
    latency_s : ndarray
        Latency of each of these responses.
    """

    arrival_s: FloatArray
    lateness_s: FloatArray
    gaps_s: FloatArray
    rate_hz: float
    rate_ci95_ppm: float
    nominal_hz: float
    n_lost: int
    n_malformed: int
    n_out_of_range: int
    contact: ContactKind
    response_time_s: tuple[FloatArray, ...]
    response: tuple[FloatArray, ...]
    answered: IntArray
    latency_s: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything the report shows in addition to the session. Times are session seconds; empty without a video.

    Attributes
    ----------
    frame_time_s, brightness : ndarray, shape (F,)
        Session time and mean luma (0-255) of every frame.
    flash_detected_s : ndarray, shape (D,)
        Flashes found in the video.
    flash_detected_frame : ndarray of int64, shape (D,)
        First lit frame of each.
    flash_host_s : ndarray, shape (N,)
        Onset of the flashes' light according to the host.
    flash_pairs : ndarray of int64, shape (M, 2)
        Index of the host's flash and of the detected one.
    flash_lit_s, flash_lit : tuple of ndarray, shapes (K,) and (K, B)
        For each detected flash: session times of the frames around its onset, and the lit share of each band of rows,
        0 to 1, NaN where the flash is not visible; empty if unknown.
    contacts : tuple of ContactEvidence
    sensors : mapping of channel to SensorEvidence
    readout_s, exposure_s : float
        The camera's shutter estimated from the flashes; NaN if not measured.
    closure_s, closure_allowed_s : float
        Difference between the two methods of alignment and its limit; NaN if only one exists.
    """

    frame_time_s: FloatArray
    brightness: FloatArray
    flash_detected_s: FloatArray
    flash_detected_frame: IntArray
    flash_host_s: FloatArray
    flash_pairs: IntArray
    contacts: tuple[ContactEvidence, ...]
    sensors: Mapping[str, SensorEvidence]
    readout_s: float = math.nan
    exposure_s: float = math.nan
    closure_s: float = math.nan
    closure_allowed_s: float = math.nan
    flash_lit_s: tuple[FloatArray, ...] = ()
    flash_lit: tuple[FloatArray, ...] = ()

    @property
    def overlaps(self) -> bool:
        """Whether video and sensors overlap in time, or one of them is missing."""
        arrivals = [s.arrival_s for s in self.sensors.values() if len(s.arrival_s)]
        if not len(self.frame_time_s) or not arrivals:
            return True
        start_s, stop_s = min(a[0] for a in arrivals), max(a[-1] for a in arrivals)
        return bool(self.frame_time_s[0] < stop_s and self.frame_time_s[-1] > start_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncResult:
    """Result of synchronising one capture.

    Attributes
    ----------
    capture : Path
        The capture's folder.
    session : Session
        Built in memory even if the verdict is FAIL and nothing was written.
    session_path : Path or None
        The file written; None if the session was refused.
    report_path : Path
    video_path : Path or None
    """

    capture: Path
    session: Session
    session_path: Path | None
    report_path: Path
    video_path: Path | None
    verdict: Verdict
    reasons: tuple[str, ...]
    streams: Mapping[str, StreamSync]
    evidence: Evidence

    @property
    def exit_code(self) -> int:
        """3 if the session is refused, else 0."""
        return 3 if self.session_path is None else 0

    @property
    def advice(self) -> dict[str, Advice]:
        """Advice for each stream; ``video`` is included even without a video."""
        gap_s, allowed_s = self.evidence.closure_s, self.evidence.closure_allowed_s
        return advise(
            self.streams,
            closes=not abs(gap_s) > allowed_s,
            overlaps=self.evidence.overlaps,
            nominal_hz={name: s.nominal_hz for name, s in self.evidence.sensors.items()},
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the object that ``mia-sync run --json`` prints for this capture."""
        return {
            "capture": str(self.capture),
            "session": str(self.session_path) if self.session_path else None,
            "report": str(self.report_path),
            "subject": self.session.subject,
            "zero_host_ns": self.session.zero_host_ns,
            "video": self.session.video.file if self.session.video else None,
            "verdict": str(self.verdict),
            "reasons": list(self.reasons),
            "exit_code": self.exit_code,
            "error": None,
            "streams": {name: stream_dict(sync) for name, sync in self.streams.items()},
            "advice": {n: {"cause": str(a.cause), "text": a.text} for n, a in self.advice.items() if a.cause},
        }


def stream_dict(sync: StreamSync) -> dict[str, Any]:
    """Return the attributes of one ``/sync`` group; those that do not apply are None."""
    plain = {f.name: getattr(sync, f.name) for f in fields(sync)}
    attributes = {k: v for k, v in plain.items() if isinstance(v, str | int | float)}
    attributes.update(sync.constants)
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in attributes.items()}
