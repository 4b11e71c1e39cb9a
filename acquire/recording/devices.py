"""All streaming devices of a rig: opened together, written into one capture, closed in reverse order."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acquire.bluetooth.manager import SensorManager
from acquire.event_log import EventLog
from acquire.hardware import Hardware
from acquire.ledbox.driver import LedBox
from acquire.ledbox.flasher import Flasher
from acquire.media.camera import Camera
from acquire.media.microphone import Microphone
from acquire.media.video_recorder import VideoRecorder, frames_that_may_wait, open_encoder
from acquire.media.video_writer import VideoFormat
from acquire.quality.disk import expected_bytes_per_s
from acquire.recording.row_writer import RowWriter
from dataset.capture.schema import VIDEO
from dataset.support.errors import MiaError

#: Consequence for the alignment.
_WITHOUT_SOUND = "without claps and stomps in the video no sensor delay can be measured"


class Streams:
    """Sensors, camera, microphone and LED box of one recording.

    Parameters
    ----------
    hardware : Hardware
    event_log : EventLog
    note : callable
        Receives a text for each missing device.
    """

    def __init__(self, hardware: Hardware, event_log: EventLog, note: Callable[[str], None]) -> None:
        self.manager = SensorManager(hardware, event_log)
        self.camera: Camera | None = None
        self.microphone: Microphone | None = None
        self.box: LedBox | None = None
        self.muxer: VideoRecorder | None = None
        self._hardware = hardware
        self._event_log = event_log
        self._note = note

    def open(self, on_trigger: Callable[[int, int], None], flasher: Flasher | None = None) -> None:
        """Open all devices and start streaming; nothing is stored yet.

        Parameters
        ----------
        on_trigger : callable
            Called when the LED box's footswitch is pressed.
        flasher : Flasher, optional
            Source of flashes without an LED box.

        Raises
        ------
        HardwareError
            A device of the rig does not open.
        """
        self.manager.start()
        source = self._hardware.open_camera()
        if source is None:
            self._note("no camera: give a video to mia-sync run with --video")
        else:
            self.camera = Camera(source, self._hardware.open_camera, self._event_log)
        self._open_sound()
        port = self._hardware.box_port()
        if port is None and flasher is not None:
            self._note(
                f"no LED box: the {flasher.source} flashes with an unknown delay; clap and stomp at every cue: that "
                "ties the film to the sensors"
            )
        elif port is None:
            self._note("no LED box: no flashes; clap and stomp at every cue: that ties the film to the sensors")
        else:
            self.box = LedBox(port, self._event_log, on_trigger=on_trigger)

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
        elif self.camera is None:
            self._note("sound is stored in the video only: without a camera it is not recorded")
        else:
            self.microphone = Microphone(sound, self._event_log, self._hardware.open_sound)

    def expected_bytes_per_s(self) -> float:
        """Return the write rate of all devices together."""
        camera, microphone = self.camera, self.microphone
        return expected_bytes_per_s(
            n_sensors=len(self.manager.sensors),
            picture=(camera.width, camera.height, camera.nominal_hz) if camera else None,
            sound_rate_hz=microphone.rate_hz if microphone else None,
        )

    def attach(self, rows: RowWriter) -> None:
        """Write everything received from now on into one capture."""
        writer = rows.writer
        self._event_log.attach(writer)
        self.manager.attach(writer)
        if self.camera is not None:
            camera, microphone = self.camera, self.microphone
            video = VideoFormat(
                width=camera.width,
                height=camera.height,
                nominal_hz=camera.nominal_hz,
                sound_rate_hz=microphone.rate_hz if microphone else None,
                turn=camera.turn,
            )
            encoder = open_encoder(writer.folder / VIDEO, video)
            waiting = frames_that_may_wait(camera.width, camera.height)
            self.muxer = VideoRecorder(encoder, writer, self._event_log, max_waiting_frames=waiting)
            if microphone is not None:
                microphone.attach(self.muxer, writer)
            camera.attach(self.muxer)
        if self.box is not None:
            self.box.attach(rows.box_line)

    def detach(self) -> int:
        """Stop writing; return the end time in host nanoseconds."""
        if self.camera is not None:
            self.camera.detach()
        if self.microphone is not None:
            self.microphone.detach()
        return self.manager.detach()

    def closing(self, last_to_first: ExitStack) -> None:
        """Add every step of closing to a stack, which runs them all even if one fails."""
        last_to_first.callback(self.manager.stop)
        for part in (self.muxer, self.camera, self.microphone, self.box):
            if part is not None:
                last_to_first.callback(part.close)

    def camera_health(self) -> dict[str, Any]:
        """Return the manifest's health of the picture."""
        if self.muxer is None or self.camera is None:
            return {}
        return {**self.muxer.health(), **self.camera.health()}

    def picture(self) -> NDArray[np.uint8] | None:
        """Return the camera's last picture, upright, shape (height, width, 3) in BGR; None if there is none."""
        camera = self.camera
        picture = camera.picture() if camera else None
        return camera.turn(picture) if camera and picture is not None else None
