"""What a sensor's values tell apart from when they came."""

from __future__ import annotations

import numpy as np
import pytest

from sync.quality import sensor_entry


@pytest.mark.parametrize(
    ("value", "changes"),
    [
        ([], False),
        ([3.0], False),
        ([3.0, 3.0, 3.0], False),
        ([3.0, 3.0, 3.5], True),
        ([np.nan, np.nan], False),
        ([np.nan, 2.0, 2.0], False),
        ([2.0, np.nan, 3.0], True),
    ],
)
def test_a_value_changes_where_two_numbers_differ(value: list[float], changes: bool) -> None:
    assert sensor_entry._changes(np.array(value)) == changes
