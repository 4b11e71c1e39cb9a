"""What contacts prove, and what they cannot: whole alignments of the benchmark's sessions with known truth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.alignment.ours import recording_of
from benchmarks.alignment.synthetic import SyntheticSession, make_session
from sync.align import Alignment, align
from sync.fit.priors import AV_SKEW
from sync.quality.gates import Verdict
from sync.quality.stream_alignment import DelaySource, SensorConstants, VideoConstants


def aligned(stratum: str, seed: int) -> tuple[SyntheticSession, Alignment]:
    session = make_session(stratum, seed)
    zero_s = min(float(s.arrival_s[0]) for s in session.sensors.values())
    return session, align(recording_of(session, zero_s))


def constants(alignment: Alignment, channel: str) -> SensorConstants:
    found = alignment.streams[channel].constants
    assert isinstance(found, SensorConstants)
    return found


def test_a_phone_and_claps_can_pass_and_say_what_is_not_known() -> None:
    session, alignment = aligned("claps_only", 0)
    video = alignment.streams["video"]
    assert video.method == "contacts" and video.verdict is Verdict.PASS
    assert video.error_ci95_s > 0.1 and "host's clock" in video.reason
    # Claps are in the sound and keypoints in the picture: what lies between the two is assumed, and said.
    assert isinstance(video.constants, VideoConstants) and video.constants.av_skew_sd_s == AV_SKEW.sd_s
    assert "lags its picture is not measured" in video.reason
    measured = [n for n in session.sensors if constants(alignment, n).delay_source is DelaySource.MEASURED]
    assert len(measured) >= 3
    for name in measured:
        film_s = constants(alignment, name).film_ci95_s
        assert film_s is not None and film_s < 0.05 < alignment.streams[name].error_ci95_s
        assert "contacts in the film" in alignment.streams[name].reason


@pytest.mark.parametrize("seed", range(3))
def test_a_shifted_flash_log_without_cues_is_refused(seed: int) -> None:
    _, alignment = aligned("shifted_uncued", seed)
    assert alignment.verdict is Verdict.FAIL


@pytest.mark.parametrize(("stratum", "seed"), [("legs_and_claps", 0), ("others_clap", 0), ("two_live", 1)])
def test_contacts_that_sensors_cannot_respond_to_refuse_nothing(stratum: str, seed: int) -> None:
    session, alignment = aligned(stratum, seed)
    assert alignment.streams["video"].verdict is not Verdict.FAIL
    line = alignment.video.line if alignment.video else None
    assert line is not None
    zero_s = min(float(s.arrival_s[0]) for s in session.sensors.values())
    at = session.frame_pts_s[[0, -1]]
    true_s = (1 + session.truth.video_rate) * at + session.truth.video_offset_s - zero_s
    assert np.all(np.abs(line(at) - true_s) < 0.02)
    for name in session.sensors:
        if not math.isfinite(session.truth.sensors[name].response_s):
            assert constants(alignment, name).delay_source is not DelaySource.MEASURED


def test_why_no_contact_counted_is_said_for_each_sensor() -> None:
    _, legs = aligned("legs_and_claps", 0)
    assert any("only claps were detected, and it responds to stomps" in reason for reason in legs.reasons)
    _, others = aligned("others_clap", 0)
    assert any("no more than chance" in reason for reason in others.reasons)


def test_an_assumed_map_says_nothing_of_an_overlap() -> None:
    _, alignment = aligned("nothing", 0)
    assert alignment.verdict is Verdict.FAIL
    assert not any("overlap" in reason or "of its values arrived" in reason for reason in alignment.reasons)
