"""Every cause is told from a stream's numbers, and each has one sentence of advice."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from dataset.session.types import StreamSync
from sync.quality.advice import ADVICE, Cause, advise

VIDEO = StreamSync(
    method="flashes", verdict="WARNING", reason="", error_ci95_s=0.005, n_reference=10, n_target=10, n_matched=10,
    match_rate=1.0, ambiguity_margin=0.8, matches=np.zeros((10, 2), dtype=np.int64),
)  # fmt: skip
SENSOR = StreamSync(
    method="arrival envelope + clap", verdict="WARNING", reason="", error_ci95_s=0.020, n_reference=8, n_target=8,
    n_matched=8, match_rate=1.0, ambiguity_margin=0.8,
    constants={"rate_hz": 10.0, "delivered": 1.0, "delay_source": "measured"},
)  # fmt: skip
REFUSED = replace(VIDEO, method="assumed", verdict="FAIL", n_matched=0)


def with_constants(**constants: float | str) -> StreamSync:
    return replace(SENSOR, constants={**SENSOR.constants, **constants})


@pytest.mark.parametrize(
    ("stream", "cause"),
    [
        (replace(VIDEO, verdict="PASS"), None),
        (replace(REFUSED, n_reference=0), Cause.NO_FLASH_LOG),
        (replace(REFUSED, n_reference=2), Cause.FEW_FLASHES_SENT),
        (replace(REFUSED, n_target=1), Cause.FEW_FLASHES_SEEN),
        (replace(REFUSED, match_rate=0.4), Cause.FLASHES_DO_NOT_FIT),
        (replace(REFUSED, ambiguity_margin=0.1), Cause.AMBIGUOUS),
        (REFUSED, Cause.CHANCE),
        (replace(VIDEO, verdict="FAIL"), Cause.FLASHES_MISDATED),
        (replace(VIDEO, method="contacts"), Cause.CONTACTS_ONLY),
        (replace(VIDEO, error_ci95_s=0.015), Cause.TOO_WIDE),
        (replace(VIDEO, error_ci95_s=math.nan), Cause.WIDTH_UNKNOWN),
        (replace(VIDEO, constants={"flash_source": "terminal"}), Cause.TERMINAL_FLASHES),
        (VIDEO, Cause.SCATTERED),
    ],
)
def test_a_video_cause_is_told_from_its_numbers(stream: StreamSync, cause: Cause | None) -> None:
    assert advise({"video": stream})["video"].cause == cause


@pytest.mark.parametrize(
    ("stream", "cause"),
    [
        (replace(with_constants(delivered=0.3), verdict="FAIL"), Cause.LOST_VALUES),
        (replace(with_constants(rate_hz=math.nan), verdict="FAIL"), Cause.LOST_VALUES),
        (replace(SENSOR, verdict="FAIL"), Cause.CONSTANT_VALUE),
        (with_constants(rate_hz=11.0), Cause.RATE),
        (replace(with_constants(delay_source="none"), n_target=0), Cause.NO_CONTACT),
        (replace(with_constants(delay_source="assumed"), ambiguity_margin=0.1), Cause.AMBIGUOUS_ANSWERS),
        (replace(with_constants(delay_source="assumed"), n_matched=2), Cause.FEW_ANSWERS),
        (replace(SENSOR, error_ci95_s=0.060), Cause.TOO_WIDE),
        (SENSOR, Cause.SCATTERED),
    ],
)
def test_a_sensor_cause_is_told_from_its_numbers(stream: StreamSync, cause: Cause) -> None:
    assert (
        advise({"video": VIDEO, "left_biceps": stream}, nominal_hz={"left_biceps": 10.0})["left_biceps"].cause == cause
    )


def test_the_whole_recording_is_looked_at_before_the_video_alone() -> None:
    failed = {"video": replace(VIDEO, verdict="FAIL")}
    assert advise({})["video"].cause == Cause.NO_VIDEO
    assert advise(failed, closes=False)["video"].cause == Cause.ROUTES_DISAGREE
    assert advise(failed, closes=False, overlaps=False)["video"].cause == Cause.NO_OVERLAP


def test_a_sound_without_beeps_is_told_from_one_known_too_badly() -> None:
    sound = replace(VIDEO, method="arrival")
    assert advise({"sound": sound})["sound"].cause == Cause.NO_BEEP
    assert advise({"sound": replace(sound, method="beeps")})["sound"].cause == Cause.TOO_WIDE


def test_every_cause_has_one_sentence() -> None:
    assert set(ADVICE) == set(Cause)
    for text in ADVICE.values():
        assert text[0].isupper()
        assert text.endswith(".")
        assert ". " not in text


def test_a_sensor_is_not_blamed_for_the_video() -> None:
    unanswered = replace(with_constants(delay_source="none"), n_target=0)
    wide = replace(SENSOR, error_ci95_s=0.1)
    told = advise({"video": REFUSED, "left_biceps": unanswered})
    assert told["left_biceps"].cause == Cause.VIDEO_FIRST
    # Its response is judged against the film, which claps alone align as well.
    told = advise({"video": replace(VIDEO, method="contacts"), "left_biceps": wide})
    assert told["left_biceps"].cause == Cause.TOO_WIDE
