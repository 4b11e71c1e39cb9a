"""The box's microseconds on the host's clock."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquire.boxclock import WRAP_US, Exchange, host_time, unwrap_us


@given(st.integers(min_value=0, max_value=1 << 40), st.integers(min_value=-(1 << 30), max_value=1 << 30))
def test_unwrapping_finds_the_nearest_count(previous: int, step: int) -> None:
    true = max(0, previous + step)
    assert unwrap_us(previous, true % WRAP_US) == true


@pytest.mark.parametrize("rate", [0.9965, 1.0, 1.00004, 1.004])
def test_host_time_is_within_its_stated_uncertainty(rate: float) -> None:
    rng = np.random.default_rng(round(rate * 1e6))
    zero_ns, start_us = 3_000_000_000, 5_000_000

    def box_us(host_ns: float) -> int:
        return start_us + int((host_ns - zero_ns) / 1000 * rate)

    inside, errors_ms = 0, []
    for trial in range(200):
        flash_ns = zero_ns + 2e9 + trial * 1e8
        exchanges = []
        for at_s in (*(-1.0 + 0.005 * np.arange(6)), *(0.01 + 0.005 * np.arange(6))):
            there, back = rng.exponential(1e6, 2) + 2e5
            sent = flash_ns + at_s * 1e9
            exchanges.append(
                Exchange(sent_ns=round(sent), received_ns=round(sent + there + back), box_us=box_us(sent + there))
            )
        t_ns, uncertainty_ns = host_time(exchanges, box_us(flash_ns))
        errors_ms.append((t_ns - flash_ns) * 1e-6)
        inside += abs(t_ns - flash_ns) <= uncertainty_ns + 1000
    assert inside >= 190
    assert np.median(np.abs(errors_ms)) < 0.5


def test_one_exchange_is_enough_and_none_is_refused() -> None:
    one = Exchange(sent_ns=1_000_000, received_ns=3_000_000, box_us=70)
    assert host_time([one], 70) == (2_000_000, 1_000_000)
    with pytest.raises(ValueError, match="no exchange"):
        host_time([], 0)
