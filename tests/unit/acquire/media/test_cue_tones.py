"""The cues' sound: tones that swell, the bell where there is no loudspeaker, and no cue taken for a contact."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from acquire.media.cue_tones import RATE_HZ, TONE_HZ, Loudspeaker, tone
from acquire.protocol.schedule import Prompt
from acquire.rig.config import parse_rig
from acquire.rig.real import RealHardware
from dataset.media.sound import Sound
from dataset.support.errors import HardwareError, MissingDependencyError
from sync.events.contacts import detect_contacts


class Output:
    """Takes the place of sounddevice's output."""

    made: Any = None

    def __init__(self, *, callback: Any, **options: Any) -> None:
        self.callback, self.options, self.running = callback, options, False
        Output.made = self

    def start(self) -> None:
        self.running = True

    def stop(self) -> None:
        self.running = False

    def close(self) -> None: ...

    def play(self, n: int) -> np.ndarray:
        out = np.full((n, 1), np.nan, dtype=np.float32)
        self.callback(out, n, None, None)
        return out[:, 0]


@pytest.fixture
def sounds(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = SimpleNamespace(OutputStream=Output, PortAudioError=RuntimeError)
    monkeypatch.setitem(sys.modules, "sounddevice", fake)


@pytest.mark.parametrize("kind", list(TONE_HZ))
def test_a_tone_swells_dies_away_and_has_its_pitch(kind: str) -> None:
    wave = tone(kind)
    spectrum = np.abs(np.fft.rfft(wave, 1 << 16))
    assert np.argmax(spectrum) * RATE_HZ / (1 << 16) == pytest.approx(TONE_HZ[kind], rel=0.02)
    assert 0.3 < np.abs(wave).max() <= 0.5
    assert np.abs(wave[:200]).max() < 0.05 and np.abs(wave[-200:]).max() < 0.05


def test_a_tick_is_played_whole_across_blocks_and_then_silence(sounds: None) -> None:
    speaker = Loudspeaker()
    assert not Output.made.play(300).any()
    speaker.tick("clap_cue")
    speaker.tick("flash")
    heard = np.concatenate([Output.made.play(512) for _ in range(20)])
    n = len(tone("clap_cue"))
    assert np.array_equal(heard[:n], tone("clap_cue")) and not heard[n:].any()
    speaker.close()
    assert not Output.made.running


def test_real_hardware_ticks_at_cues_and_lets_go(sounds: None) -> None:
    hardware = RealHardware(parse_rig("[cues]\nspeaker = 3\n", "rig.toml"))
    assert hardware.open_cues() == ""
    assert Output.made.options["device"] == 3
    hardware.prompt(Prompt(at_s=0, kind="stomp_cue"), 0)
    assert Output.made.play(4800).any()
    hardware.finish(None)
    assert not Output.made.running
    hardware.prompt(Prompt(at_s=0, kind="stomp_cue"), 0)  # late, after the end: nothing happens


def test_without_portaudio_the_bell_rings_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(MissingDependencyError):
        Loudspeaker()
    hardware = RealHardware(parse_rig("", "rig.toml"))
    assert "terminal's bell only" in hardware.open_cues()
    written: list[str] = []
    terminal = SimpleNamespace(isatty=lambda: True, write=written.append, flush=lambda: None)
    monkeypatch.setattr(sys, "__stderr__", terminal)
    hardware.prompt(Prompt(at_s=0, kind="clap_cue"), 0)
    hardware.prompt(Prompt(at_s=0, kind="exercise_start"), 0)
    assert written == ["\a"]


def test_a_device_that_does_not_open_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> Any:
        raise ValueError("No output device matching 'nowhere'")

    fake = SimpleNamespace(OutputStream=refuse, PortAudioError=RuntimeError)
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    with pytest.raises(HardwareError, match="nowhere"):
        Loudspeaker("nowhere")


def test_silent_cues_open_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert RealHardware(parse_rig("[cues]\naudible = false\n", "rig.toml")).open_cues() == ""


@pytest.mark.parametrize("kind", list(TONE_HZ))
@pytest.mark.parametrize("level", [0.05, 0.4])
def test_no_cue_is_taken_for_a_contact(kind: str, level: float) -> None:
    rng = np.random.default_rng(3)
    samples = rng.normal(0, 0.002, 12 * RATE_HZ).astype(np.float32)
    for at_s in (1.5, 2.9, 4.1, 5.8, 7.0, 8.7):
        at = round(at_s * RATE_HZ)
        wave = tone(kind)
        samples[at : at + len(wave)] += level / 0.4 * wave
    found = detect_contacts(Sound(samples=samples, rate_hz=RATE_HZ, start_s=0.0))
    assert [c.kind for c in found if c.kind in ("clap", "stomp")] == []
