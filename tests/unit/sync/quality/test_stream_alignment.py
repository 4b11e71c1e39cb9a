"""A stream's typed constants come back from the attributes that are written of them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from sync.events.contacts import ContactKind
from sync.fit.clock_map import ClockMap
from sync.fit.match import Pairing
from sync.quality.gates import Verdict
from sync.quality.stream_alignment import (
    DelaySource,
    SensorConstants,
    SoundConstants,
    StreamAlignment,
    VideoConstants,
    stream_entry,
)
from sync.recording_types import FlashSource

SENSOR = SensorConstants(
    response_s=0.06, burst_prior_s=-0.04, burst_prior_sd_s=0.03, contact=ContactKind.STOMP, sample_period_s=0.1,
    rate_hz=10.0, delivered=0.98, n_lost=3.0, left_right_ci95_s=0.02, delay_source=DelaySource.MEASURED,
)  # fmt: skip
VIDEO = VideoConstants(
    av_skew_s=0.01, av_skew_sd_s=0.002, screen_latency_s=0.02, screen_latency_sd_s=0.01,
    flash_source=FlashSource.TERMINAL_SSH, readout_s=0.015, exposure_s=0.01,
)  # fmt: skip
SOUND = SoundConstants(av_skew_s=0.01, av_skew_sd_s=0.002, acoustic_delay_s=0.0075, acoustic_delay_sd_s=0.003)


def stream(constants: SensorConstants | VideoConstants | SoundConstants) -> StreamAlignment:
    return StreamAlignment(
        method="flashes",
        map=ClockMap.independent(offset_s=-0.1, rate=0.0, reference_s=0.0, offset_sd_s=0.01, rate_sd=math.nan),
        error_ci95_s=0.02,
        pairing=Pairing(accepted=True, reason="", pairs=np.array([[0, 0], [1, 1]]), n_reference=2, n_target=3),
        residual_s=np.array([0.003, -0.004]),
        constants=constants,
        verdict=Verdict.WARNING,
        reason="it is only known so well",
    )


@pytest.mark.parametrize("constants", [SENSOR, VIDEO, SOUND])
def test_constants_come_back_from_a_stream_s_attributes(
    constants: SensorConstants | VideoConstants | SoundConstants,
) -> None:
    attributes = stream_entry(stream(constants)).constants
    assert type(constants).read(attributes) == constants
    assert {type(value) for value in attributes.values()} <= {float, str}


def test_a_constant_that_does_not_apply_is_not_written() -> None:
    assert "left_right_ci95_s" in SENSOR.as_attributes()
    assert "left_right_ci95_s" not in replace(SENSOR, left_right_ci95_s=None).as_attributes()


def test_a_source_from_another_version_reads_as_unknown() -> None:
    assert SensorConstants.read({"delay_source": "by hand", "rate_hz": 10.0}).delay_source is DelaySource.NONE
    assert VideoConstants.read({"flash_source": "sun"}).flash_source is FlashSource.NONE


def test_an_offset_has_its_interval_where_the_rate_s_error_is_unknown() -> None:
    entry = stream_entry(stream(SENSOR))
    assert entry.offset_ci95_s == pytest.approx(0.0196)
    assert math.isnan(entry.rate_ci95_ppm)
    assert (entry.verdict, entry.n_matched, entry.max_residual_s) == ("WARNING", 2, 0.004)


def test_the_residuals_of_a_refused_pairing_are_not_written() -> None:
    refused = stream(VIDEO)
    entry = stream_entry(replace(refused, pairing=replace(refused.pairing, accepted=False)))
    assert entry.n_matched == 0
    assert entry.residual_s.tolist() == [0.0, 0.0]
    assert entry.max_residual_s == 0.004
