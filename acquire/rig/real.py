"""Real hardware: the system's Bluetooth, an OpenCV camera, a microphone, a serial port."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from bleak import BleakScanner
from bleak.exc import BleakError
from numpy.typing import NDArray

from acquire.hardware import BlockCallback, FrameSource, Radio, SoundSource
from acquire.media.cue_tones import CueSound, Loudspeaker, TerminalBell
from acquire.media.orientation import Orientation
from acquire.protocol.schedule import Prompt
from acquire.rig.config import CameraPart, MicrophonePart, Rig
from dataset.support.errors import HardwareError, MiaError, MissingDependencyError

if TYPE_CHECKING:
    from acquire.bluetooth.usb_dongle import TransportRadio

#: Bluetooth may need some seconds after its daemon starts.
RADIO_TRIES = 3
BLOCK_S = 0.02


class RealHardware:
    """Opens the devices of a rig file on this computer.

    Parameters
    ----------
    rig : Rig
    transport : str
        A Bluetooth controller to use instead of the system's stack, as a bumble transport name.
    """

    def __init__(self, rig: Rig, transport: str = "") -> None:
        self.name = rig.name
        self.sensors = rig.sensors()
        self._rig = rig
        self._transport = transport
        self._own_radio: TransportRadio | None = None
        self._cues: CueSound | None = None

    async def open_radio(self) -> Radio:
        """Check that the system's Bluetooth is present and switched on, or open the given controller."""
        if self._transport:
            from acquire.bluetooth.usb_dongle import TransportRadio

            self._own_radio = TransportRadio(self._transport)
            return await self._own_radio.open()
        for attempt in range(RADIO_TRIES):
            try:
                async with BleakScanner():
                    return Radio()
            except (BleakError, OSError, EOFError) as error:
                if attempt + 1 == RADIO_TRIES:
                    raise HardwareError(
                        "there is no Bluetooth to record with",
                        str(error) or type(error).__name__,
                        "switch it on or plug in an adapter; --rig virtual needs none",
                    ) from error
                await asyncio.sleep(1.0)
        raise HardwareError("there is no Bluetooth to record with")  # pragma: no cover - the loop returns or raises

    async def close_radio(self) -> None:
        """Close the given controller; the system's stack is left as it is."""
        radio, self._own_radio = self._own_radio, None
        if radio is not None:
            await radio.close()

    def open_camera(self) -> FrameSource | None:
        """Open the rig's camera.

        Raises
        ------
        HardwareError
            It does not open or delivers no picture.
        """
        return None if self._rig.camera is None else OpenCvCamera(self._rig.camera)

    def open_sound(self) -> SoundSource | None:
        """Open the rig's microphone.

        Raises
        ------
        MissingDependencyError, HardwareError
            PortAudio is missing; the device cannot be opened.
        """
        return None if self._rig.microphone is None else PortAudioMicrophone(self._rig.microphone)

    def open_cues(self) -> str:
        """Open the loudspeaker, or fall back to the terminal's bell."""
        if not self._rig.cues.audible:
            return ""
        try:
            self._cues = Loudspeaker(self._rig.cues.speaker)
        except MiaError as error:
            self._cues = TerminalBell()
            return f"cues sound by the terminal's bell only ({error})"
        return ""

    def box_port(self) -> str | None:
        """Return the LED box's serial port."""
        return None if self._rig.box is None else self._rig.box.port

    def prompt(self, prompt: Prompt, host_ns: int) -> None:
        """Play the cue's sound; a real person reads the rest on the screen."""
        if self._cues is not None:
            self._cues.tick(prompt.kind)

    def finish(self, capture: Path | None) -> None:
        """Close the loudspeaker; everything else is closed by the code that opened it."""
        cues, self._cues = self._cues, None
        if cues is not None:
            cues.close()


class OpenCvCamera:
    """A camera through OpenCV."""

    def __init__(self, part: CameraPart) -> None:
        import cv2

        self._capture = cv2.VideoCapture(part.index)
        # The codec first: many cameras reach the full rate of a large picture with only one codec.
        if part.codec:
            self._capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*part.codec))
        for key, value in (
            (cv2.CAP_PROP_FRAME_WIDTH, part.width),
            (cv2.CAP_PROP_FRAME_HEIGHT, part.height),
            (cv2.CAP_PROP_FPS, part.rate_hz),
        ):
            self._capture.set(key, value)
        first = self.read() if self._capture.isOpened() else None
        if first is None:
            self._capture.release()
            raise HardwareError(
                f"camera {part.index} gives no picture",
                "it does not open, or another program has it",
                "close other programs, or change [camera] index in the rig file",
            )
        # What the camera delivers, not what was requested.
        self.height, self.width = first.shape[0], first.shape[1]
        self.nominal_hz = float(self._capture.get(cv2.CAP_PROP_FPS)) or part.rate_hz
        self.turn = Orientation(rotation_deg=part.rotation_deg, mirrored=part.mirrored)
        self.asked: Mapping[str, Any] = {
            "asked": {"width": part.width, "height": part.height, "rate_hz": part.rate_hz, "codec": part.codec},
            "codec": fourcc_text(int(self._capture.get(cv2.CAP_PROP_FOURCC))),
            "driver": self._capture.getBackendName(),
            "rotation_deg": part.rotation_deg,
            "mirrored": part.mirrored,
        }

    def read(self) -> NDArray[np.uint8] | None:
        """Read the next frame; None if the camera has failed."""
        good, image = self._capture.read()
        return np.asarray(image, dtype=np.uint8) if good else None

    def release(self) -> None:
        """Close the camera."""
        self._capture.release()


def fourcc_text(code: int) -> str:
    """Return a packed four-letter code as text; empty if the driver reports none."""
    text = "".join(chr((code >> shift) & 0xFF) for shift in (0, 8, 16, 24)) if code > 0 else ""
    return text if text.isprintable() else f"{code:#x}"


class PortAudioMicrophone:
    """A microphone through sounddevice, which raises OSError where PortAudio is missing."""

    def __init__(self, part: MicrophonePart) -> None:
        try:
            import sounddevice
        except (ImportError, OSError) as error:
            raise MissingDependencyError(
                "sound cannot be recorded", str(error), "apt install libportaudio2, or leave out [microphone]"
            ) from error
        self.rate_hz = part.rate_hz
        self._failure: type[Exception] = sounddevice.PortAudioError
        self._callback: BlockCallback | None = None
        try:
            self._stream = sounddevice.InputStream(
                samplerate=part.rate_hz,
                blocksize=round(part.rate_hz * BLOCK_S),
                device=part.device,
                channels=1,
                dtype="int16",
                callback=self._on_block,
            )
        except (sounddevice.PortAudioError, ValueError) as error:
            raise HardwareError(
                "the microphone does not open", str(error), "change [microphone] in the rig file"
            ) from error

    def _on_block(self, block: NDArray[np.int16], _n: int, _time: Any, _status: Any) -> None:
        if self._callback is not None:
            self._callback(block[:, 0].copy())

    def start(self, callback: BlockCallback) -> None:
        """Start delivering blocks."""
        self._callback = callback
        try:
            self._stream.start()
        except self._failure as error:
            raise HardwareError("the microphone does not start", str(error), "is it plugged in?") from error

    def stop(self) -> None:
        """Stop; no callback is made after it returns."""
        self._callback = None
        try:
            self._stream.abort()
            self._stream.close()
        except self._failure as error:
            raise HardwareError("the microphone does not stop", str(error), "was it unplugged?") from error
