"""The judge is judged: a synthetic session shows what its truth says, and knows nothing of the estimator."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.alignment.script import Script
from benchmarks.alignment.sensors import wear
from benchmarks.alignment.strata import STRATA, plan
from benchmarks.alignment.synthetic import SyntheticSession, make_session
from dataset.muscles import CONTACT_OF_MUSCLE

ROOM = Path(__file__).resolve().parents[4] / "benchmarks" / "alignment"
GENERATOR = ("synthetic", "script", "strata", "camera", "acoustics", "sensors")


@pytest.fixture(scope="module")
def rolling() -> SyntheticSession:
    """A session whose flashes light the whole picture of a rolling shutter."""
    sessions = (make_session("rolling_shutter", seed) for seed in range(20))
    return next(s for s in sessions if s.truth.lit_bands == 1.0 and np.ptp(s.tiles[0]) < 200)


@pytest.mark.parametrize("name", GENERATOR)
def test_the_generator_imports_nothing_that_it_judges(name: str) -> None:
    tree = ast.parse((ROOM / f"{name}.py").read_text(encoding="utf-8"))
    imported = {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    imported |= {alias.name for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names}
    own = {m.removeprefix("benchmarks.alignment.") for m in imported if m.startswith("benchmarks.")}
    assert not {m for m in imported if m.partition(".")[0] in ("sync", "acquire", "model")}
    assert own <= {*GENERATOR, "benchmarks.alignment"}


def test_a_thousand_sessions_have_their_strata() -> None:
    assert sum(s.size for s in STRATA.values()) == 1000
    assert plan(1000) == {name: s.size for name, s in STRATA.items()}


def test_the_same_seed_gives_the_same_session() -> None:
    a, b, other = make_session("few_events", 3), make_session("few_events", 3), make_session("few_events", 4)
    assert np.array_equal(a.tiles, b.tiles) and np.array_equal(a.sound, b.sound)
    assert a.truth.video_offset_s == b.truth.video_offset_s != other.truth.video_offset_s


@pytest.mark.parametrize("stratum", ["well_posed", "reconnects", "emg_1khz"])
def test_nothing_arrives_before_its_smallest_delay(stratum: str) -> None:
    session = make_session(stratum, 1)
    for name, sensor in session.sensors.items():
        truth = session.truth.sensors[name]
        late_s = sensor.arrival_s - truth.emission_s - truth.floor_s
        assert late_s.min() >= -1e-9
        assert np.all(np.diff(sensor.arrival_s) >= 0)
        # What is sent in one connection does not wait for the next.
        assert late_s.max() < 2.5


def test_a_frame_arrives_after_its_exposure() -> None:
    session = next(s for s in (make_session("well_posed", k) for k in range(9)) if np.isfinite(s.frame_arrival_s).all())
    exposed_s = (1 + session.truth.video_rate) * session.frame_pts_s + session.truth.video_offset_s
    assert np.min(session.frame_arrival_s - exposed_s) > session.truth.exposure_s / 2


def test_bands_are_lit_when_their_rows_are_exposed_to_the_light(rolling: SyntheticSession) -> None:
    truth = rolling.truth
    frame_s = (1 + truth.video_rate) * rolling.frame_pts_s + truth.video_offset_s
    rows = (np.arange(16) + 0.5) / 16 - 0.5
    bands = rolling.tiles.mean(axis=2)
    agree = []
    for on_s in truth.light_s[truth.light_visible]:
        k = int(np.searchsorted(frame_s, on_s))
        frames = np.arange(k - 2, k + 2)
        dark, bright = bands[k - 6 : k - 2].mean(axis=0), bands[k - 2 : k + 3].max(axis=0)
        seen = (bands[frames] - dark) / (bright - dark)
        middle_s = frame_s[frames][:, None] + truth.readout_s * rows[None, :]
        reach_s = truth.exposure_s / 2 + abs(truth.readout_s) / 32 + 0.004
        shows = bright - dark > 8
        # No flash is shorter than 60 ms.
        before = (middle_s < on_s - reach_s) & shows
        after = (middle_s > on_s + reach_s) & (middle_s < on_s + 0.06 - reach_s) & shows
        agree += [*(seen[before] < 0.3), *(seen[after] > 0.7)]
    assert len(agree) > 100
    assert np.mean(agree) > 0.99


def test_a_response_has_its_centroid_where_the_truth_says() -> None:
    none = np.zeros(0)
    every_s = 2.5 * np.arange(80.0)
    contact_s = {"clap": 4.0 + every_s, "stomp": 5.2 + every_s}
    script = Script(
        length_s=210.0, source="led box", log_s=none, log_uncertainty_s=none, light_s=none, light_length_s=none,
        visible=none.astype(bool), stray_s=none, stray_length_s=none, beeps=False,
        cue_s={"clap": none, "stomp": none}, contact_s=contact_s, exercise_s=(210.0, 210.0),
    )  # fmt: skip
    stratum = replace(STRATA["well_posed"], family="m40", reconnect=0.0)
    off_s = []
    # Sensors of one session may share their filter: several sessions have several.
    worn = [item for seed in range(5, 8) for item in wear(stratum, script, 0.0, np.random.default_rng(seed)).items()]
    for name, (sensor, truth) in worn:
        at_s = truth.emission_s + truth.floor_s
        contacts = contact_s[CONTACT_OF_MUSCLE[name.partition("_")[2]]]
        u = (at_s[None, :] - contacts[:, None]).ravel()
        values = np.broadcast_to(sensor.value, (len(contacts), len(at_s))).ravel()
        edges = np.arange(-0.4, 1.0, 0.02)
        bins = np.digitize(u, edges)
        middle, filled = 0.5 * (edges[1:] + edges[:-1]), np.unique(bins)[1:-1] - 1
        # Where the sensor keeps step with the contacts, no value falls into some bins.
        shape = np.interp(middle, middle[filled], [np.mean(values[bins == i + 1]) for i in filled])
        shape -= np.median(shape[(middle < -0.2) | (middle > 0.8)])
        off_s.append(float(np.sum(middle * shape) / np.sum(shape)) - truth.response_s)
        assert truth.delay_s + np.mean(truth.lag_s) == pytest.approx(truth.response_s)
    # A twitch in the middle throws a single centroid by tens of milliseconds, to either side.
    assert abs(np.median(off_s)) < 0.012


def test_sensors_of_one_model_share_their_filter_in_most_sessions_and_not_in_all() -> None:
    shared = []
    for seed in range(10):
        session = make_session("well_posed", seed)
        if {s.nominal_hz for s in session.sensors.values()} != {10.0}:
            continue
        truths = session.truth.sensors.values()
        filters = {t.kernel.tobytes() for t in truths}
        shared.append(len(filters) == 1)
        spread_s = np.ptp([t.delay_s for t in truths])
        assert spread_s < 0.0101 if shared[-1] else spread_s > 0.005
    assert 0.4 < np.mean(shared) < 0.9


def test_claps_stand_in_the_sound_where_they_were_heard() -> None:
    session = make_session("well_posed", 2)
    truth = session.truth
    heard_s = truth.contact_s["clap"] + truth.acoustic_delay_s
    file_s = (heard_s - truth.video_offset_s) / (1 + truth.sound_rate) + truth.av_skew_s
    first = np.round((file_s - session.sound_start_s) * session.sound_rate_hz).astype(int)
    width = round(0.01 * session.sound_rate_hz)
    gain = [np.std(session.sound[i : i + width]) / np.std(session.sound[i - 2 * width : i - width]) for i in first]
    assert np.median(gain) > 3


def test_no_more_than_a_third_is_missing() -> None:
    for seed in range(8):
        session = make_session("false_and_missing", seed)
        assert np.mean(session.truth.light_visible) >= 0.7


def test_one_route_of_a_shifted_session_is_seconds_off() -> None:
    for seed in range(4):
        session = make_session("shifted_log", seed)
        log_s = np.median(np.abs(session.flash_log_s - session.truth.light_s))
        name, sensor = next(iter(session.sensors.items()))
        truth = session.truth.sensors[name]
        sensor_s = abs(np.min(sensor.arrival_s - truth.emission_s) - truth.floor_s)
        far, near = max(log_s, sensor_s), min(log_s, sensor_s)
        assert 0.9 < far < 3.1 and near < 0.05
