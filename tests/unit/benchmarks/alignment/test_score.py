"""The scores say what they are named: silent errors, coverage, quantiles, and a bound that follows the noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.alignment.bound import response_sd_s
from benchmarks.alignment.estimate import Estimate, SensorEstimate, VideoEstimate
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
