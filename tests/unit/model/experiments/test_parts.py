"""No frame of a training window is in a test window, nor in a validation window, whatever the parts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset.importers.mia import import_mia
from dataset.session.file import read_session
from dataset.splits import split_for_experiment
from dataset.support.errors import InputError
from dataset.windows import Windows, windows_from_sessions

Maker = Callable[..., Path]
LENGTH = 30
EXERCISES = ("running", "skater", "squat")


def frames(windows: Windows, rows: np.ndarray) -> set[tuple[int, int]]:
    """Return every (recording, frame) that the windows hold, counted one by one."""
    return {
        (int(windows.recording[i]), round(float(windows.start_s[i]) * windows.rate_hz) + k)
        for i in rows
        for k in range(windows.length)
    }


@st.composite
def sets_of_windows(draw: st.DrawFn) -> Windows:
    """Recordings of up to three subjects: passes of exercises of any length, at any stride, with any pause between."""
    stride = draw(st.sampled_from((1, 5, 7, 30, 40)))
    subject, exercise, recording, run, start = [], [], [], [], []
    n_recordings = draw(st.integers(1, 7))
    for r in range(n_recordings):
        who = f"S{draw(st.integers(0, 2))}"
        at = 0
        for number in range(draw(st.integers(1, 5))):
            what = draw(st.sampled_from(EXERCISES))
            for _ in range(draw(st.integers(1, 9))):
                subject.append(who)
                exercise.append(what)
                recording.append(r)
                run.append(number)
                start.append(at)
                at += stride
            at += LENGTH + draw(st.integers(0, 50))
    n = len(start)
    start_s = np.array(start) / 10.0
    return Windows(
        keypoints=np.zeros((n, LENGTH, 25, 3), dtype=np.float32), image_xy=None, emg=np.zeros((n, LENGTH, 8)),
        valid=np.ones((n, LENGTH, 8), dtype=np.bool_), subject=np.array(subject), exercise=np.array(exercise),
        recording=np.array(recording), run=np.array(run), start_row=np.array(start), start_s=start_s,
        stop_s=start_s + LENGTH / 10.0, channels=tuple(f"left_{i}" for i in range(8)), unit="counts",
        recordings=tuple(f"r{r}" for r in range(n_recordings)), rate_hz=10.0, stride=stride, n_incomplete=0,
    )  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(windows=sets_of_windows(), choice=st.integers(0, 100))
def test_no_frame_is_in_two_parts(windows: Windows, choice: int) -> None:
    subjects, exercises = np.unique(windows.subject), np.unique(windows.exercise)
    who, what = subjects[choice % len(subjects)], exercises[choice % len(exercises)]
    for name in ("in-distribution", f"exercise:{what}", f"subject:{who}", f"source:{who}", f"target:{who}:{what}"):
        try:
            parts = split_for_experiment(windows, name)
        except InputError:
            continue
        train, validation, test = (frames(windows, rows) for rows in (parts.train, parts.validation, parts.test))
        assert not train & test
        assert not validation & test
        assert not train & validation
        if name.startswith("exercise"):
            assert set(windows.exercise[parts.test]) == {what}
            assert what not in windows.exercise[parts.known]
        if name.startswith("subject"):
            assert set(windows.subject[parts.test]) == {who}
            assert who not in windows.subject[parts.known]
        if name.startswith(("source", "target")):
            assert {*windows.subject[parts.known], *windows.subject[parts.test]} == {who}
        if name.startswith("target"):
            assert set(windows.exercise[parts.known]) == {what}


def passes(n_recordings: int, n_passes: int, make_session: Maker) -> Windows:
    made = [make_session(f"r{i}", seed=i, passes=n_passes, seconds=6.0) for i in range(n_recordings)]
    return windows_from_sessions([read_session(path) for path in made], stride=5)


def test_with_five_recordings_whole_ones_are_held_out(make_session: Maker) -> None:
    windows = passes(6, 2, make_session)
    parts = split_for_experiment(windows, "in-distribution")
    assert set(windows.recording[parts.test]) == {4, 5}
    assert not {4, 5} & set(windows.recording[parts.known])


def test_passes_held_out_lie_a_windows_length_from_the_others(make_session: Maker) -> None:
    windows = passes(2, 3, make_session)
    parts = split_for_experiment(windows, "in-distribution")
    start = windows.start_frame
    for one, other in ((parts.known, parts.test), (parts.train, parts.validation)):
        for i in other:
            same = one[
                (windows.recording[one] == windows.recording[i]) & (windows.exercise[one] == windows.exercise[i])
            ]
            assert len(same) == 0 or abs(start[same] - start[i]).min() >= 2 * windows.length
    assert set(windows.exercise[parts.test]) == set(windows.exercise)


def test_parts_that_would_be_empty_are_refused(make_session: Maker) -> None:
    windows = passes(1, 1, make_session)
    with pytest.raises(InputError, match="would be empty"):
        split_for_experiment(windows, "subject:nobody")
    with pytest.raises(InputError, match="no parts"):
        split_for_experiment(windows, "at random")


@pytest.mark.realdata
def test_the_published_squats_are_divided_as_their_baselines_were_measured(shared_data: Path, tmp_path: Path) -> None:
    results = import_mia(shared_data / "mia_squat" / "MIADatasetOfficial", tmp_path)
    windows = windows_from_sessions([read_session(r.path) for r in results])
    parts = split_for_experiment(windows, "in-distribution")
    assert len(parts.test) == 124
    assert len(parts.known) <= 516
    assert not frames(windows, parts.known) & frames(windows, parts.test)
