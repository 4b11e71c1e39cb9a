"""Two recordings aligned by a channel each: by trains, by waveforms, by a single edge if asked, or refused."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import permutations
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy import signal

from dataset.importers.channels import Channel, read_channel, read_channels
from dataset.support.arrays import FloatArray
from dataset.support.errors import InputError
from sync.align_channels import align_channels
from sync.cli import main


def seen(
    start_s: float,
    edges_s: Iterable[float],
    *,
    seconds: float = 60.0,
    rate_hz: float = 1000.0,
    drift_ppm: float = 0.0,
    seed: int = 0,
    settle_s: float = 0.004,
    levels: tuple[float, float] = (1000.0, 9000.0),
) -> Channel:
    """What a light sensor logs that starts at ``start_s`` of common time; the light toggles at each edge."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    common = start_s + time_s * (1 + drift_ppm * 1e-6)
    on = np.zeros(len(common))
    for k, at in enumerate(edges_s):
        since = common - at
        on += (-1) ** k * np.where(since > 0, 1 - np.exp(-np.maximum(since, 0) / settle_s), 0.0)
    value = levels[0] + (levels[1] - levels[0]) * on
    value = (
        value * (1 + 0.01 * np.sin(2 * np.pi * 100 * common)) + 30 * np.sin(common / 7) + rng.normal(0, 20, len(common))
    )
    return Channel(name=f"light {seed}", time_s=time_s, value=np.round(value))


def test_one_edge_is_refused_and_aligns_only_where_it_is_asked_for() -> None:
    one, other = seen(0.0, [31.25], seed=1), seen(12.3456, [31.25], seed=2, levels=(4000.0, 15000.0))
    refused = align_channels(one, other)
    assert refused.verdict == "FAIL"
    assert "--single-edge" in refused.reason
    found = align_channels(one, other, single_edge=True)
    assert found.offset_s == pytest.approx(12.3456, abs=0.0015)
    assert abs(found.offset_s - 12.3456) <= found.half_width_s
    assert found.verdict == "WARNING"
    assert found.method == "single edge"
    assert "one edge" in found.reason


@pytest.mark.parametrize("seed", [2, 5, 11])
def test_lone_transients_of_any_shape_are_refused(seed: int) -> None:
    """A door and a lamp, two claps, two different movements: each can be laid upon the other."""
    rng = np.random.default_rng(seed)

    def lone(name: str) -> Channel:
        time_s = np.arange(20_000) / 1000
        since = time_s - rng.uniform(5, 15)
        width_s = float(rng.uniform(0.01, 0.3))
        shape = [
            np.where(since > 0, np.exp(-np.maximum(since, 0) / width_s), 0.0),
            np.exp(-0.5 * (since / width_s) ** 2),
            np.where(since > 0, 1 - np.exp(-np.maximum(since, 0) / width_s), 0.0),
            np.where(since > 0, np.exp(-np.maximum(since, 0) / width_s), 0.0) * rng.normal(0, 1, len(time_s)),
        ][int(rng.integers(4))]
        return Channel(name=name, time_s=time_s, value=shape + rng.normal(0, 0.003, len(time_s)))

    for _ in range(4):
        assert align_channels(lone("a"), lone("b")).verdict == "FAIL"


def test_trains_give_offset_and_rate_and_pass() -> None:
    edges = np.cumsum(np.random.default_rng(3).uniform(1.0, 5.0, 60))
    found = align_channels(
        seen(2.0, edges, seed=4, seconds=150.0), seen(21.5, edges, seed=5, seconds=120.0, drift_ppm=60.0)
    )
    assert found.verdict == "PASS"
    assert found.method == "trains"
    assert found.rate_ppm == pytest.approx(60.0, abs=12.0)
    assert found.offset_s == pytest.approx(19.5, abs=0.002)


def test_an_offset_of_hours_is_no_harder() -> None:
    edges = 9000.0 + np.cumsum(np.random.default_rng(6).uniform(1.0, 5.0, 30))
    first = seen(8990.0, edges, seed=7)
    second = seen(9003.0, edges, seed=8)
    shifted = Channel(name="b", time_s=second.time_s + 7200.0, value=second.value)
    assert align_channels(first, shifted).offset_s == pytest.approx(13.0 - 7200.0, abs=0.002)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ([20.0, 25.0, 30.0], [20.0]),  # which of two rising edges?
        ([20.0, 26.0], [20.0, 25.0]),  # not the same light
        ([20.0 + 4 * k for k in range(10)], [20.0 + 4 * k for k in range(10)]),  # a uniform train fits at every period
    ],
)
def test_what_cannot_be_told_is_refused(ours: list[float], theirs: list[float]) -> None:
    found = align_channels(seen(0.0, ours, seed=9, seconds=70), seen(2.0, theirs, seed=10, seconds=70))
    if ours == theirs:
        # All in view of both, the uniform train has one fullest pairing; with two lost at an end it has none.
        found = align_channels(seen(0.0, ours, seed=9, seconds=50), seen(27.0, theirs, seed=10, seconds=60))
    assert found.verdict == "FAIL"
    assert np.isnan(found.offset_s)
    assert found.reason


def test_a_channel_without_an_edge_is_refused_by_name() -> None:
    flat = Channel(name="flat", time_s=np.arange(5000) / 1000, value=np.random.default_rng(0).normal(0, 1, 5000))
    found = align_channels(seen(0.0, [20.0]), flat)
    assert found.verdict == "FAIL"
    assert "flat" in found.reason


def correlated_s(one: Channel, other: Channel) -> float:
    """The offset that plain cross-correlation of the channels as recorded gives."""
    a, b = one.value, other.value
    lags = signal.correlation_lags(len(a), len(b))
    return float(lags[np.argmax(signal.correlate(a, b))]) * float(np.median(np.diff(one.time_s)))


@pytest.mark.realdata
def test_the_real_light_pair_aligns_where_cross_correlation_fails(shared_data: Path) -> None:
    folder = shared_data / "sync" / "biosignalsnotebooks"
    one, other = (read_channel(str(folder / f"sync_light_{k}.h5")) for k in (1, 2))
    assert align_channels(one, other).verdict == "FAIL"  # one switch, in both: nothing proves that it is the same
    found = align_channels(one, other, single_edge=True)
    assert found.offset_s == pytest.approx(13.664, abs=0.005)
    assert found.half_width_s < 0.005
    assert found.verdict == "WARNING"
    back = align_channels(other, one, single_edge=True)
    assert back.offset_s == pytest.approx(-13.664, abs=0.005)
    assert abs(correlated_s(one, other) - 13.664) > 1.0


@pytest.mark.realdata
def test_the_real_cable_pair_lies_on_itself_within_a_sample(shared_data: Path) -> None:
    one, other = read_channels(shared_data / "sync" / "biosignalsnotebooks" / "sync_cable_light.h5")
    assert align_channels(one, other).verdict == "FAIL"
    found = align_channels(one, other, single_edge=True)
    assert abs(found.offset_s) <= 0.001
    assert abs(found.offset_s) <= found.half_width_s


@pytest.fixture(scope="module")
def jumps(shared_data: Path) -> list[tuple[Channel, ...]]:
    """One jump each of two people, by four force sensors on one device and three acceleration channels on another."""
    folder = shared_data.parent / "cases" / "alignment" / "align_one_edge"
    if not folder.is_dir():
        pytest.skip("the real jumps (../shared/cases/alignment/align_one_edge) are not on this machine")
    return [read_channels(folder / f"loft_time_subject_{k}.h5") for k in (1, 2)]


@pytest.mark.realdata
@pytest.mark.slow
def test_real_forces_and_accelerations_of_one_jump_are_right_or_refused_in_both_directions(
    jumps: list[tuple[Channel, ...]],
) -> None:
    """The acceleration's device starts 0.12 to 0.22 s after the force's, by every channel's envelope; one is 0."""
    accepted = []
    for person, channels in enumerate(jumps, start=1):
        for one, other in permutations(channels, 2):
            found = align_channels(one, other)
            if found.verdict == "FAIL":
                continue
            accepted.append((person, one.name[-12:], other.name[-12:], found.method))
            devices = [channel.name.rpartition("/")[0] for channel in (one, other)]
            late_s = 0.0 if devices[0] == devices[1] else -0.17 if devices[0].endswith("81") else 0.17
            assert abs(found.offset_s - late_s) <= found.half_width_s, accepted[-1]
    assert all(method == "envelopes" for *_, method in accepted)
    # Of 84 only three pairs of force sensors under one foot are accepted; a jump alone proves too little elsewhere.
    assert {(person, *sorted((one, other))) for person, one, other, _ in accepted} == {
        (1, "81/channel_3", "81/channel_4"), (2, "81/channel_1", "81/channel_2"), (2, "81/channel_3", "81/channel_4"),
    }  # fmt: skip
    assert len(accepted) == 6  # in both directions


@pytest.mark.realdata
@pytest.mark.slow
def test_jumps_of_two_people_are_not_taken_for_one(jumps: list[tuple[Channel, ...]]) -> None:
    for one in jumps[0]:
        for other in jumps[1]:
            assert align_channels(one, other).verdict == "FAIL", (one.name, other.name)


def _write_signals(path: Path, channels: dict[str, list[FloatArray]]) -> None:
    with h5py.File(path, "w") as out:
        for device, values in channels.items():
            group = out.create_group(device)
            group.attrs["sampling rate"] = 1000
            for k, value in enumerate(values, start=1):
                group.create_dataset(f"raw/channel_{k}", data=value.astype(np.uint16)[:, None])


def test_files_are_read_by_channel_and_what_is_open_is_asked_for(tmp_path: Path) -> None:
    light = seen(0.0, [20.0], seed=11)
    _write_signals(tmp_path / "two.h5", {"00:07:80": [light.value, np.zeros(len(light.value))], "00:09": [light.value]})
    assert len(read_channels(tmp_path / "two.h5")) == 3
    assert np.array_equal(read_channel(f"{tmp_path / 'two.h5'}:00:07:80/channel_1").value, light.value)
    assert read_channel(f"{tmp_path / 'two.h5'}:channel_2").name == "00:07:80/channel_2"
    with pytest.raises(InputError, match="ambiguous"):
        read_channel(f"{tmp_path / 'two.h5'}:channel_1")
    with pytest.raises(InputError, match="no channel"):
        read_channel(f"{tmp_path / 'two.h5'}:channel_9")
    with pytest.raises(InputError, match="no file"):
        read_channel(str(tmp_path / "none.h5"))


@pytest.mark.parametrize("text", ["a,b\n1,2\n2,3\n", "time_s,a\n1,x\n", "time_s,a\n2,1\n1,1\n", "time_s\n1\n", ""])
def test_a_table_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(InputError):
        read_channels(path)


def test_the_command_aligns_a_table_with_a_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = seen(0.0, [20.0], seed=12), seen(7.25, [20.0], seed=13)
    _write_signals(tmp_path / "a.h5", {"dev": [one.value]})
    table = "\n".join(f"{t:.3f},{v:.0f}" for t, v in zip(other.time_s, other.value, strict=True))
    (tmp_path / "b.csv").write_text(f"time_s,light\n{table}\n")
    arguments = [
        "mia-sync",
        "align-channels",
        str(tmp_path / "a.h5"),
        f"{tmp_path / 'b.csv'}:light",
        "--json",
        "--single-edge",
    ]
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code in (0, None)
    said = json.loads(capsys.readouterr().out)
    assert said["offset_s"] == pytest.approx(7.25, abs=0.002)
    assert said["rate_ppm"] is None
    assert said["verdict"] == "WARNING"
