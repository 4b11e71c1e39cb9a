"""Strata of the benchmark's sessions, and the number of sessions of each in a thousand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Train = Literal["irregular", "uniform", "none"]
Family = Literal["m40", "emg", "mixed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratum:
    """Common properties of the sessions of one stratum; everything else is drawn for each session.

    Attributes
    ----------
    size : int
        Sessions of this kind in a thousand.
    flashes, contacts : {"irregular", "uniform", "none"}
        Spacing of the light's flashes and of the claps and stomps.
    flashes_per_end, contacts_per_end : (int, int)
        Smallest and largest number at each end of the session.
    ends : int
        1 if the sequence is given only at the start.
    sources : tuple of str
        Sources of flashes: ``led box``, ``screen`` or ``terminal``.
    logged : bool
        Whether the host logged the flashes.
    missing, false : (float, float)
        Range of the shares of missing and of additional events.
    buzzer : float
        Chance that an LED box's buzzer is in the sound; without it the skew of sound and picture is not measured.
    attached : float
        Chance that the video is a file of another device, so that no frame arrived at the host.
    vfr : float
        Chance of a variable frame rate.
    rolling : bool or None
        True: a readout above 5 ms; None: random.
    family : {"m40", "emg", "mixed"}
    reconnect : float
        Chance, per sensor, of at least one reconnect.
    swapped : bool
        Whether video and sound belong to another session.
    shift_s : (float, float)
        Range of the shift of the flash log or of the sensors; (0, 0): none.
    uncued : float
        Chance that the contacts have no cues, as in imported recordings.
    kinds : tuple of str
        Kinds of contacts that are made.
    worn_on : {"all", "legs", "two"}
        Where there are live sensors: on all places, on legs only, or two of eight; the others show noise.
    others_clap : bool
        Whether another person claps and stomps, to which no sensor responds.
    refuse : bool
        Whether a correct estimator has to refuse the video and all sensors.
    """

    size: int
    flashes: Train = "irregular"
    contacts: Train = "irregular"
    flashes_per_end: tuple[int, int] = (5, 5)
    contacts_per_end: tuple[int, int] = (6, 6)
    ends: int = 2
    sources: tuple[str, ...] = ("led box",)
    logged: bool = True
    missing: tuple[float, float] = (0.0, 0.1)
    false: tuple[float, float] = (0.0, 0.1)
    buzzer: float = 0.7
    attached: float = 0.3
    vfr: float = 0.1
    rolling: bool | None = None
    family: Family = "m40"
    reconnect: float = 0.05
    swapped: bool = False
    shift_s: tuple[float, float] = (0.0, 0.0)
    uncued: float = 0.15
    kinds: tuple[str, ...] = ("clap", "stomp")
    worn_on: Literal["all", "legs", "two"] = "all"
    others_clap: bool = False
    refuse: bool = False


STRATA: dict[str, Stratum] = {
    "well_posed": Stratum(size=210, family="mixed", buzzer=1.0),
    "silent_buzzer": Stratum(size=30, family="mixed", buzzer=0.0),
    "rolling_shutter": Stratum(size=100, rolling=True, vfr=0.0, buzzer=1.0),
    "false_and_missing": Stratum(size=80, missing=(0.2, 0.3), false=(0.2, 0.3), family="mixed"),
    "few_events": Stratum(size=50, flashes_per_end=(1, 3), contacts_per_end=(1, 3)),
    "one_end_only": Stratum(size=50, ends=1, family="mixed"),
    "uniform_losses": Stratum(
        size=60, flashes="uniform", contacts="uniform", missing=(0.1, 0.3), attached=1.0, refuse=True
    ),
    "vfr_phone": Stratum(size=60, vfr=1.0, attached=1.0),
    "screen": Stratum(size=50, sources=("screen", "terminal")),
    "no_flash_log": Stratum(size=40, flashes="none", logged=False, attached=0.7),
    "nothing": Stratum(size=30, flashes="none", contacts="none", logged=False, attached=0.8, refuse=True),
    "unrelated": Stratum(size=30, attached=1.0, swapped=True, refuse=True),
    "emg_1khz": Stratum(size=60, family="emg", buzzer=1.0),
    "reconnects": Stratum(size=30, reconnect=1.0, family="mixed"),
    "shifted_log": Stratum(size=20, shift_s=(1.0, 3.0), refuse=True),
    "shifted_uncued": Stratum(size=20, shift_s=(0.5, 20.0), uncued=1.0, attached=1.0, refuse=True),
    "claps_only": Stratum(size=20, flashes="none", logged=False, attached=1.0, uncued=1.0, kinds=("clap",)),
    "legs_and_claps": Stratum(size=20, uncued=1.0, attached=1.0, kinds=("clap",), worn_on="legs"),
    "two_live": Stratum(size=20, uncued=0.5, worn_on="two"),
    "others_clap": Stratum(size=20, uncued=1.0, attached=1.0, others_clap=True),
}


def plan(sessions: int) -> dict[str, int]:
    """Return the number of sessions of each stratum among ``sessions``, in the proportions of a thousand."""
    total = sum(s.size for s in STRATA.values())
    return {name: max(1, round(s.size * sessions / total)) for name, s in STRATA.items()}
