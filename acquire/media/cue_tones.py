"""Sound of the cues: a short soft tone at each clap and stomp cue, from the loudspeaker or the terminal's bell."""

from __future__ import annotations

import sys
import threading
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dataset.support.errors import HardwareError, MissingDependencyError

RATE_HZ = 48000
#: High for hands, low for feet; below the pitch of a box's buzzer.
TONE_HZ = {"clap_cue": 1200.0, "stomp_cue": 500.0}
TONE_S = 0.12
#: A slow onset: the tone must not be mistaken for the contact that it requests.
_SWELL_S = 0.03
_LEVEL = 0.4


class CueSound(Protocol):
    """Plays the sound of cues."""

    def tick(self, kind: str) -> None:
        """Play the cue of an event kind, at once and without waiting; kinds without a sound are silent."""
        ...

    def close(self) -> None:
        """Close the loudspeaker."""
        ...


def tone(kind: str) -> NDArray[np.float32]:
    """Return a cue's samples at :data:`RATE_HZ`, -1 to 1."""
    t = np.arange(round(TONE_S * RATE_HZ)) / RATE_HZ
    swell = np.minimum(np.minimum(t, TONE_S - t) / _SWELL_S, 1.0)
    wave = _LEVEL * np.sin(np.pi / 2 * swell) ** 2 * np.sin(2 * np.pi * TONE_HZ[kind] * t)
    return np.asarray(wave, dtype=np.float32)


class Loudspeaker:
    """Plays tones through sounddevice, imported here since it raises OSError where PortAudio is missing.

    Parameters
    ----------
    device : int or str, optional
        Device of sounddevice; the default one if left out.

    Raises
    ------
    MissingDependencyError
        PortAudio is missing.
    HardwareError
        The device does not open.
    """

    def __init__(self, device: int | str | None = None) -> None:
        try:
            import sounddevice
        except (ImportError, OSError) as error:
            raise MissingDependencyError("no sound can be played", str(error), "apt install libportaudio2") from error
        self._lock = threading.Lock()
        self._left = np.zeros(0, dtype=np.float32)
        self._tones = {kind: tone(kind) for kind in TONE_HZ}
        try:
            self._stream = sounddevice.OutputStream(
                samplerate=RATE_HZ, device=device, channels=1, dtype="float32", latency="low", callback=self._fill
            )
            self._stream.start()
        except (sounddevice.PortAudioError, ValueError) as error:
            raise HardwareError("no loudspeaker opens", str(error), "change [cues] in the rig file") from error

    def _fill(self, out: NDArray[np.float32], n: int, _time: Any, _status: Any) -> None:
        with self._lock:
            piece, self._left = self._left[:n], self._left[n:]
        out[: len(piece), 0] = piece
        out[len(piece) :, 0] = 0.0

    def tick(self, kind: str) -> None:
        """Play a cue; one that is still playing is cut off."""
        if kind in self._tones:
            with self._lock:
                self._left = self._tones[kind]

    def close(self) -> None:
        """Close the loudspeaker."""
        self._stream.stop()
        self._stream.close()


class TerminalBell:
    """Rings the terminal's bell, once per clap or stomp cue."""

    def tick(self, kind: str) -> None:
        """Ring."""
        if kind in TONE_HZ and sys.__stderr__ is not None and sys.__stderr__.isatty():
            sys.__stderr__.write("\a")
            sys.__stderr__.flush()

    def close(self) -> None:
        """Nothing to do."""
