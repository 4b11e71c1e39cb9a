"""Real devices behind stand-ins for OpenCV and PortAudio: what is asked of them, what they say, how they fail."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest

from acquire.protocol.protocol import load_protocol
from acquire.recording.recorder import Recorder
from acquire.recording.take import Take
from acquire.rig.config import CameraPart, MicrophonePart, parse_rig
from acquire.rig.real import OpenCvCamera, PortAudioMicrophone, RealHardware, fourcc_text
from dataset.support.errors import HardwareError, InputError, MissingDependencyError


class Webcam:
    """A webcam that gives 640x480 whatever it is asked for."""

    opened = True
    made: ClassVar[list[Webcam]] = []

    def __init__(self, index: int) -> None:
        self.index = index
        self.asked: list[tuple[int, float]] = []
        self.made.append(self)

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return self.opened

    def set(self, key: int, value: float) -> bool:
        self.asked.append((key, value))
        return True

    def get(self, key: int) -> float:
        return {cv2.CAP_PROP_FPS: 25.0, cv2.CAP_PROP_FOURCC: float(cv2.VideoWriter.fourcc(*"YUYV"))}[key]

    def getBackendName(self) -> str:  # noqa: N802 - OpenCV's name
        return "V4L2"

    def read(self) -> tuple[bool, Any]:
        return True, np.zeros((480, 640, 3), np.uint8)

    def release(self) -> None: ...


def test_the_codec_is_asked_for_first_and_what_is_given_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", Webcam)
    Webcam.made.clear()
    part = CameraPart(index=2, width=1280, height=720, rate_hz=30, codec="MJPG", rotation_deg=90, mirrored=True)
    camera = OpenCvCamera(part)
    (webcam,) = Webcam.made
    keys = [key for key, _ in webcam.asked]
    assert keys[0] == cv2.CAP_PROP_FOURCC and set(keys[1:]) == {
        cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FPS
    }  # fmt: skip
    assert (camera.width, camera.height, camera.nominal_hz) == (640, 480, 25.0)
    assert camera.asked["asked"] == {"width": 1280, "height": 720, "rate_hz": 30.0, "codec": "MJPG"}
    assert (camera.asked["codec"], camera.asked["driver"]) == ("YUYV", "V4L2")
    assert camera.turn.size(camera.width, camera.height) == (480, 640)


def test_a_camera_that_does_not_open_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", Webcam)
    monkeypatch.setattr(Webcam, "opened", False)
    with pytest.raises(HardwareError, match="camera 0 gives no picture"):
        OpenCvCamera(CameraPart())


@pytest.mark.parametrize(("code", "text"), [(cv2.VideoWriter.fourcc(*"MJPG"), "MJPG"), (0, ""), (-1, ""), (22, "0x16")])
def test_four_letters_are_read_where_there_are_four(code: int, text: str) -> None:
    assert fourcc_text(code) == text


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ('codec = "MJPEG"', "codec"),
        ("rotation_deg = 45", "rotation_deg"),
        ('mirrored = "yes please"', "mirrored"),
        ("width = 641", "width"),
        ("rate_hz = 0", "rate_hz"),
    ],
)
def test_a_wrong_field_of_the_camera_is_named(line: str, field: str) -> None:
    with pytest.raises(InputError, match=field):
        parse_rig(f"[camera]\n{line}\n", "rig.toml")


def test_without_portaudio_it_is_said_once_with_what_it_costs(
    fakes: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(MissingDependencyError, match="sound cannot be recorded"):
        PortAudioMicrophone(MicrophonePart())
    hardware = fakes.hardware(fakes.sensors(1))
    real = RealHardware(parse_rig("[microphone]\n[cues]\naudible = false\n", "rig.toml"))
    monkeypatch.setattr(hardware, "open_sound", real.open_sound)
    recorder = Recorder(hardware, Take(protocol=load_protocol(None)[0], out=tmp_path, subject="S1", seed=1))
    recorder.open()
    recorder.close()
    (said,) = [note for note in recorder.notes if "sound" in note]
    assert "no sensor delay can be measured" in said


def test_a_microphone_that_does_not_open_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> Any:
        raise ValueError("No input device matching 'x'")

    fake = SimpleNamespace(InputStream=refuse, PortAudioError=RuntimeError)
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    with pytest.raises(HardwareError, match="No input device"):
        PortAudioMicrophone(MicrophonePart(device="x"))
