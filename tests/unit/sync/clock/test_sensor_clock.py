"""Arrivals to sensor time, against streams whose ticks, losses and lateness are known."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dataset.support.arrays import FloatArray, IntArray
from dataset.support.disk_arrays import block_rows
from sync.clock import sensor_clock as arrivals
from sync.clock.lower_envelope import lower_envelope
from sync.clock.sensor_clock import sensor_clock


def stream(
    seed: int, n: int, *, rate_error: float = 0.0, late_s: float = 0.012
) -> tuple[np.random.Generator, FloatArray, FloatArray]:
    """Ticks of a 10 Hz sensor and their arrivals, one-sided late."""
    rng = np.random.default_rng(seed)
    ticks = rng.uniform(0, 50) + 0.1 * (1 + rate_error) * np.arange(float(n))
    return rng, ticks, np.maximum.accumulate(ticks + rng.exponential(late_s, n))


@given(seed=st.integers(0, 10_000), rate_error=st.floats(-5e-3, 5e-3), n=st.integers(200, 1500))
@settings(max_examples=20, deadline=None)
def test_ticks_are_found_below_the_arrivals_at_any_rate(seed: int, rate_error: float, n: int) -> None:
    _, ticks, arrival = stream(seed, n, rate_error=rate_error)
    clock = sensor_clock(arrival, np.zeros(n, dtype=np.int64), 10.0)
    error = np.sort(np.abs(clock.time_s - ticks))
    # Where the very last value comes late, nothing tells it from a loss before it.
    assert error[-2] < 0.005
    assert clock.n_lost <= 1
    assert abs(clock.period_s / (0.1 * (1 + rate_error)) - 1) < 3e-4


def clock_and_line_errors_ms(
    late_s: Callable[[np.random.Generator, int], FloatArray], n: int, seeds: int = 60
) -> tuple[FloatArray, FloatArray]:
    """Return errors of the clock's height and of the line's below the arrivals; ``late_s(rng, n)`` draws lateness."""
    errors, lines = [], []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        ticks = 0.1 * np.arange(n) + rng.uniform(0, 50)
        arrival = ticks + late_s(rng, n)
        clock = sensor_clock(arrival, np.zeros(n, dtype=np.int64), 10.0)
        intercept, period_s = lower_envelope(np.arange(n), arrival)
        errors.append(1e3 * np.median(clock.time_s - ticks))
        lines.append(1e3 * np.median(intercept + period_s * np.arange(n) - ticks))
    return np.array(errors), np.array(lines)


def test_the_earliest_arrivals_own_lateness_is_taken_off() -> None:
    """Where few come nearly punctually the line below them lies late; the clock much less."""
    errors, lines = clock_and_line_errors_ms(lambda rng, n: rng.gamma(2.0, 0.015, n), 300)
    assert lines.mean() > 1.2
    assert abs(errors.mean()) < 0.5 * lines.mean()
    assert np.sqrt(np.mean(errors**2)) < 0.75 * np.sqrt(np.mean(lines**2))


def test_where_many_come_nearly_punctually_hardly_anything_is_taken_off() -> None:
    errors, lines = clock_and_line_errors_ms(lambda rng, n: rng.exponential(0.03, n), 600)
    assert 0.05 < lines.mean() < 0.2
    assert abs(errors.mean()) < 0.2


@pytest.mark.parametrize("punctual", [0.05, 0.1, 0.3])
def test_a_radio_s_steps_are_no_tail(punctual: float) -> None:
    """Lateness in steps of 30 ms, few of them none: the line is right, and nothing is taken off."""
    errors, lines = clock_and_line_errors_ms(
        lambda rng, n: np.where(rng.random(n) < punctual, 0.0, 0.03 * rng.integers(1, 4, n)), 300, seeds=20
    )
    np.testing.assert_allclose(errors, lines, atol=0.05)


def test_a_short_epoch_has_no_tail_to_speak_of() -> None:
    errors, lines = clock_and_line_errors_ms(lambda rng, n: rng.gamma(2.0, 0.015, n), 150, seeds=20)
    np.testing.assert_allclose(errors, lines, atol=0.3)


def test_the_interval_grows_by_what_is_taken_off() -> None:
    rng = np.random.default_rng(2)
    arrival = 0.1 * np.arange(600) + rng.gamma(2.0, 0.015, 600)
    clock = sensor_clock(arrival, np.zeros(600, dtype=np.int64), 10.0)
    assert clock.lateness_s.min() > 0.0003
    assert clock.ci95_s > 0.98 * clock.lateness_s.min()


def test_late_values_that_catch_up_are_not_taken_for_lost() -> None:
    _, ticks, arrival = stream(1, 600)
    stalled = (ticks > ticks[200]) & (ticks < ticks[200] + 0.8)
    arrival[stalled] = ticks[200] + 0.8 + np.arange(stalled.sum()) * 1e-3
    clock = sensor_clock(arrival, np.zeros(600, dtype=np.int64), 10.0)
    assert clock.n_lost == 0
    assert np.max(np.abs(clock.time_s - ticks)) < 0.003
    assert clock.lateness_s[stalled].max() > 0.6


@pytest.mark.parametrize("lost", [1, 2, 7, 40])
def test_lost_values_leave_a_gap_and_what_follows_stays_right(lost: int) -> None:
    _, ticks, arrival = stream(lost, 900)
    keep = np.ones(900, dtype=bool)
    keep[400 : 400 + lost] = False
    clock = sensor_clock(arrival[keep], np.zeros(keep.sum(), dtype=np.int64), 10.0)
    assert clock.n_lost == lost
    assert np.median(np.abs(clock.time_s - ticks[keep])) < 0.003
    assert clock.run[-1] == 1
    assert clock.gaps_s.shape == (1, 2)
    assert clock.gaps_s[0, 0] == pytest.approx(ticks[399], abs=0.11)


@pytest.mark.parametrize("lost", [2, 7, 40, 100])
def test_late_values_just_before_a_loss_are_not_laid_into_it(lost: int) -> None:
    """A radio late by 30 ms on average: of thirty losses of 40 values, some moved the value before by 100 to 200 ms."""
    for seed in range(30):
        rng = np.random.default_rng(seed)
        ticks = rng.uniform(0, 50) + 0.1 * (1 + rng.uniform(-5e-3, 5e-3)) * np.arange(900)
        arrival = np.maximum.accumulate(ticks + rng.exponential(0.03, 900))
        at = rng.integers(50, 850 - lost)
        keep = np.ones(900, dtype=bool)
        keep[at : at + lost] = False
        clock = sensor_clock(arrival[keep], np.zeros(keep.sum(), dtype=np.int64), 10.0)
        assert clock.n_lost == lost
        assert np.max(np.abs(clock.time_s - ticks[keep])) < 0.03, seed


def test_scattered_losses_displace_no_more_than_the_value_at_the_gap() -> None:
    rng, ticks, arrival = stream(5, 2000)
    keep = rng.random(2000) > 0.02
    keep[[0, -1]] = True
    clock = sensor_clock(arrival[keep], np.zeros(keep.sum(), dtype=np.int64), 10.0)
    wrong = np.abs(clock.time_s - ticks[keep]) > 0.01
    assert wrong.mean() < 0.005


def test_one_stamp_gone_wrong_does_not_tilt_the_line() -> None:
    _, ticks, arrival = stream(6, 500)
    arrival[30] = arrival[29] + 1e-4
    intercept, period = lower_envelope(np.arange(500), arrival)
    assert np.max(np.abs(intercept + period * np.arange(500) - ticks)) < 0.004


def test_each_epoch_has_its_own_line() -> None:
    _, ticks, arrival = stream(7, 300)
    epoch = np.repeat([0, 1], 150)
    arrival[150:] += 3.03
    clock = sensor_clock(arrival, epoch, 10.0)
    assert len(clock.epochs) == 2
    assert np.max(np.abs(clock.time_s[150:] - ticks[150:] - 3.03)) < 0.01
    assert clock.run[149] != clock.run[150]


def test_an_unknown_rate_is_taken_from_the_times() -> None:
    time_s = 12.0 + 0.001 * np.arange(4000.0)
    clock = sensor_clock(time_s, np.zeros(4000, dtype=np.int64), 0.0)
    assert clock.period_s == pytest.approx(0.001, rel=1e-6)
    assert np.max(np.abs(clock.time_s - time_s)) < 1e-6


def test_irregular_times_are_left_as_they_came() -> None:
    time_s = np.cumsum(np.random.default_rng(0).exponential(1.0, 400) ** 3)
    clock = sensor_clock(time_s, np.zeros(400, dtype=np.int64), 0.0)
    assert np.array_equal(clock.time_s, time_s)


def test_half_of_the_values_late_is_irregular() -> None:
    time_s = np.array([0.5, 0.52, 1.52, 2.52, 2.54, 2.56, 2.58, 2.6])
    clock = sensor_clock(time_s, np.zeros(8, dtype=np.int64), 50.0)
    assert np.array_equal(clock.time_s, time_s)
    assert clock.ci95_s > 0.2


def test_an_unknown_rate_is_taken_from_all_over_a_long_recording() -> None:
    """It changes half way: the beginning alone would tell the wrong one for most of it."""
    step_s = np.repeat([0.01, 0.1], [70_000, 90_000])
    time_s = np.cumsum(step_s)
    assert arrivals._median_step(time_s) == pytest.approx(0.1)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_hardly_any_values_make_no_line_and_no_error(n: int) -> None:
    clock = sensor_clock(0.1 * np.arange(float(n)), np.zeros(n, dtype=np.int64), 10.0)
    assert len(clock.time_s) == n
    assert clock.n_lost == 0


def test_a_counter_that_starts_again_tells_what_was_lost() -> None:
    rng = np.random.default_rng(3)
    index = np.sort(rng.choice(5000, 4700, replace=False))
    index = index[(index < 2000) | (index > 2900)]  # more is lost at once than the counter can count
    arrival = index * 0.01 + 0.02 + rng.exponential(0.004, len(index))
    arrival = np.maximum.accumulate(arrival)
    clock = sensor_clock(arrival, np.zeros(len(index), dtype=np.int64), 100.0, index % 256, 256)
    assert not clock.index_inferred
    assert np.array_equal(clock.epochs[0].index, index - index[0])
    assert np.max(np.abs(clock.time_s - (index * 0.01 + 0.02))) < 0.003


def test_values_that_share_an_arrival_are_one_packet_and_are_lost_as_one() -> None:
    rng = np.random.default_rng(4)
    tick = 0.001 * (1 + 3e-3) * np.arange(60000)
    packet = np.arange(60000) // 20
    sent = tick[19::20]
    came = np.maximum.accumulate(sent + 0.03 + rng.exponential(0.004, len(sent)))
    kept = rng.random(len(sent)) > 0.01
    keep = kept[packet]
    clock = sensor_clock(came[packet][keep], np.zeros(int(keep.sum()), dtype=np.int64), 1000.0)
    assert clock.n_lost == pytest.approx(20 * int((~kept).sum()), abs=40)
    assert np.median(np.abs(clock.time_s - (tick[keep] + 0.03))) < 0.002


@pytest.mark.parametrize("seed", range(4))
def test_packets_that_queue_behind_late_ones_are_not_taken_for_lost(seed: int) -> None:
    """Each packet waits for the one before it, so punctual ones are rare and none is lost."""
    rng = np.random.default_rng(seed)
    period_s = (1 + rng.uniform(-0.004, 0.004)) * 1e-3
    left = np.arange(9000) * 20 * period_s
    arrival = np.maximum.accumulate(left + 0.03 + rng.gamma(1.7, 0.03, len(left)))
    clock = sensor_clock(np.repeat(arrival, 20), np.zeros(180_000, dtype=np.int64), 1000.0)
    assert clock.n_lost == 0
    true = left[np.arange(180_000) // 20] + 0.03 + (np.arange(180_000) % 20) * period_s
    assert np.ptp(clock.time_s - true) < 0.004


def test_lost_packets_among_queueing_ones_are_counted() -> None:
    rng = np.random.default_rng(9)
    left = np.arange(6000) * 0.020
    arrival = np.maximum.accumulate(left + 0.03 + rng.gamma(1.5, 0.03, len(left)))
    kept = np.ones(len(left), dtype=bool)
    kept[1500:1503] = kept[4000] = False
    clock = sensor_clock(np.repeat(arrival[kept], 20), np.zeros(20 * int(kept.sum()), dtype=np.int64), 1000.0)
    assert clock.n_lost == 80


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("modulo", "rate_hz"), [(16, 1000.0), (8, 200.0)])
def test_a_small_counter_in_packets_tells_losses_from_stalls(seed: int, modulo: int, rate_hz: float) -> None:
    rng = np.random.default_rng([seed, modulo])
    n = round(90 * rate_hz)
    tick = np.arange(n) / rate_hz * (1 + rng.uniform(-3e-3, 3e-3))  # the nominal rate is a little wrong
    packet = np.arange(n) // 2
    ready = tick[1::2] + 0.02
    # The radio takes turns each 15 ms, one in ten fails, and the stack adds a little.
    turns = np.arange(0.0, tick[-1] + 3.0, 0.015)
    turns = turns[rng.random(len(turns)) > 0.1]
    which = np.searchsorted(turns, ready)
    came = np.maximum.accumulate(turns[which] + rng.exponential(0.001, len(turns))[which])
    for at in (20.0, 50.0):  # the link stalls, then all comes at once: late, not lost
        stalled = (came > at) & (came < at + 1.3)
        came[stalled] = at + 1.3
    came = np.maximum.accumulate(came)
    keep = rng.random(n) > 0.002  # single corrupt frames
    keep[round(35 * rate_hz) : round(35 * rate_hz) + 5 * modulo + 3] = False  # more than it can count
    index = np.flatnonzero(keep)
    clock = sensor_clock(came[packet][keep], np.zeros(len(index), dtype=np.int64), rate_hz, index % modulo, modulo)
    right = clock.epochs[0].index == index - index[0]
    # What is late just before a long loss may be laid behind it; everything else is exact.
    assert np.sum(~right) <= 20 and np.all(np.abs(np.flatnonzero(~right) - np.argmax(np.diff(index))) < 64)
    # The earliest arrivals are those of a packet's second sample.
    assert np.max(np.abs(clock.time_s - tick[keep] - 0.02)[right]) < 0.003


@pytest.mark.parametrize("turn_s", [0.024, 0.0075])
def test_lines_without_a_rate_that_share_notifications_are_laid_out_evenly(turn_s: float) -> None:
    rng = np.random.default_rng(5)
    tick = np.arange(4000) * 0.01
    # The radio takes its turn each 24 ms, so that two or three lines end in each notification; or more often than
    # there are lines, so that single steps are its own.
    turn = np.unique(np.ceil((tick + 0.03) / turn_s), return_inverse=True)[1]
    came = np.maximum.accumulate(np.ceil((tick + 0.03) / turn_s) * turn_s + rng.exponential(0.001, 4000))
    came = np.array([came[turn == k].max() for k in range(turn.max() + 1)])[turn]
    clock = sensor_clock(came, np.zeros(4000, dtype=np.int64), 0.0)
    assert clock.period_s == pytest.approx(0.01, rel=1e-3)
    assert clock.n_lost == 0
    offset = clock.time_s - tick
    assert np.ptp(offset) < 0.004


def test_one_lost_frame_of_a_waveform_is_no_gap_and_one_lost_level_is() -> None:
    for rate_hz, n_missing, n_runs in ((1000.0, 1, 1), (1000.0, 15, 1), (1000.0, 40, 2), (10.0, 1, 2)):
        index = np.concatenate([np.arange(200), np.arange(200 + n_missing, 400)])
        clock = sensor_clock(index / rate_hz, np.zeros(len(index), dtype=np.int64), rate_hz, index)
        assert clock.n_lost == n_missing
        assert len(np.unique(clock.run)) == n_runs and len(clock.gaps_s) == n_runs - 1


@pytest.mark.parametrize("seed", [0, 2, 4])
@pytest.mark.parametrize("lost", [0, 83])
def test_a_small_counter_does_not_go_round_because_packets_queue(seed: int, lost: int) -> None:
    rng = np.random.default_rng(seed)
    period_s = (1 + rng.uniform(-0.004, 0.004)) * 1e-3
    left = np.arange(4500) * 20 * period_s
    arrival = np.repeat(np.maximum.accumulate(left + 0.03 + rng.gamma(1.7, 0.03, len(left))), 20)
    keep = np.ones(90_000, dtype=bool)
    keep[40_000 : 40_000 + lost] = False
    index = np.flatnonzero(keep)
    clock = sensor_clock(arrival[keep], np.zeros(len(index), dtype=np.int64), 1000.0, index % 16, 16)
    # Without a loss nothing is made up. Of a long one among queueing packets, the place and one round are uncertain.
    assert abs(clock.n_lost - lost) <= (16 if lost else 0)
    wrong = np.flatnonzero(np.abs(clock.epochs[0].index - index) > 16)
    assert np.all(np.abs(wrong - 40_000) < 500) and len(wrong) <= (500 if lost else 0)


@pytest.mark.parametrize("n", [3, 50, 2000])
def test_a_counter_that_stands_still_is_not_believed(n: int) -> None:
    rng = np.random.default_rng(n)
    arrival_s = 0.1 * np.arange(n) + rng.exponential(0.01, n)
    stuck = sensor_clock(arrival_s, np.zeros(n, dtype=np.int64), 10.0, np.full(n, 7), 256)
    without = sensor_clock(arrival_s, np.zeros(n, dtype=np.int64), 10.0)
    assert stuck.index_inferred
    np.testing.assert_array_equal(stuck.time_s, without.time_s)


@pytest.mark.parametrize("counter", [None, np.arange(5)])
def test_an_epoch_of_one_packet_makes_no_line_and_no_error(counter: IntArray | None) -> None:
    """A link that is lost again after its first notification."""
    clock = sensor_clock(np.full(5, 3.0), np.zeros(5, dtype=np.int64), 100.0, counter)
    assert clock.time_s == pytest.approx([2.96, 2.97, 2.98, 2.99, 3.0])
    assert clock.period_s == 0.01 and clock.n_lost == 0


@given(
    head=st.integers(3, 60),
    tail=st.integers(1, 20),
    counted=st.booleans(),
    jitter_s=st.floats(0.0, 1e-3),
)
def test_a_link_that_begins_with_one_burst_keeps_the_profiles_rate(
    head: int, tail: int, counted: bool, jitter_s: float
) -> None:
    """Below values of one instant no line runs that has a period; the profile's is kept, and no time stands still."""
    n = head + tail
    arrival_s = np.concatenate([np.zeros(head), 0.01 * np.arange(1, tail + 1) + jitter_s])
    clock = sensor_clock(arrival_s, np.zeros(n, dtype=np.int64), 100.0, np.arange(n) if counted else None)
    assert 0.005 < clock.period_s < 0.02
    assert np.all(np.diff(clock.time_s) >= 0) and clock.time_s[0] < clock.time_s[-1]


@given(
    seed=st.integers(0, 10_000),
    packet=st.sampled_from([1, 1, 5, 13]),
    modulo=st.sampled_from([None, 0, 16, 256]),
    lost=st.sampled_from([0.0, 0.01, 0.05]),
    size=st.integers(7, 400),
)
@example(seed=126, packet=1, modulo=None, lost=0.0, size=7)
@example(seed=312, packet=13, modulo=None, lost=0.0, size=7)
@settings(max_examples=40, deadline=None)
def test_in_small_blocks_it_is_the_same(seed: int, packet: int, modulo: int | None, lost: float, size: int) -> None:
    """A column longer than memory is gone through in pieces; nothing may depend on where they are cut."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 3000))
    ticks = rng.uniform(0, 500) + 0.01 * (1 + rng.normal(0.0, 1e-4)) * np.arange(n)
    sent = np.minimum(np.arange(n) // packet * packet + packet - 1, n - 1)
    arrival = np.maximum.accumulate(ticks + rng.exponential(0.01, n))[sent]
    keep = np.repeat(rng.random(n) >= lost, packet)[:n]
    keep[0] = True
    index, arrival = np.flatnonzero(keep), arrival[keep]
    epoch = (np.arange(len(index)) >= rng.integers(1, n + 1)).astype(np.int64)
    counter = None if modulo is None else index % modulo if modulo else index
    whole = sensor_clock(arrival, epoch, 100.0, counter, modulo or 0)
    with block_rows(size):
        cut = sensor_clock(arrival, epoch, 100.0, counter, modulo or 0)
    for one, other in zip(whole.epochs, cut.epochs, strict=True):
        np.testing.assert_array_equal(one.index, other.index)
        assert one.ci95_s == pytest.approx(other.ci95_s, rel=1e-9, nan_ok=True)
        assert one.rate_ci95_ppm == pytest.approx(other.rate_ci95_ppm, rel=1e-9, nan_ok=True)
    np.testing.assert_array_equal(whole.run, cut.run)
    np.testing.assert_allclose(whole.time_s, cut.time_s, atol=1e-9)
    np.testing.assert_allclose(whole.lateness_s, cut.lateness_s, atol=1e-9)
    np.testing.assert_allclose(whole.gaps_s, cut.gaps_s, atol=1e-9)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="this system does not list open files")
def test_a_sensor_that_lost_its_link_often_takes_no_more_files() -> None:
    n_epochs, n = 400, 30
    epoch = np.repeat(np.arange(n_epochs), n)
    arrival_s = 0.1 * np.arange(n_epochs * n) + 5.0 * epoch
    before = len(list(Path("/proc/self/fd").iterdir()))
    clock = sensor_clock(arrival_s, epoch, 10.0)
    assert len(clock.epochs) == n_epochs
    assert len(list(Path("/proc/self/fd").iterdir())) - before < 6


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="this system tells memory in its own way")
def test_memory_does_not_grow_with_a_fast_sensor_s_hours() -> None:
    """Two hours at 1 kHz in packets of 20, counted and not: a column alone takes 58 MB."""
    script = (
        "import numpy as np\n"
        "from benchmarks.throughput.child import AnonymousPeak, anonymous_bytes\n"
        "from dataset.support.disk_arrays import blocks, full\n"
        "from sync.clock.sensor_clock import sensor_clock\n"
        "n, rng = 7_200_000, np.random.default_rng(1)\n"
        "arrival, epoch, counter = full((n,), 0.0), full((n,), 0, np.int64), full((n,), 0, np.int64)\n"
        "last = 0.0\n"
        "for rows in blocks(arrival, size=60_000):\n"
        "    sent = np.arange(rows.start, rows.stop, 20)\n"
        "    came = np.maximum(last, np.maximum.accumulate(1e-3 * sent + rng.exponential(0.01, len(sent))))\n"
        "    arrival[rows], counter[rows] = np.repeat(came, 20), np.arange(rows.start, rows.stop) % 256\n"
        "    last = came[-1]\n"
        "before = anonymous_bytes()\n"
        "with AnonymousPeak() as anonymous:\n"
        "    for counted in ((counter, 256), ()):\n"
        "        clock = sensor_clock(arrival, epoch, 1000.0, *counted)\n"
        "        assert clock.n_lost == 0\n"
        "print((anonymous.peak_bytes - before) / 2**20)\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=600)
    assert float(ran.stdout) < 30.0
