"""What cannot be measured and is therefore stated: each constant with its standard deviation and where it is from.

They are the same for every capture, so an error in one is one constant, and each is written beside the offset it
entered.
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

#: Of a burst's prior, what the muscles of one limb do not share, and what the left and the right of one muscle do not:
#: a limb acts as a whole, agonist and antagonist need not, and two sides move alike. The rest is common to the limb.
BURST_OF_MUSCLE = Prior(value_s=0.0, sd_s=0.015)
BURST_OF_SIDE = Prior(value_s=0.0, sd_s=0.010)
#: What claps and stomps have in common of it: who braces early does so for both, and both priors may be
#: misplaced alike. Beyond that they are different movements.
BURST_OF_PERSON = Prior(value_s=0.0, sd_s=0.020)

#: From the stored host time of a flash to its light. A box stamps the light itself, and states how well; what its own
#: questions and answers cannot tell is which of them waited for USB's next millisecond. A terminal draws when it likes.
LIGHT_LATENCY = {
    FlashSource.BOX: Prior(value_s=0.0, sd_s=0.0003),
    FlashSource.SCREEN: Prior(value_s=0.020, sd_s=0.012),
    FlashSource.TERMINAL: Prior(value_s=0.030, sd_s=0.020),
    FlashSource.TERMINAL_SSH: Prior(value_s=0.070, sd_s=0.040),
    FlashSource.FILE: Prior(value_s=0.0, sd_s=0.001),
}

#: Sound later than picture in a file that somebody else recorded and whose skew nothing measures.
AV_SKEW = Prior(value_s=0.0, sd_s=0.020)

#: From sound at the microphone to its block's arrival, in our own recordings: the buffers of consumer sound cards
#: hold 10 to 80 ms.
MICROPHONE = Prior(value_s=0.035, sd_s=0.025)

#: From a contact to its sound at the microphone, at 2.9 ms a metre: whom the picture shows whole stands two to three
#: metres away.
ACOUSTIC = Prior(value_s=0.0075, sd_s=0.003)

#: The same beyond what a box's beep takes, which is in the map that beeps give: a box that the picture shows stands
#: anywhere between the microphone and the person, or a little behind.
ACOUSTIC_BEYOND_BOX = Prior(value_s=0.0035, sd_s=0.0035)

#: A sensor that connects anew may find another place among its radio's intervals: its delay may step by this much.
EPOCH_STEP = Prior(value_s=0.0, sd_s=0.010)

#: Sound and picture are written by one device, so their rates differ by little.
SOUND_RATE_SD = 30e-6


#: Lag of sEMG behind the motion it causes in a recording that is right: the electromechanical delay lets the muscle
#: lead by 30-100 ms (Cavanagh & Komi 1979, *Electromechanical delay in human skeletal muscle under concentric and
#: eccentric contractions*).
MOTION_LAG = Prior(value_s=-0.05, sd_s=0.05)


_LIGHT_WORDS = (
    (FlashSource.TERMINAL_SSH, ("ssh",)),
    (FlashSource.BOX, ("box", "led")),
    (FlashSource.FILE, ("file", "import")),
    (FlashSource.SCREEN, ("screen", "window")),
)


def light_source(source: str) -> FlashSource:
    """Return which latency applies to an event's source; what is unknown is taken for a terminal, the worst."""
    text = source.lower()
    for key, words in _LIGHT_WORDS:
        if any(word in text for word in words):
            return key
    return FlashSource.TERMINAL
