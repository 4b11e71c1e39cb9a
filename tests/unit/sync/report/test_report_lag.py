"""What the report says of the lag probe is no stronger than the probe's own interval."""

from __future__ import annotations

import math

import pytest

from sync.quality.lag_probe import LagProbe
from sync.report.lag import _in_words


@pytest.mark.parametrize(
    ("lag_s", "ci95_s", "said"),
    [
        (0.05, 0.05, ")."),
        (0.16, 0.27, "no conclusion."),
        (0.16, 0.10, "check the alignment, and which movement it was."),
        (0.80, 0.27, "check the alignment, and which movement it was."),
        (0.80, math.nan, "check the alignment, and which movement it was."),
    ],
)
def test_the_alignment_is_doubted_where_the_lag_is_beyond_its_interval(lag_s: float, ci95_s: float, said: str) -> None:
    words = _in_words(LagProbe(lag_s=lag_s, ci95_s=ci95_s, r=0.66, r_at_zero=0.6, muscle="quadriceps"))
    assert words.endswith(said)
