"""The joint fit against drawn truth: maps, constants, their intervals, and what only all evidence together can tell."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from dataset.support.arrays import FloatArray
from sync.fit.clock_map import ClockMap
from sync.fit.joint import ResponseLatencies, fit_jointly, shared_sd_s
from sync.fit.priors import ACOUSTIC, ACOUSTIC_BEYOND_BOX
from sync.fit.sound_fit import SoundFit
from tests.present import present

SPAN_S = 600.0


def draw(
    seed: int, *, one_end: bool = False, method: str = "beeps", n_epochs: int = 1
) -> tuple[
    ClockMap,
    SoundFit,
    dict[str, ResponseLatencies],
    Callable[[FloatArray], FloatArray],
    Callable[[FloatArray], FloatArray],
    dict[str, tuple[float, FloatArray]],
]:
    """First maps, answers of four sensors, and the truth."""
    rng = np.random.default_rng(seed)
    offset, rate = 1e4 * rng.uniform(-1, 1), 1e-6 * rng.uniform(-100, 100)
    skew, sound_rate = rng.normal(0, 0.02), rng.normal(0, 5e-6)
    first_air = ACOUSTIC_BEYOND_BOX if method == "beeps" else ACOUSTIC
    air, latency = rng.normal(first_air.value_s, first_air.sd_s), rng.normal(0, 0.0005)
    middle = 30.0 if one_end else SPAN_S / 2
    height_sd, rate_sd = 0.002, 60e-6 if one_end else 8e-6
    # The first map errs by as much as it says it may.
    wrong_height, wrong_rate = rng.normal(0, height_sd), rng.normal(0, rate_sd)
    first_rate = rate + wrong_rate
    first = ClockMap.independent(
        offset_s=offset + rate * middle + wrong_height - latency - first_rate * middle, rate=first_rate,
        reference_s=middle, offset_sd_s=height_sd, rate_sd=rate_sd,
    )  # fmt: skip

    def video(p: FloatArray) -> FloatArray:
        return (1 + rate) * p + offset

    def sound(p: FloatArray) -> FloatArray:
        return video(p) - skew + sound_rate * (p - SPAN_S / 2)

    beeps = np.sort(rng.uniform(10, 50 if one_end else SPAN_S - 10, 10))
    light = sound(beeps) + rng.normal(0, 0.0015, len(beeps))
    height = float(np.median(light - (1 + first.rate) * beeps)) if method == "beeps" else first.offset_s
    start = ClockMap.independent(offset_s=height, rate=first.rate, reference_s=middle, offset_sd_s=0.02, rate_sd=30e-6)
    first_sound = SoundFit(
        line=start, method=method, pairing=None, av_skew_s=0.0, av_skew_sd_s=0.02,
        beep_s=beeps if method == "beeps" else np.zeros(0), light_s=light if method == "beeps" else np.zeros(0),
    )  # fmt: skip
    claps = np.sort(np.concatenate([rng.uniform(20, 60, 6), rng.uniform(SPAN_S - 60, SPAN_S - 10, 6)]))
    leads = rng.normal(0, 0.012, len(claps))
    answers, truth = {}, {}
    for k in range(4):
        epoch = np.minimum((claps > SPAN_S / 2).astype(np.int64), n_epochs - 1)
        steps = rng.normal(0, 0.008, n_epochs) * (n_epochs > 1)
        constant = rng.uniform(0.05, 0.2)
        burst = sound(claps) - air + constant + steps[epoch] + leads + rng.normal(0, 0.008, len(claps))
        each = burst - (start(claps) - first_air.value_s)
        answers[f"s{k}"] = ResponseLatencies(
            pts_s=claps, event=np.arange(len(claps)), latency_s=each, epoch=epoch, n_epochs=n_epochs,
            response_s=float(np.mean(each)),
        )  # fmt: skip
        truth[f"s{k}"] = (constant, constant + steps)
    return first, first_sound, answers, video, sound, truth


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    video_in, sound_in, response_in = [], [], []
    for seed in range(150):
        first, first_sound, answers, video, sound, truth = draw(seed)
        fit = fit_jointly(first, 0.0005, first_sound, answers)
        fitted = present(fit.sound)
        for at in (np.array([0.0]), np.array([SPAN_S])):
            video_in.append(abs(fit.video(at) - video(at))[0] <= fit.video.half_width_s(at)[0])
            sound_in.append(abs(fitted(at) - sound(at))[0] <= fitted.half_width_s(at)[0])
        for name, (constant, _) in truth.items():
            found = fit.constants[name]
            response_in.append(abs(found.response_s - constant) <= 1.96 * found.sd_s)
    assert 0.91 <= np.mean(video_in) <= 0.99
    assert 0.91 <= np.mean(sound_in) <= 0.995
    assert 0.91 <= np.mean(response_in) <= 0.995


def test_answers_at_both_ends_hold_the_rate_where_flashes_stand_at_one_end_only() -> None:
    alone, together = [], []
    far = np.array([SPAN_S])
    for seed in range(40):
        first, first_sound, answers, video, _, _ = draw(seed, one_end=True, method="video")
        fit = fit_jointly(first, 0.0005, first_sound, answers)
        alone.append(abs(first(far) - video(far))[0])
        together.append(abs(fit.video(far) - video(far))[0])
        assert fit.video.half_width_s(far)[0] < first.half_width_s(far)[0]
    assert np.median(together) < 0.6 * np.median(alone)


def test_each_epoch_has_a_constant_of_its_own() -> None:
    errors, pooled = [], []
    for seed in range(60):
        first, first_sound, answers, _, _, truth = draw(seed, n_epochs=2)
        fit = fit_jointly(first, 0.0005, first_sound, answers)
        for name, (_, of_epochs) in truth.items():
            errors.append(fit.constants[name].epoch_response_s - of_epochs)
            pooled.append(fit.constants[name].response_s - of_epochs)
    assert np.std(errors) < 0.85 * np.std(pooled)


def test_an_epoch_without_a_contact_takes_the_others_constant_and_says_it_knows_less() -> None:
    first, first_sound, answers, *_ = draw(1)
    more = {name: ResponseLatencies(
        pts_s=a.pts_s, event=a.event, latency_s=a.latency_s, epoch=a.epoch, n_epochs=2, response_s=a.response_s
    ) for name, a in answers.items()}  # fmt: skip
    fit = fit_jointly(first, 0.0005, first_sound, more)
    for constant in fit.constants.values():
        assert constant.epoch_response_s[1] == pytest.approx(constant.epoch_response_s[0], abs=0.01)
        assert constant.epoch_sd_s[1] > constant.epoch_sd_s[0]


def test_one_clap_far_off_does_not_pull() -> None:
    first, first_sound, answers, _, _, truth = draw(4)
    spoiled = {}
    for name, a in answers.items():
        each = a.latency_s.copy()
        each[3] += 0.1
        spoiled[name] = ResponseLatencies(
            pts_s=a.pts_s, event=a.event, latency_s=each, epoch=a.epoch, n_epochs=1, response_s=a.response_s
        )
    fit, clean = (fit_jointly(first, 0.0005, first_sound, x) for x in (spoiled, answers))
    for name in truth:
        assert abs(fit.constants[name].response_s - clean.constants[name].response_s) < 0.008


def test_what_sensors_share_of_a_contact_is_told_from_their_own_noise() -> None:
    found = [shared_sd_s(draw(seed)[2]) for seed in range(30)]
    assert np.median(found) == pytest.approx(0.012, abs=0.004)


def test_without_sound_the_lights_latency_widens_the_video_and_nothing_else_changes() -> None:
    first, *_ = draw(2)
    fit = fit_jointly(first, 0.020, None, {})
    assert fit.sound is None
    assert fit.video.offset_s == pytest.approx(first.offset_s, abs=1e-6)
    assert fit.video.offset_sd_s == pytest.approx(math.hypot(first.offset_sd_s, 0.020), rel=1e-6)


def test_contacts_that_were_missed_make_a_response_less_certain_and_those_measured_do_not() -> None:
    first, first_sound, answers, *_ = draw(11)
    sure = {name: replace(a, each_sd_s=0.001) for name, a in answers.items()}

    def sd_s(given: dict[str, ResponseLatencies]) -> float:
        return fit_jointly(first, 0.0005, first_sound, given).constants["s0"].sd_s

    missed = {name: replace(a, n_made=36) for name, a in sure.items()}
    # By how much answers scatter for the contacts' sake is known where single answers are well dated, and not else.
    assert sd_s(sure) < 0.95 * sd_s(answers)
    assert sd_s(sure) < 0.95 * sd_s(missed)
    all_same = {name: replace(a, each_sd_s=1.0) for name, a in answers.items()}
    assert sd_s(all_same) == pytest.approx(sd_s(answers))
