"""One recording from hardware to capture: open, wait until every sensor streams, play the schedule, close."""

from __future__ import annotations

import atexit
import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acquire.bluetooth.status import SensorStatus
from acquire.event_log import EventLog
from acquire.hardware import Hardware
from acquire.ledbox.flasher import Flasher
from acquire.protocol.schedule import build_schedule
from acquire.recording.assignment_procedure import Assigning
from acquire.recording.control_socket import ControlServer
from acquire.recording.devices import Streams
from acquire.recording.phase import ENDED, OPEN, Phase, PhaseMachine
from acquire.recording.row_writer import RowWriter
from acquire.recording.schedule_thread import ScheduleThread
from acquire.recording.status import status_dict
from acquire.recording.storage_watch import StorageWatch
from acquire.recording.take import Recording, Snapshot, Take
from dataset.capture.types import Sensor
from dataset.capture.writer import CaptureHeader, CaptureWriter, check_subject, new_capture_folder
from dataset.support import clock
from dataset.support.errors import CaptureError, HardwareError, InputError, MiaError
from dataset.support.outputs import cannot_write
from dataset.support.text import clean_text

READY_TIMEOUT_S = 60.0


class Recorder:
    """Makes one recording; another one needs a new recorder and newly opened hardware.

    Parameters
    ----------
    hardware : Hardware
    take : Take
    """

    def __init__(self, hardware: Hardware, take: Take) -> None:
        self.take = take
        self.subject = check_subject(take.subject)
        channels = tuple(s.channel for s in hardware.sensors) if take.calibrate else ()
        self.schedule = build_schedule(take.protocol, take.seed, take.duration_s, calibrate=channels)
        self.event_log = EventLog()
        self.notes: list[str] = []
        self.finished = threading.Event()
        #: Source of flashes without an LED box; a screen sets its terminal here before :meth:`open`.
        self.flasher: Flasher | None = None
        self._hardware = hardware
        if take.sensors:
            hardware.sensors = take.sensors
        self._streams = Streams(hardware, self.event_log, self._note)
        self._rows: RowWriter | None = None
        self._storage = StorageWatch(take.out, self.event_log, self.finished)
        self._player = ScheduleThread(
            self.schedule, hardware, self.event_log, finished=self.finished, watch=self._watch
        )
        #: Assigns sensors to muscles by flexing; between opening and starting.
        self.assigning = Assigning(self._streams.manager, hardware, self.event_log, self._before_recording)
        self._control = ControlServer(
            {"status": lambda _: self.status(), "mark": lambda request: self.mark(str(request.get("text", "")))}
        )
        self._phase = PhaseMachine()
        self._began_ns = 0
        self._ended_ns = 0
        self._closing = threading.Lock()
        if take.duration_s is not None and abs(self.schedule.duration_s - take.duration_s) > 1.0:
            self._note(
                f"{self.schedule.duration_s:.0f} s instead of {take.duration_s:g} s: "
                "both sync sequences are always given"
            )

    # -- life ---------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Open all devices and start streaming; nothing is stored yet.

        Raises
        ------
        HardwareError
            A device of the rig does not open.
        DiskFullError
            Less than one minute fits on the disk.
        """
        with self._closing:  # a screen may be closed while the rig opens: closing waits
            if self._phase.now is Phase.CLOSED:
                self._open()

    def _open(self) -> None:
        self._phase.go(Phase.OPENING)
        self.event_log.log("info", "opening", {"rig": self._hardware.name})
        try:
            self._control.start()
        except (OSError, MiaError) as error:  # a recording does not need the socket
            self.event_log.log("warning", "control socket not available", {"error": str(error)})
        self._streams.open(self._on_trigger, self.flasher)
        disk = self._storage.check(self._streams.expected_bytes_per_s())
        if disk.minutes_left * 60 < self.schedule.duration_s:
            self._note(f"the disk may not last: {disk.words} of {self.schedule.duration_s / 60:.1f}")
        self._phase.go(Phase.WAITING)

    def _note(self, text: str) -> None:
        text = clean_text(text)
        self.notes.append(text)
        self.event_log.log("warning", text)

    def missing(self) -> tuple[SensorStatus, ...]:
        """Return the slots that do not stream, and update whether the recording may start."""
        missing = tuple(s for s in self._streams.manager.statuses() if s.state != "streaming" or s.health.value is None)
        self._phase.set_ready(not missing)
        return missing

    def wait_ready(
        self,
        timeout_s: float = READY_TIMEOUT_S,
        *,
        stop: threading.Event | None = None,
        on_progress: Callable[[Snapshot], None] | None = None,
    ) -> bool:
        """Wait until every sensor streams; False if ``stop`` was set meanwhile.

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
                    f"{len(missing)} of {len(self.sensors)} sensors do not stream after {timeout_s:g} s",
                    names,
                    "switch them on, disconnect them from any phone app, or take them out of the rig file",
                )
        return True

    def start(self) -> Path:
        """Create the capture and start recording; return its folder.

        Raises
        ------
        DiskFullError
            Less than one minute fits on the disk now.
        CaptureError, OutputExistsError
            The capture cannot be created.
        """
        self._phase.check(Phase.RECORDING)
        take, streams = self.take, self._streams
        self._storage.check(streams.expected_bytes_per_s())
        folder = new_capture_folder(take.out, self.subject)
        writer = CaptureWriter(
            folder,
            subject=self.subject,
            sensors=streams.manager.sensors,
            sync_seed=take.seed,
            header=CaptureHeader(rig_toml=take.rig_toml, protocol_toml=take.protocol_toml, setup_id=take.setup_id),
        )
        self._storage.begin(folder, streams.expected_bytes_per_s())
        self._rows = rows = RowWriter(writer, self.event_log)
        rows.clock_anchor(*clock.anchor())
        rows.subject(take.subject_info)
        streams.attach(rows)
        self._began_ns = clock.now_ns()
        rows.begun(self._began_ns, seed=take.seed, duration_s=self.schedule.duration_s)
        self._player.start(rows, self._began_ns, streams.box or self.flasher)
        self._phase.go(Phase.RECORDING)
        atexit.register(self._close_at_exit)  # the caller may crash, or forget to close
        return folder

    def _close_at_exit(self) -> None:
        with contextlib.suppress(MiaError):  # the error cannot be shown any more; committed data is kept
            self.close()

    def stop(self) -> None:
        """Request the end of the recording; :meth:`close` ends it."""
        self.finished.set()

    def close(self) -> Recording | None:
        """End the recording, close the capture and release the hardware.

        Returns
        -------
        Recording or None
            None if nothing was recorded.

        Raises
        ------
        CaptureError
            The capture could not be written completely (a full disk, say); committed data is kept.
        """
        with self._closing:
            if self._phase.now in ENDED:
                return None
            recorded = self._phase.now is Phase.RECORDING
            self._phase.go(Phase.CLOSING)
            self.finished.set()
            try:
                recording = self._close(recorded)
            except BaseException:
                self._phase.go(Phase.FAILED)
                raise
            finally:
                self._control.close()
                atexit.unregister(self._close_at_exit)
            self._phase.go(Phase.DONE)
            return recording

    def _close(self, recorded: bool) -> Recording | None:
        rows = self._rows
        writer = rows.writer if rows else None
        folder = writer.folder if writer else None
        health: dict[str, Any] = {}
        with contextlib.ExitStack() as last_to_first:  # every step runs, even if one fails
            last_to_first.push(lambda _kind, error, _trace: self._finish(folder, error))
            if rows is not None:
                camera = self._streams.camera_health
                last_to_first.callback(lambda: rows.close(health, camera(), disk_full=self._storage.disk_full))
                last_to_first.callback(self.event_log.detach)
            self._streams.closing(last_to_first)
            if recorded and rows is not None:
                self._end_of_rows(rows)
                health.update(self._streams.manager.health(self._ended_ns))
        if not recorded or writer is None:
            return None
        self.notes.extend(self._storage.end(writer))
        muxer = self._streams.muxer
        return Recording(
            folder=writer.folder,
            subject=self.subject,
            seed=self.take.seed,
            duration_s=(self._ended_ns - self._began_ns) * 1e-9,
            counts=dict(writer.counts),
            frames_dropped=muxer.n_dropped if muxer else 0,
            health=health,
            notes=tuple(self.notes),
            disk_full=self._storage.disk_full,
        )

    def _finish(self, folder: Path | None, error: BaseException | None) -> None:
        try:
            self._hardware.finish(folder)
        except MiaError:
            if error is None:  # the first error is the one to report
                raise
        except OSError as failure:
            if error is None:
                raise cannot_write(folder or self.take.out, failure) from failure

    def _end_of_rows(self, rows: RowWriter) -> None:
        self._player.stop(rows)
        if self._player.failure is not None:
            self._note(f"the recording ended early: its schedule broke off ({self._player.failure!r})")
        self._ended_ns = self._streams.detach()
        rows.clock_anchor(*clock.anchor())
        rows.ended(self._ended_ns)

    def _watch(self) -> None:
        """Check microphone, disk and capture; called about twice a second while recording."""
        if self._streams.microphone is not None:
            self._streams.microphone.watch()
        if self._rows is not None:
            muxer = self._streams.muxer
            self._storage.look(self._rows.writer, muxer.failure if muxer is not None else None)

    def _on_trigger(self, t_ns: int, uncertainty_ns: int) -> None:
        if self._rows is not None and self._phase.now is Phase.RECORDING:
            self._rows.trigger(t_ns, uncertainty_ns)

    # -- user commands while recording; each is an event and a log row ---------------------------------

    def mark(self, text: str, t_ns: int | None = None) -> str:
        """Store a marker with a text, now or at an earlier host time; like the other commands, returns what was done.

        Raises
        ------
        InputError
            Nothing is being recorded, or it is not possible now; the same for the other commands.
        """
        return self._player.mark(text, t_ns)

    def pause(self) -> str:
        """Pause between exercises: at once, or at the end of the current one."""
        return self._player.pause()

    def resume(self) -> str:
        """Continue after a countdown."""
        return self._player.resume()

    def redo(self) -> str:
        """Repeat the last exercise after a countdown; a current one is cut short."""
        return self._player.redo()

    def skip(self) -> str:
        """Skip the current exercise or the next one."""
        return self._player.skip()

    def next(self) -> str:
        """End the current exercise, or start the next one at once."""
        return self._player.next()

    def flash(self) -> str:
        """Flash at once; HardwareError if there is no source of flashes."""
        return self._player.flash()

    def clap_cue(self) -> str:
        """Request a clap at once."""
        return self._player.clap_cue()

    def reconnect(self, slot: int) -> str:
        """Renew one sensor's connection, also before a recording."""
        self._streams.manager.reconnect(slot)
        channel = next(s.channel for s in self._streams.manager.sensors if s.slot == slot)
        if self._phase.now is Phase.RECORDING:
            self._player.note("reconnect", channel)
        return f"slot {slot} {channel} is being reconnected"

    def calibrate(self, on: bool) -> None:
        """Set whether the recording starts with rest and contraction of every muscle; before :meth:`start`."""
        if self._phase.now is Phase.RECORDING:
            raise InputError("rest and contraction come first", "the recording runs already", "stop it, record again")
        channels = tuple(s.channel for s in self.sensors) if on else ()
        self.schedule = build_schedule(self.take.protocol, self.take.seed, self.take.duration_s, calibrate=channels)
        self._player = ScheduleThread(
            self.schedule, self._hardware, self.event_log, finished=self.finished, watch=self._watch
        )  # fmt: skip

    def calibrating(self) -> str:
        """Return the channel being calibrated now or next; empty if none is."""
        return self._player.calibrating() if self._phase.now is Phase.RECORDING else ""

    def _before_recording(self) -> None:
        if self._phase.now not in OPEN:
            why = f"the rig is {self._phase.now}"
            raise InputError("sensors cannot be assigned now", why, "assign before recording")

    @property
    def sensors(self) -> tuple[Sensor, ...]:
        """The slots as currently bound; passed on to another take with the same placement."""
        return self._streams.manager.sensors

    def status(self) -> dict[str, Any]:
        """Return the object that ``mia-record status --json`` prints."""
        return status_dict(self.snapshot())

    # -- for a screen ---------------------------------------------------------------------------------------------

    def elapsed_s(self) -> float:
        """Return the seconds since the start of the recording, 0 before."""
        return (clock.now_ns() - self._began_ns) * 1e-9 if self._began_ns else 0.0

    def snapshot(self) -> Snapshot:
        """Return the current state for a screen; cheap enough for ten calls a second."""
        recording, streams = self._phase.now is Phase.RECORDING, self._streams
        elapsed_s = self.elapsed_s() if recording else (self._ended_ns - self._began_ns) * 1e-9 if self._ended_ns else 0
        return Snapshot(
            phase=self._phase.now,
            rig=self._hardware.name,
            subject=self.subject,
            folder=self._rows.writer.folder if self._rows else None,
            elapsed_s=elapsed_s,
            remaining_s=self._player.remaining_s() if recording else max(0.0, self.schedule.duration_s - elapsed_s),
            cue=self._player.cue() if recording else None,
            sensors=streams.manager.statuses(),
            camera=streams.camera.status() if streams.camera else None,
            sound=streams.microphone.status() if streams.microphone else None,
            box=streams.box is not None and not streams.box.failure,
            disk=self._storage.disk,
            rows=self.event_log.recent(60),
            paused=self._player.paused,
            pausing=self._player.pausing,
        )

    def picture(self) -> NDArray[np.uint8] | None:
        """Return the camera's last picture, upright, shape (height, width, 3) in BGR; None if there is none."""
        return self._streams.picture()


def record(
    hardware: Hardware,
    take: Take,
    *,
    stop: threading.Event | None = None,
    on_progress: Callable[[Snapshot], None] | None = None,
    ready_timeout_s: float = READY_TIMEOUT_S,
    ask_to_flex: Callable[[str, float], None] | None = None,
) -> Recording | None:
    """Make one recording without a screen.

    Parameters
    ----------
    hardware : Hardware
    take : Take
    stop : threading.Event, optional
        Set it to end the recording early, cleanly.
    on_progress : callable, optional
        Called ten times a second with a snapshot.
    ready_timeout_s : float
        How long to wait for the sensors.
    ask_to_flex : callable, optional
        If given, sensors are assigned by flexing first; called for each step with the channel, or ``""`` for rest, and
        its seconds.

    Returns
    -------
    Recording or None
        None if ``stop`` was set before every sensor streamed.

    Raises
    ------
    HardwareError
        A device does not open, or not every sensor streams in time; no capture is left.
    DiskFullError
        Too little space to start; if the disk fills up later, the recording ends and reports it.
    CaptureError
        Writing failed; committed data is kept.
    RefusedError
        The assignment of sensors is ambiguous; no capture is left.
    """
    recorder = Recorder(hardware, take)
    stop = stop or threading.Event()
    try:
        recorder.open()
        ready = recorder.wait_ready(ready_timeout_s, stop=stop, on_progress=on_progress)
        if ready and ask_to_flex is not None:
            ready = recorder.assigning.settle(stop=stop, on_prompt=ask_to_flex)
        if ready:
            recorder.start()
            while not recorder.finished.wait(0.1) and not stop.is_set():
                if on_progress is not None:
                    on_progress(recorder.snapshot())
    except BaseException:
        with contextlib.suppress(MiaError):  # the first error is the one to report
            recorder.close()
        raise
    recording = recorder.close()
    if recording is not None and not recording.counts.get("notification"):
        raise CaptureError(f"{recording.folder} holds no notification", "no sensor was received", "see its log")
    return recording
