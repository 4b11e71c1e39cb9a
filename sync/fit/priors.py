"""Priors: constants that a recording cannot measure, each with its standard deviation and source.

They are the same for every capture, so an error in one is a constant error, and each is stored with the offset that
uses it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sync.events.contacts import ContactKind
from sync.recording_types import FlashSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """A constant and its standard deviation, in seconds."""

    value_s: float
    sd_s: float


#: Centroid of a limb's burst relative to its contact's sound. Arms brake before the hands meet; legs stiffen before
#: the heel lands and absorb a little after it: a lead of tens of milliseconds, known to no better than this.
BURST = {
    ContactKind.CLAP: Prior(value_s=-0.04, sd_s=0.04),
    ContactKind.STOMP: Prior(value_s=-0.03, sd_s=0.04),
}

#: Parts of a burst prior's standard deviation that are not shared by the muscles of one limb, and by the left and right
#: of one muscle: agonist and antagonist may differ, both sides move alike. The rest is common to the limb.
BURST_OF_MUSCLE = Prior(value_s=0.0, sd_s=0.015)
BURST_OF_SIDE = Prior(value_s=0.0, sd_s=0.010)
#: Part that claps and stomps share: a person who braces early does so for both, and both priors may have the same
#: error. Otherwise they are different movements.
BURST_OF_PERSON = Prior(value_s=0.0, sd_s=0.020)

#: Delay from the stored host time of a flash to its light. An LED box stamps the light itself and states its error,
#: except for the asymmetry of USB's 1 ms polling. The drawing time of a terminal is unknown.
LIGHT_LATENCY = {
    FlashSource.BOX: Prior(value_s=0.0, sd_s=0.0003),
    FlashSource.SCREEN: Prior(value_s=0.020, sd_s=0.012),
    FlashSource.TERMINAL: Prior(value_s=0.030, sd_s=0.020),
    FlashSource.TERMINAL_SSH: Prior(value_s=0.070, sd_s=0.040),
    FlashSource.FILE: Prior(value_s=0.0, sd_s=0.001),
}

#: Lag of sound behind picture in a file of another recorder whose skew is not measured.
AV_SKEW = Prior(value_s=0.0, sd_s=0.020)

#: Delay from sound at the microphone to its block's arrival, in our own recordings: consumer sound cards buffer 10 to
#: 80 ms.
MICROPHONE = Prior(value_s=0.035, sd_s=0.025)

#: Delay from a contact to its sound at the microphone, at 2.9 ms per metre: a person shown in full stands two to three
#: metres away.
ACOUSTIC = Prior(value_s=0.0075, sd_s=0.003)

#: The same relative to the LED box's beep, whose delay is included in the map from beeps: a box in the picture stands
#: anywhere between the microphone and the person, or a little behind.
ACOUSTIC_BEYOND_BOX = Prior(value_s=0.0035, sd_s=0.0035)

#: A sensor that reconnects may get another phase of the connection interval: its delay may change by this much.
EPOCH_STEP = Prior(value_s=0.0, sd_s=0.010)

#: Sound and picture are recorded by one device, so their rates differ little.
SOUND_RATE_SD = 30e-6


#: Lag of sEMG behind the motion it causes in a correctly aligned recording: by the electromechanical delay the muscle
#: leads by 30-100 ms (Cavanagh & Komi 1979, *Electromechanical delay in human skeletal muscle under concentric and
#: eccentric contractions*).
MOTION_LAG = Prior(value_s=-0.05, sd_s=0.05)


_LIGHT_WORDS = (
    (FlashSource.TERMINAL_SSH, ("ssh",)),
    (FlashSource.BOX, ("box", "led")),
    (FlashSource.FILE, ("file", "import")),
    (FlashSource.SCREEN, ("screen", "window")),
)


def light_source(source: str) -> FlashSource:
    """Return which latency applies to an event's source; an unknown source is treated as a terminal, the worst."""
    text = source.lower()
    for key, words in _LIGHT_WORDS:
        if any(word in text for word in words):
            return key
    return FlashSource.TERMINAL
