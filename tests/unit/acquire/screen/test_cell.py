"""What a sensor's cell tells: the last second's loss, the end of the range, states by sign."""

from __future__ import annotations

import pytest

from acquire.screen.cell import Loss, clipped
from tests.unit.acquire.screen import frozen


def test_the_loss_is_that_of_the_last_second() -> None:
    loss = Loss()
    shares = [loss.add(0.1 * n, n if n < 30 else 30, n) for n in range(60)]
    assert shares[:9] == [None] * 9, "nothing is said before a second has passed"
    assert set(shares[12:30]) == {0.0}
    assert shares[35] == pytest.approx(0.6, abs=0.11)
    assert shares[45] == 1.0, "nothing came for longer than a second"


def test_counting_anew_begins_anew() -> None:
    loss = Loss()
    for n in range(30):
        loss.add(0.1 * n, 100 + n, 100 + n)
    assert loss.add(3.0, 0, 0) is None
    assert loss.add(3.1, 1, 1) is None


def test_a_sensor_without_a_rate_has_no_loss() -> None:
    loss = Loss()
    assert all(loss.add(0.1 * n, n, 0) is None for n in range(30))


@pytest.mark.parametrize(
    ("trace", "is_clipped"),
    [((500.0,) * 20, False), ((500.0, 1023.0), True), ((1023.0, *(500.0,) * 20), False), ((), False)],
)
def test_clipping_is_that_of_the_last_second(trace: tuple[float, ...], is_clipped: bool) -> None:
    assert clipped(frozen.sensor(1, trace=trace)) is is_clipped
