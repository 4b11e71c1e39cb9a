"""The scores say what they are named: silent errors, coverage, quantiles, and a bound that follows the noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.alignment.bound import response_sd_s
from benchmarks.alignment.estimate import Estimate, OffsetEstimate, SensorEstimate, VideoEstimate
from benchmarks.alignment.ours import estimate
from benchmarks.alignment.rivals import RIVALS
from benchmarks.alignment.score import Score, score, summarise
from benchmarks.alignment.synthetic import SyntheticSession, make_session


@pytest.fixture(scope="module")
def session() -> SyntheticSession:
    return next(s for s in (make_session("rolling_shutter", k) for k in range(9)) if len(s.sound) < 4e6)


def _scored(error_s: float, half_width_s: float, stream: str = "video") -> Score:
    n = 3 if stream == "video" else 1
    return Score(
        stratum="well_posed", estimator="ours", seed=0, stream=stream, accepted=True,
        error_s=np.full(n, error_s), half_width_s=np.full(n, half_width_s), frame_s=0.04,
    )  # fmt: skip


def test_silent_is_far_off_and_not_said() -> None:
    assert _scored(0.060, 0.005).silent
    assert not _scored(0.060, 0.030).silent  # three half-widths would have told
    assert not _scored(0.040, 0.005).silent  # not far off
    assert not _scored(0.060, 0.005, "sensors 10 Hz").silent
    assert _scored(0.120, 0.005, "sensors 10 Hz").silent
    assert not Score(stratum="s", estimator="e", seed=0, stream="video", accepted=False).silent


def test_the_summary_counts_refusals_and_coverage() -> None:
    refused = Score(stratum="well_posed", estimator="ours", seed=1, stream="video", accepted=False)
    summary = summarise([_scored(0.004, 0.005), _scored(-0.008, 0.005), refused, refused])
    assert summary.refused == 0.5
    assert summary.coverage == 0.5
    assert summary.mid_median_ms == pytest.approx(6.0)
    assert summary.end_max_ms == pytest.approx(8.0)
    assert summary.width_ms == pytest.approx(5.0)


def test_the_truth_itself_scores_without_error(session: SyntheticSession) -> None:
    truth = session.truth
    exact = Estimate(
        video=VideoEstimate(offset_s=truth.video_offset_s, rate=truth.video_rate, half_width_s=np.full(3, 0.001)),
        sensors={n: SensorEstimate(response_s=t.response_s, half_width_s=0.001) for n, t in truth.sensors.items()},
        # The smallest delay is one constant, which no clock tells.
        clock_s={n: t.emission_s + t.floor_s for n, t in truth.sensors.items()},
    )
    scores = score(session, "ours", exact, None)
    assert len(scores) == 1 + len(session.sensors)
    assert max(float(np.max(np.abs(s.error_s))) for s in scores) == 0.0
    assert max(s.clock_max_s for s in scores[1:]) < 1e-9


def test_offsets_are_scored_against_the_sensors_own_delay_and_sides_against_one_another(
    session: SyntheticSession,
) -> None:
    # The left sensors are said to be 10 ms later than they are; one offset of the right is assumed.
    offsets = {
        name: OffsetEstimate(
            offset_s=-truth.delay_s - (0.010 if name.startswith("left") else 0.0), half_width_s=0.009,
            source="assumed" if name == "right_biceps" else "measured", left_right_half_width_s=0.011,
        )
        for name, truth in session.truth.sensors.items()
    }  # fmt: skip
    scores = score(session, "ours", Estimate(offsets=offsets), None)

    def of(stream: str) -> list[Score]:
        return [s for s in scores if s.stream == stream]

    assert len(of("offsets 10 Hz")) == 7 and len(of("assumed offsets 10 Hz")) == 1
    assert summarise(of("offsets 10 Hz")).coverage == pytest.approx(3 / 7)
    # Biceps has no measured right side to be compared with.
    assert [float(s.error_s[0]) for s in of("left minus right 10 Hz")] == pytest.approx([-0.010] * 3)
    assert summarise(of("left minus right 10 Hz")).coverage == 1.0


@pytest.mark.slow
def test_our_interval_beside_an_offset_holds_the_burst_that_is_assumed(session: SyntheticSession) -> None:
    found = estimate(session)
    measured = {n: o for n, o in found.offsets.items() if o.source == "measured"}
    assert len(measured) >= 6
    for name, offset in measured.items():
        assert offset.half_width_s > found.sensors[name].half_width_s
        # Four sensors of a limb share one burst that nothing measures.
        assert offset.half_width_s > 0.04
        assert offset.left_right_half_width_s < offset.half_width_s
        assert abs(offset.offset_s + session.truth.sensors[name].delay_s) < 1.5 * offset.half_width_s


def test_the_bound_halves_with_the_noise(session: SyntheticSession) -> None:
    name = next(iter(session.sensors))
    quiet = replace(session.truth.sensors[name], snr=2 * session.truth.sensors[name].snr)
    sensors = {**session.truth.sensors, name: quiet}
    halved = response_sd_s(replace(session, truth=replace(session.truth, sensors=sensors)), name)
    sd_s = response_sd_s(session, name)
    assert 0 < sd_s < 0.05
    # A contact near a gap may pass the bound's limit with less noise, so not to the last digit.
    assert halved == pytest.approx(sd_s / 2, rel=0.1)


@pytest.mark.parametrize("name", RIVALS)
def test_every_rival_speaks_of_what_it_measures(session: SyntheticSession, name: str) -> None:
    estimate = RIVALS[name](session)
    assert (estimate.video is not None) == (name in ("argmax", "correlation"))
    assert bool(estimate.sensors) == ("+" in name)
