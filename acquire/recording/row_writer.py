"""Rows of a recording: prompts, flashes, markers, pauses, triggers, the LED box's lines, health.

The recorder and ``mia-record simulate`` both use it, so that a simulated capture has the same rows as a recorded
one. Data of sensors, camera and microphone go to the :class:`~dataset.capture.writer.CaptureWriter` itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from acquire.event_log import EventLog
from acquire.ledbox.flasher import BOX_SOURCE, Flash
from acquire.protocol.schedule import Prompt
from acquire.recording.subject import LOG_ROW as SUBJECT_ROW
from dataset.capture.writer import CaptureWriter

#: Source of scheduled events.
SCHEDULE_SOURCE = "schedule"
#: Source of events from the user's keys or ``mia-record mark``.
CONTROL_SOURCE = "control"


class RowWriter:
    """Writes rows into one capture, and shows them in the event log; every method may be called from any thread.

    Parameters
    ----------
    writer : CaptureWriter
    event_log : EventLog
        Its rows go to the capture while it is attached to ``writer``.
    """

    def __init__(self, writer: CaptureWriter, event_log: EventLog) -> None:
        self.writer = writer
        self._event_log = event_log

    # -- beginning and end ----------------------------------------------------------------------------------------

    def subject(self, info: Mapping[str, str | float]) -> None:
        """Store the known facts about the person, if any."""
        if info:
            self.writer.log("info", SUBJECT_ROW, dict(info))

    def begun(self, t_ns: int, *, seed: int, duration_s: float) -> None:
        """Log that recording began."""
        self._event_log.log("info", "recording", {"seed": seed, "duration_s": round(duration_s, 3)}, t_ns=t_ns)

    def ended(self, t_ns: int) -> None:
        """Log that recording ended."""
        self._event_log.log("info", "stopped", t_ns=t_ns)

    def clock_anchor(self, host_ns: int, utc_ns: int) -> None:
        """Store one pair of host and wall time."""
        self.writer.clock_anchor(host_ns, utc_ns)

    def close(self, sensors: Mapping[str, Any], camera: Mapping[str, Any], *, disk_full: str = "") -> None:
        """Close the capture; its manifest gets the health of each channel and the picture, and why the disk ended it.

        Raises
        ------
        CaptureError
            The capture could not be written completely; committed data is kept.
        """
        health = {"sensors": dict(sensors), "camera": dict(camera)}
        self.writer.close(health | ({"disk_full": disk_full} if disk_full else {}))

    # -- events ---------------------------------------------------------------------------------------------------

    def prompt(
        self, prompt: Prompt, t_ns: int, *, requested: bool = False, detail: Mapping[str, Any] | None = None
    ) -> None:
        """Store a prompt of the schedule, or one that the person requested."""
        source = CONTROL_SOURCE if requested else SCHEDULE_SOURCE
        self.writer.event(t_ns, prompt.kind, label=prompt.label, source=source, detail=detail)
        self._event_log.show(prompt.kind, prompt.label, t_ns=t_ns)

    def flash(self, flash: Flash | None, source: str, *, requested: bool = False) -> None:
        """Store a flash; None: log that ``source`` did not flash."""
        if flash is None:
            self._event_log.log("warning", "no flash was made", {"source": source})
            return
        detail = {**flash.detail, **({"asked": True} if requested else {})}
        self.writer.event(flash.t_ns, "flash", uncertainty_ns=flash.uncertainty_ns, source=source, detail=detail)
        self._event_log.show("flash", t_ns=flash.t_ns)

    def marker(self, t_ns: int, command: str, label: str, text: str) -> None:
        """Store and log a user's marker: ``text`` is its text."""
        self.writer.event(t_ns, "marker", label=text, source=CONTROL_SOURCE, detail={"asked": command})
        self._event_log.log("info", command, {"label": label}, t_ns=t_ns)

    def pause_begun(self, t_ns: int) -> None:
        """Store and log the beginning of a pause."""
        self.writer.event(t_ns, "pause_start", source=CONTROL_SOURCE)
        self._event_log.log("info", "paused", t_ns=t_ns)

    def pause_ended(self, t_ns: int, *, cut_short: bool = False) -> None:
        """Store the end of a pause, and log it unless the recording ended within it (``cut_short``)."""
        detail = {"cut_short": True} if cut_short else None
        self.writer.event(t_ns, "pause_stop", source=CONTROL_SOURCE, detail=detail)
        if not cut_short:
            self._event_log.log("info", "resumed", t_ns=t_ns)

    # -- the LED box ----------------------------------------------------------------------------------------------

    def trigger(self, t_ns: int, uncertainty_ns: int) -> None:
        """Store a rising edge of the box's input."""
        self.writer.event(t_ns, "trigger", uncertainty_ns=uncertainty_ns, source=BOX_SOURCE)
        self._event_log.show("trigger", t_ns=t_ns)

    def box_line(self, arrival_ns: int, line: bytes) -> None:
        """Store a line that the box sent: its banner, a reply to a ping or a flash, a trigger."""
        self.writer.serial_line(BOX_SOURCE, arrival_ns, line)
