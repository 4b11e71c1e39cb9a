"""Which latency a flash's source stands for."""

from __future__ import annotations

import pytest

from acquire.ledbox.flasher import BOX_SOURCE as BOX
from acquire.screen.flash import SOURCE, SOURCE_OVER_SSH
from sync.fit.priors import LIGHT_LATENCY, light_source
from sync.recording_types import FlashSource


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        (BOX, FlashSource.BOX),
        (SOURCE, FlashSource.TERMINAL),
        (SOURCE_OVER_SSH, FlashSource.TERMINAL_SSH),
        ("file", FlashSource.FILE),
        ("?", FlashSource.TERMINAL),
    ],
)
def test_the_recorders_sources_are_known(source: str, kind: FlashSource) -> None:
    assert light_source(source) == kind and kind in LIGHT_LATENCY


def test_a_terminal_over_ssh_is_later_and_less_known_than_one_here() -> None:
    far, near = LIGHT_LATENCY[FlashSource.TERMINAL_SSH], LIGHT_LATENCY[FlashSource.TERMINAL]
    assert far.value_s > near.value_s and far.sd_s > near.sd_s
