from __future__ import annotations

import uuid
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset.pose.skeleton import JOINT
from dataset.session.types import Aligned, ChannelTable, EventTable, ExerciseTable, Session, VideoInfo
from dataset.support.errors import InputError
from dataset.windows import windows_from_sessions

CHANNELS = ("left_biceps", "right_biceps")


def session(
    segment: list[int], exercise: list[str] | None = None, *, subject: str = "A", in_3d: bool = True
) -> Session:
    """Return a session whose sEMG counts its rows and whose keypoints move steadily."""
    n, c = len(segment), len(CHANNELS)
    rows = np.arange(n, dtype=np.float64)
    blank = ("",) * c
    moving = rows[:, None, None] + np.linspace(0, 5, 25)[None, :, None]
    return Session(
        subject=subject,
        session_uuid=str(uuid.uuid4()),
        created_utc="2026-01-01T00:00:00+00:00",
        zero_host_ns=0,
        verdict="PASS",
        verdict_reason="",
        rate_hz=10.0,
        channels=ChannelTable(
            name=CHANNELS,
            muscle=blank,
            side=blank,
            unit=("counts",) * c,
            profile=blank,
            serial=blank,
            placement=blank,
            electrode=blank,
        ),
        emg={},
        events=EventTable(time_s=np.zeros(0), uncertainty_s=np.zeros(0), kind=(), label=(), source=()),
        exercises=ExerciseTable(name=(), start_s=np.zeros(0), stop_s=np.zeros(0)),
        sync={},
        aligned=Aligned(
            time_s=rows / 10,
            emg=np.stack([rows, rows + 1000], axis=1),
            emg_valid=np.ones((n, c), dtype=np.bool_),
            segment=np.array(segment, dtype=np.int64),
            exercise=tuple(exercise or [""] * n),
            keypoints_3d=np.repeat(moving, 3, axis=2) if in_3d else None,
            keypoints_2d=np.repeat(moving, 2, axis=2) * 10,
        ),
        provenance=(),
        video=VideoInfo(
            frame_time_s=rows / 30, frame_index=np.arange(n), file="v.mkv", sha256="", width=640, height=480
        ),
    )


def with_gap(whole: Session, rows: slice, joint: str) -> Session:
    keypoints = np.array(whole.aligned.keypoints_3d)
    keypoints[rows, JOINT[joint]] = np.nan
    return replace(whole, aligned=replace(whole.aligned, keypoints_3d=keypoints))


runs = st.lists(st.tuples(st.integers(1, 60), st.sampled_from(["", "squat", "twist"]), st.booleans()), max_size=6)


@settings(deadline=None, max_examples=60)
@given(runs=runs, stride=st.integers(1, 40), length=st.integers(1, 35))
def test_no_window_straddles_a_segment_or_an_exercise(
    runs: list[tuple[int, str, bool]], stride: int, length: int
) -> None:
    segment, exercise = [0] * length, ["squat"] * length
    for n, name, breaks in runs:
        segment += [segment[-1] + breaks] * n
        exercise += [name] * n
    windows = windows_from_sessions([session(segment, exercise)], length=length, stride=stride)
    for i in range(len(windows)):
        rows = slice(int(windows.start_row[i]), int(windows.start_row[i]) + length)
        assert set(exercise[rows]) == {windows.exercise[i]} != {""}
        assert len(set(segment[rows])) == 1
        np.testing.assert_array_equal(windows.emg[i, :, 0], np.arange(rows.start, rows.stop))
        assert windows.stop_s[i] - windows.start_s[i] == pytest.approx(length / 10)
    edges = [0, *(i for i, (a, b) in enumerate(pairwise(zip(segment, exercise, strict=True)), 1) if a != b)]
    lengths = [b - a for a, b in pairwise([*edges, len(segment)])]
    expected = sum(
        (n - length) // stride + 1 for a, n in zip(edges, lengths, strict=True) if n >= length and exercise[a]
    )
    assert len(windows) == expected


def test_every_row_counts_where_no_exercise_is_labelled() -> None:
    assert len(windows_from_sessions([session([0] * 60)], stride=30)) == 2


def test_a_rest_between_two_runs_of_an_exercise_makes_two_runs() -> None:
    names = ["squat"] * 30 + [""] * 5 + ["squat"] * 30
    windows = windows_from_sessions([session([0] * 65, names)])
    assert len(set(windows.run.tolist())) == 2


def test_a_gap_in_the_grid_does_not_make_a_new_run() -> None:
    windows = windows_from_sessions([session([0] * 30 + [1] * 30, ["squat"] * 60)])
    assert len(windows) == 2
    assert len(set(windows.run.tolist())) == 1


def test_short_gaps_of_a_joint_are_bridged_on_the_line_between_their_ends() -> None:
    whole = session([0] * 30)
    gappy = with_gap(whole, slice(10, 15), "left_knee")
    np.testing.assert_allclose(
        windows_from_sessions([gappy]).keypoints, windows_from_sessions([whole]).keypoints, rtol=1e-6
    )


def test_long_gaps_and_open_ends_stay_missing() -> None:
    gappy = with_gap(with_gap(session([0] * 30), slice(10, 16), "left_knee"), slice(0, 2), "nose")
    missing = np.isnan(windows_from_sessions([gappy]).keypoints[0]).any(-1)
    assert missing.sum() == 8


def test_no_gap_is_bridged_across_segments() -> None:
    gappy = with_gap(session([0] * 30 + [1] * 30), slice(29, 31), "nose")
    assert np.isnan(windows_from_sessions([gappy]).keypoints).any(-1).sum() == 2


def test_windows_without_a_person_or_without_emg_are_left_out_and_counted() -> None:
    base = session([0] * 30 + [1] * 30 + [2] * 30)
    keypoints, valid = np.array(base.aligned.keypoints_3d), np.array(base.aligned.emg_valid)
    keypoints[:20] = np.nan
    valid[30:60] = False
    broken = replace(base, aligned=replace(base.aligned, keypoints_3d=keypoints, emg_valid=valid))
    windows = windows_from_sessions([broken])
    assert windows.start_row.tolist() == [60]
    assert windows.n_incomplete == 2


def test_values_that_are_not_valid_are_nan() -> None:
    base = session([0] * 30)
    valid = np.array(base.aligned.emg_valid)
    valid[3, 1] = False
    windows = windows_from_sessions([replace(base, aligned=replace(base.aligned, emg_valid=valid))])
    assert np.isnan(windows.emg[0, 3, 1])
    assert np.isfinite(windows.emg).sum() == 59 == windows.valid.sum()


def test_2d_keypoints_are_used_where_one_session_lacks_3d() -> None:
    windows = windows_from_sessions([session([0] * 30), session([0] * 30, in_3d=False)])
    assert windows.keypoints.shape == (2, 30, 25, 2)
    assert windows.image_xy is not None
    np.testing.assert_allclose(windows.image_xy, windows.keypoints / np.array([640, 480]), rtol=1e-6)


def test_2d_keypoints_can_be_asked_for_and_3d_only_where_there_are_any() -> None:
    assert windows_from_sessions([session([0] * 30)], n_dims=2).keypoints.shape[-1] == 2
    with pytest.raises(InputError, match="lacks the keypoints"):
        windows_from_sessions([session([0] * 30, in_3d=False)], n_dims=3)


def test_short_sets_use_every_start_and_long_ones_every_fifth() -> None:
    assert windows_from_sessions([session([0] * 100)]).stride == 1
    assert windows_from_sessions([session([0] * 6001)]).stride == 5


def test_taking_windows_keeps_what_belongs_together() -> None:
    windows = windows_from_sessions([session([0] * 40), session([0] * 40, subject="B")])
    some = windows.take(np.array([3, 15]))
    assert some.subject.tolist() == ["A", "B"]
    np.testing.assert_array_equal(some.emg[0], windows.emg[3])
    assert some.recordings == windows.recordings


def _other_channels() -> list[Session]:
    other = session([0] * 30)
    return [session([0] * 30), replace(other, channels=replace(other.channels, name=("left_biceps", "left_lats")))]


def _twice() -> list[Session]:
    one = session([0] * 30)
    return [one, one]


def _no_keypoints() -> list[Session]:
    one = session([0] * 30)
    return [replace(one, aligned=replace(one.aligned, keypoints_2d=None, keypoints_3d=None))]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (list, "no sessions"),
        (lambda: [session([0] * 29)], "no whole window"),
        (_other_channels, "left_lats"),
        (_twice, "same session"),
        (_no_keypoints, "no keypoints"),
    ],
)
def test_what_cannot_be_cut_is_named(make: object, says: str) -> None:
    with pytest.raises(InputError, match=says):
        windows_from_sessions(make())  # type: ignore[operator]
