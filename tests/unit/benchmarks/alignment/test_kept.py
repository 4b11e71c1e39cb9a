"""Scores come back from the file as they were, and a line that a kill cut off costs its own session alone."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np

from benchmarks.alignment.kept import keep, kept
from benchmarks.alignment.score import Score

_ACCEPTED = Score(
    stratum="well_posed", estimator="ours", seed=3, stream="video", accepted=True, error_s=np.array([0.001, -0.002]),
    half_width_s=np.array([0.003, 0.004]), frame_s=0.04, rolling=True, reason="every stream is within its bounds",
)  # fmt: skip
_REFUSED = Score(stratum="nothing", estimator="ours", seed=4, stream="video", accepted=False)


def test_scores_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "scores.jsonl"
    keep(path, "well_posed", 3, [_ACCEPTED])
    keep(path, "nothing", 4, [_REFUSED, _REFUSED])
    back = list(kept(path))
    assert [(name, seed, len(scores)) for name, seed, scores in back] == [("well_posed", 3, 1), ("nothing", 4, 2)]
    np.testing.assert_equal(asdict(back[0][2][0]), asdict(_ACCEPTED))
    np.testing.assert_equal(asdict(back[1][2][0]), asdict(_REFUSED))


def test_a_line_that_was_cut_off_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "scores.jsonl"
    assert list(kept(path)) == []
    keep(path, "well_posed", 3, [_ACCEPTED])
    keep(path, "nothing", 4, [_REFUSED])
    path.write_text(path.read_text()[:-9])
    assert [seed for _, seed, _ in kept(path)] == [3]
    keep(path, "nothing", 4, [_REFUSED])
    assert [seed for _, seed, _ in kept(path)] == [3, 4]
