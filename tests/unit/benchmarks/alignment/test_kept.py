"""Scores come back from the file as they were, and a line that a kill cut off costs its own session alone."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from benchmarks.alignment.kept import code_version, keep, kept
from benchmarks.alignment.score import Score
from dataset.support.errors import InputError

_ACCEPTED = Score(
    stratum="well_posed", estimator="ours", seed=3, stream="video", accepted=True, error_s=np.array([0.001, -0.002]),
    half_width_s=np.array([0.003, 0.004]), frame_s=0.04, rolling=True,
    reason="all streams are aligned within the limits",
)  # fmt: skip
_REFUSED = Score(stratum="nothing", estimator="ours", seed=4, stream="video", accepted=False)


def test_scores_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "scores.jsonl"
    keep(path, "v", "well_posed", 3, [_ACCEPTED])
    keep(path, "v", "nothing", 4, [_REFUSED, _REFUSED])
    back = list(kept(path, "v"))
    assert [(name, seed, len(scores)) for name, seed, scores in back] == [("well_posed", 3, 1), ("nothing", 4, 2)]
    np.testing.assert_equal(asdict(back[0][2][0]), asdict(_ACCEPTED))
    np.testing.assert_equal(asdict(back[1][2][0]), asdict(_REFUSED))


def test_a_line_that_was_cut_off_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "scores.jsonl"
    assert list(kept(path, "v")) == []
    keep(path, "v", "well_posed", 3, [_ACCEPTED])
    keep(path, "v", "nothing", 4, [_REFUSED])
    path.write_text(path.read_text()[:-9])
    assert [seed for _, seed, _ in kept(path, "v")] == [3]
    keep(path, "v", "nothing", 4, [_REFUSED])
    assert [seed for _, seed, _ in kept(path, "v")] == [3, 4]


def test_scores_of_other_code_and_other_files_are_not_taken_for_ours(tmp_path: Path) -> None:
    path = tmp_path / "scores.jsonl"
    keep(path, code_version(rivals=False), "well_posed", 3, [_ACCEPTED])
    with pytest.raises(InputError, match="other code"):
        list(kept(path, code_version(rivals=True)))
    other = tmp_path / "other.json"
    other.write_text('[{"error_s": []}]')
    with pytest.raises(InputError, match="no scores"):
        list(kept(other, "v"))
    assert other.read_text() == '[{"error_s": []}]'
