"""One recording from hardware to capture: open, wait until every sensor streams, play the schedule, close."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acquire.camera import Camera, CameraStatus
from acquire.cues import Cue, cue_at
from acquire.flasher import Flasher
from acquire.hardware import Hardware
from acquire.journal import Journal, JournalRow
from acquire.ledbox import SOURCE as BOX_SOURCE
from acquire.ledbox import LedBox
from acquire.microphone import Microphone, SoundStatus
from acquire.muxer import Muxer, frames_that_may_wait, open_encoder
from acquire.player import SchedulePlayer
from acquire.protocol import Protocol
from acquire.schedule import build_schedule
from acquire.sensors.hub import SensorHub, SensorStatus
from dataset import clock
from dataset.capture_schema import VIDEO
from dataset.capture_writer import CaptureWriter, check_subject, new_capture_folder
from dataset.errors import CaptureError, HardwareError, MiaError

READY_TIMEOUT_S = 60.0
#: What the alignment pays.
_WITHOUT_SOUND = "claps and stomps cannot be heard in the video, so no sensor's own delay can be measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything a screen shows, at one moment.

    Attributes
    ----------
    phase : str
        ``closed``, ``opening``, ``waiting`` (for sensors), ``ready``, ``recording``, ``closing``, ``done``, ``failed``.
    cue : Cue or None
        What the person is asked to do; None outside a recording.
    """

    phase: str
    rig: str
    subject: str
    folder: Path | None
    elapsed_s: float
    remaining_s: float
    cue: Cue | None
    sensors: tuple[SensorStatus, ...]
    camera: CameraStatus | None
    sound: SoundStatus | None
    box: bool
    rows: tuple[JournalRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What a recording left.

    Attributes
    ----------
    folder : Path
        The closed capture.
    counts : dict
        Rows of each table.
    frames_dropped : int
        Frames that the encoder could not keep up with.
    health : dict
        Each channel's, as in the manifest.
    """

    folder: Path
    subject: str
    seed: int
    duration_s: float
    counts: dict[str, int]
    frames_dropped: int
    health: dict[str, Any]
    notes: tuple[str, ...]


class Recorder:
    """One recording; a second one takes a new recorder and newly opened hardware.

    Parameters
    ----------
    hardware : Hardware
    protocol : Protocol
    protocol_toml, rig_toml : str
        Stored in the capture.
    out : Path
        Captures go to ``out/sub-<subject>/ses-<STAMP>``.
    subject : str
    seed : int
        Of the irregular sync sequences; stored in the capture.
    duration_s : float, optional
        Shortens or stretches the exercises.
    """

    def __init__(
        self,
        hardware: Hardware,
        protocol: Protocol,
        *,
        out: Path,
        subject: str,
        seed: int,
        protocol_toml: str = "",
        rig_toml: str = "",
        duration_s: float | None = None,
    ) -> None:
        self.subject = check_subject(subject)
        self.seed = seed
        self.schedule = build_schedule(protocol, seed, duration_s)
        self.journal = Journal()
        self.notes: list[str] = []
        self.finished = threading.Event()
        #: Flashes where there is no LED box; a screen puts its terminal here before :meth:`open`.
        self.flasher: Flasher | None = None
        self._hardware = hardware
        self._out = out
        self._protocol_toml, self._rig_toml = protocol_toml, rig_toml
        self._hub = SensorHub(hardware, self.journal)
        self._camera: Camera | None = None
        self._microphone: Microphone | None = None
        self._box: LedBox | None = None
        self._muxer: Muxer | None = None
        self._writer: CaptureWriter | None = None
        self._player = SchedulePlayer(self.schedule, hardware, self.journal, finished=self.finished, watch=self._watch)
        self._phase = "closed"
        self._began_ns = 0
        self._ended_ns = 0
        self._closing = threading.Lock()
        if duration_s is not None and abs(self.schedule.duration_s - duration_s) > 1.0:
            self._note(
                f"{self.schedule.duration_s:.0f} s instead of {duration_s:g} s: both sync sequences are always given"
            )

    # -- life ---------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Open everything and begin to stream; nothing is stored yet.

        Raises
        ------
        HardwareError
            A thing that the rig names does not open.
        """
        with self._closing:  # a screen may be left while the rig opens: closing waits
            if self._phase == "closed":
                self._open()

    def _open(self) -> None:
        self._phase = "opening"
        self.journal.log("info", "opening", {"rig": self._hardware.name})
        self._hub.start()
        source = self._hardware.open_camera()
        if source is None:
            self._note("no camera: give a video to mia-sync run with --video")
        else:
            self._camera = Camera(source, self._hardware.open_camera, self.journal)
        self._open_sound()
        port = self._hardware.box_port()
        if port is None and self.flasher is not None:
            self._note(
                f"no LED box: the {self.flasher.source} flashes, whose light comes later by an unknown time; "
                "the alignment is a WARNING at best"
            )
        elif port is None:
            self._note("no LED box: no flash ties the video to the clock; claps and stomps alone give WARNING at best")
        else:
            self._box = LedBox(port, self.journal, on_trigger=self._on_trigger)
        self._phase = "waiting"

    def _open_sound(self) -> None:
        if cues := self._hardware.open_cues():
            self._note(cues)
        try:
            sound = self._hardware.open_sound()
        except MiaError as error:
            self._note(f"no sound ({error}): {_WITHOUT_SOUND}")
            return
        if sound is None:
            self._note(f"no microphone: {_WITHOUT_SOUND}")
        elif self._camera is None:
            self._note("sound is stored in the video only: without a camera it is not recorded")
        else:
            self._microphone = Microphone(sound, self.journal)

    def _note(self, text: str) -> None:
        self.notes.append(text)
        self.journal.log("warning", text)

    def missing(self) -> tuple[SensorStatus, ...]:
        """Return the slots that do not stream, and find out whether the recording may begin."""
        missing = tuple(s for s in self._hub.statuses() if s.state != "streaming" or s.health.value is None)
        if self._phase in ("waiting", "ready"):
            self._phase = "waiting" if missing else "ready"
        return missing

    def wait_ready(
        self,
        timeout_s: float = READY_TIMEOUT_S,
        *,
        stop: threading.Event | None = None,
        on_progress: Callable[[Snapshot], None] | None = None,
    ) -> bool:
        """Wait until every sensor streams; False where ``stop`` was set meanwhile.

        Raises
        ------
        HardwareError
            It took too long; the message names the slots.
        """
        deadline = time.monotonic() + timeout_s
        while (missing := self.missing()) or (stop is not None and stop.is_set()):
            if stop is not None and stop.wait(0.1):
                return False
            if stop is None:
                time.sleep(0.1)
            if on_progress is not None:
                on_progress(self.snapshot())
            if time.monotonic() > deadline:
                names = ", ".join(f"slot {s.sensor.slot} {s.sensor.channel} ({s.state})" for s in missing)
                raise HardwareError(
                    f"{len(missing)} of {len(self._hub.sensors)} sensors do not stream after {timeout_s:g} s",
                    names,
                    "switch them on, close any phone app that holds them, or take them out of the rig file",
                )
        return True

    def start(self) -> Path:
        """Create the capture and begin to record; returns its folder."""
        folder = new_capture_folder(self._out, self.subject)
        writer = CaptureWriter(
            folder,
            subject=self.subject,
            sensors=self._hub.sensors,
            sync_seed=self.seed,
            rig_toml=self._rig_toml,
            protocol_toml=self._protocol_toml,
        )
        self._writer = writer
        writer.clock_anchor(*clock.anchor())
        self.journal.attach(writer)
        self._hub.attach(writer)
        if self._camera is not None:
            camera, microphone = self._camera, self._microphone
            self._muxer = Muxer(
                open_encoder(
                    folder / VIDEO,
                    width=camera.width,
                    height=camera.height,
                    nominal_hz=camera.nominal_hz,
                    sound_rate_hz=microphone.rate_hz if microphone else None,
                    turn=camera.turn,
                ),
                writer,
                self.journal,
                max_waiting_frames=frames_that_may_wait(camera.width, camera.height),
            )
            if microphone is not None:
                microphone.attach(self._muxer, writer)
            camera.attach(self._muxer)
        if self._box is not None:
            self._box.attach(writer)
        self._began_ns = clock.now_ns()
        self._phase = "recording"
        self.journal.log("info", "recording", {"seed": self.seed, "duration_s": round(self.schedule.duration_s, 3)})
        self._player.start(writer, self._began_ns, self._box or self.flasher)
        return folder

    def stop(self) -> None:
        """Ask the recording to end; :meth:`close` ends it."""
        self.finished.set()

    def close(self) -> Recording | None:
        """End the recording, close the capture and release the hardware.

        Returns
        -------
        Recording or None
            None where nothing was recorded.

        Raises
        ------
        CaptureError
            The capture could not be written to its end (a full disk, say); what was committed is kept.
        """
        with self._closing:
            if self._phase in ("done", "failed"):
                return None
            recorded = self._phase == "recording"
            self._phase = "closing"
            self.finished.set()
            try:
                recording = self._close(recorded)
            except BaseException:
                self._phase = "failed"
                raise
            self._phase = "done"
            return recording

    def _close(self, recorded: bool) -> Recording | None:
        writer, folder = self._writer, self._writer.folder if self._writer else None
        health: dict[str, Any] = {}
        with contextlib.ExitStack() as last_to_first:  # every step runs, also where one of them fails
            last_to_first.push(lambda _kind, error, _trace: self._finish(folder, error))
            if writer is not None:
                last_to_first.callback(lambda: writer.close({"sensors": health, "camera": self._camera_health()}))
                last_to_first.callback(self.journal.detach)
            last_to_first.callback(self._hub.stop)
            if self._muxer is not None:
                last_to_first.callback(self._muxer.close)
            if self._camera is not None:
                last_to_first.callback(self._camera.close)
            if self._microphone is not None:
                last_to_first.callback(self._microphone.close)
            if self._box is not None:
                last_to_first.callback(self._box.close)
            if recorded and writer is not None:
                self._end_of_rows(writer)
                health.update(self._hub.health(self._ended_ns))
        if not recorded or writer is None:
            return None
        return Recording(
            folder=writer.folder,
            subject=self.subject,
            seed=self.seed,
            duration_s=(self._ended_ns - self._began_ns) * 1e-9,
            counts=dict(writer.counts),
            frames_dropped=self._muxer.n_dropped if self._muxer else 0,
            health=health,
            notes=tuple(self.notes),
        )

    def _finish(self, folder: Path | None, error: BaseException | None) -> None:
        try:
            self._hardware.finish(folder)
        except (MiaError, OSError):
            if error is None:  # the first error is the one to tell
                raise

    def _end_of_rows(self, writer: CaptureWriter) -> None:
        self._player.stop(writer)
        if self._player.failure is not None:
            self._note(f"the recording ended early: its schedule broke off ({self._player.failure!r})")
        if self._camera is not None:
            self._camera.detach()
        if self._microphone is not None:
            self._microphone.detach()
        self._ended_ns = self._hub.detach()
        writer.clock_anchor(*clock.anchor())
        self.journal.log("info", "stopped")

    def _camera_health(self) -> dict[str, Any]:
        if self._muxer is None or self._camera is None:
            return {}
        return {**self._muxer.health(), **self._camera.health()}

    def _watch(self) -> None:
        """Look after microphone and disk; called by the player now and then."""
        if self._microphone is not None:
            self._microphone.watch()
        if self._writer is not None and self._writer.failure is not None:
            self.journal.log("error", "the capture cannot be written", {"error": str(self._writer.failure)})
            self.finished.set()

    def _on_trigger(self, t_ns: int, uncertainty_ns: int) -> None:
        if self._writer is not None and self._phase == "recording":
            self._writer.event(t_ns, "trigger", uncertainty_ns=uncertainty_ns, source=BOX_SOURCE)

    # -- for a screen ---------------------------------------------------------------------------------------------

    def elapsed_s(self) -> float:
        """Return the seconds since the recording began, 0 before."""
        return (clock.now_ns() - self._began_ns) * 1e-9 if self._began_ns else 0.0

    def snapshot(self) -> Snapshot:
        """Return everything a screen shows, now; cheap enough for ten times a second."""
        recording = self._phase == "recording"
        elapsed_s = self.elapsed_s() if recording else (self._ended_ns - self._began_ns) * 1e-9 if self._ended_ns else 0
        return Snapshot(
            phase=self._phase,
            rig=self._hardware.name,
            subject=self.subject,
            folder=self._writer.folder if self._writer else None,
            elapsed_s=elapsed_s,
            remaining_s=max(0.0, self.schedule.duration_s - elapsed_s),
            cue=cue_at(self.schedule, elapsed_s) if recording else None,
            sensors=self._hub.statuses(),
            camera=self._camera.status() if self._camera else None,
            sound=self._microphone.status() if self._microphone else None,
            box=self._box is not None and not self._box.failure,
            rows=self.journal.recent(20),
        )


def record(
    hardware: Hardware,
    protocol: Protocol,
    *,
    out: Path,
    subject: str,
    seed: int,
    protocol_toml: str = "",
    rig_toml: str = "",
    duration_s: float | None = None,
    stop: threading.Event | None = None,
    on_progress: Callable[[Snapshot], None] | None = None,
    ready_timeout_s: float = READY_TIMEOUT_S,
) -> Recording | None:
    """Make one recording without a screen.

    Parameters
    ----------
    stop : threading.Event, optional
        Set it to end the recording early, cleanly.
    on_progress : callable, optional
        Called ten times a second with a snapshot.

    Returns
    -------
    Recording or None
        None where ``stop`` was set before every sensor streamed.

    Raises
    ------
    HardwareError
        Something does not open, or not every sensor streams in time; no capture is left.
    CaptureError
        Writing failed; what was committed is kept.
    """
    recorder = Recorder(
        hardware,
        protocol,
        out=out,
        subject=subject,
        seed=seed,
        protocol_toml=protocol_toml,
        rig_toml=rig_toml,
        duration_s=duration_s,
    )
    stop = stop or threading.Event()
    try:
        recorder.open()
        if recorder.wait_ready(ready_timeout_s, stop=stop, on_progress=on_progress):
            recorder.start()
            while not recorder.finished.wait(0.1) and not stop.is_set():
                if on_progress is not None:
                    on_progress(recorder.snapshot())
    except BaseException:
        with contextlib.suppress(MiaError):  # the first error is the one to tell
            recorder.close()
        raise
    recording = recorder.close()
    if recording is not None and not recording.counts.get("notification"):
        raise CaptureError(f"{recording.folder} holds no notification", "no sensor was heard", "see its log")
    return recording
