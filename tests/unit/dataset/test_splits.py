from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dataset.splits import SPLITS, inferred_stride, split_windows
from dataset.support.errors import InputError
from dataset.windows import Windows

LENGTH = 30


def windows(starts: list[list[int]], exercise: list[list[str]] | None = None) -> Windows:
    """Return windows that start at the given frames, a list a recording; each recording has a subject of its own."""
    flat = np.array([s for recording in starts for s in recording], dtype=np.int64)
    n = len(flat)
    names = [e for recording in exercise or [["squat"] * len(s) for s in starts] for e in recording]
    recording = np.repeat(np.arange(len(starts)), [len(s) for s in starts])
    changed = np.ones(n, dtype=np.int64)
    for i in range(1, n):
        changed[i] = int(names[i] != names[i - 1] or recording[i] != recording[i - 1])
    return Windows(
        keypoints=np.zeros((n, LENGTH, 25, 3), dtype=np.float32),
        image_xy=None,
        emg=np.zeros((n, LENGTH, 2)),
        valid=np.ones((n, LENGTH, 2), dtype=np.bool_),
        subject=np.array([f"S{r}" for r in recording], dtype=np.str_),
        exercise=np.array(names, dtype=np.str_),
        recording=recording,
        run=np.cumsum(changed),
        start_row=np.arange(n),
        start_s=flat / 10,
        stop_s=(flat + LENGTH) / 10,
        channels=("a", "b"),
        unit="counts",
        recordings=tuple(f"r{i}" for i in range(len(starts))),
        rate_hz=10.0,
        stride=1,
        n_incomplete=0,
    )


def frames(some: Windows, indices: np.typing.NDArray[np.int64]) -> set[tuple[int, int]]:
    """Return every frame of the windows, written out one by one."""
    return {(int(some.recording[i]), int(some.start_frame[i]) + k) for i in indices for k in range(LENGTH)}


recordings = st.lists(
    st.lists(
        st.tuples(st.integers(0, 70), st.sampled_from(["squat", "twist", "batting"]), st.integers(1, 5)),
        min_size=1,
        max_size=12,
    ),
    min_size=1,
    max_size=4,
)


@settings(deadline=None, max_examples=150)
@given(recordings=recordings, name=st.sampled_from(sorted(SPLITS)), seed=st.integers(0, 5))
def test_no_frame_of_a_training_window_is_in_a_test_window(
    recordings: list[list[tuple[int, str, int]]], name: str, seed: int
) -> None:
    starts: list[list[int]] = []
    exercise: list[list[str]] = []
    for recording in recordings:
        starts.append([])
        exercise.append([])
        at = 0
        for step, label, repeats in recording:
            for _ in range(repeats):
                at += step
                starts[-1].append(at)
                exercise[-1].append(label)
    some = windows(starts, exercise)
    try:
        split = split_windows(some, name, seed=seed)
    except InputError:
        assume(False)
    assert not frames(some, split.train) & frames(some, split.test)
    assert len(split.train) and len(split.test)
    assert not set(split.train) & set(split.test)
    assert split.n_dropped == len(some) - len(split.train) - len(split.test)


@settings(deadline=None)
@given(n=st.integers(60, 200), stride=st.integers(1, 29))
def test_time_gives_up_a_windows_length_at_the_boundary(n: int, stride: int) -> None:
    some = windows([[i * stride for i in range(n)]])
    dropped = math.ceil(LENGTH / stride)
    assume(int(0.8 * n) + dropped < n)
    split = split_windows(some, "time")
    assert split.train.tolist() == list(range(int(0.8 * n)))
    assert split.test.tolist() == list(range(int(0.8 * n) + dropped, n))
    assert split.embargo_frames == dropped * stride >= LENGTH
    assert inferred_stride(some, 0) == stride


def test_time_gives_nothing_up_where_windows_do_not_overlap() -> None:
    split = split_windows(windows([[i * 40 for i in range(10)], [i * 30 for i in range(5)]]), "time")
    assert split.train.tolist() == [*range(8), *range(10, 14)]
    assert split.test.tolist() == [8, 9, 14]
    assert split.embargo_frames == 0


def test_time_keeps_a_test_part_in_short_recordings_of_many_runs() -> None:
    starts = [run * 60 + i for run in range(8) for i in range(17)]
    some = windows([starts], [["squat"] * len(starts)])
    split = split_windows(some, "time")
    assert len(split.test) > 0
    assert not frames(some, split.train) & frames(some, split.test)


def test_pass_trains_on_the_first_run_of_each_exercise() -> None:
    names = ["squat"] * 3 + ["twist"] * 3 + ["squat"] * 3 + ["twist"] * 3
    starts = [run * 60 + i for run in range(4) for i in range(3)]
    split = split_windows(windows([starts], [names]), "pass")
    assert split.train.tolist() == list(range(6))
    assert split.test.tolist() == list(range(6, 12))


@pytest.mark.parametrize("name", ["recording", "subject"])
def test_whole_recordings_or_subjects_are_held_out(name: str) -> None:
    some = windows([[0, 40], [0, 40], [0, 40]])
    split = split_windows(some, name, seed=3)
    assert len(split.held_out) == 1
    assert set(some.subject[split.test]).isdisjoint(some.subject[split.train])


def test_what_is_named_is_held_out() -> None:
    some = windows([[0, 40, 80]], [["squat", "hook_punch", "twist"]])
    split = split_windows(some, "exercise", held_out=("HookPunch",))
    assert split.held_out == ("hook_punch",)
    assert split.test.tolist() == [1]


def test_the_seed_alone_decides_what_is_held_out() -> None:
    some = windows([[0, 40]] * 9)
    chosen = [split_windows(some, "recording", seed=s).held_out for s in range(20)]
    assert chosen == [split_windows(some, "recording", seed=s).held_out for s in range(20)]
    assert len(set(chosen)) > 1
    assert {len(c) for c in chosen} == {2}


@pytest.mark.parametrize(
    ("name", "held_out", "says"),
    [
        ("random", (), "no split 'random'"),
        ("subject", (), "at least two subjects"),
        ("exercise", ("jump",), "no exercise jump"),
        ("pass", (), "no window to test on"),
    ],
)
def test_splits_that_cannot_be_made_are_named(name: str, held_out: tuple[str, ...], says: str) -> None:
    with pytest.raises(InputError, match=says):
        split_windows(windows([[0, 40, 80, 120, 160]]), name, held_out=held_out)
