"""Braille traces and big words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from acquire.screen.drawing import BIG_ROWS, big_text, binned, braille_trace, nice_range

VALUES = st.lists(st.floats(0, 1023), max_size=200)


def heights(rows: list[str]) -> list[int]:
    """Return the number of lit dots in each dot column."""
    return [
        sum(((ord(row[at]) - 0x2800) & bits).bit_count() for row in rows)
        for at in range(len(rows[0]))
        for bits in (0x47, 0xB8)
    ]


@given(VALUES, st.integers(1, 40), st.integers(1, 6))
def test_a_trace_fills_its_box_and_higher_values_are_higher(values: list[float], width: int, height: int) -> None:
    rows = braille_trace(values, width, height, 0, 1023)
    assert len(rows) == height and all(len(row) == width for row in rows)
    shown = values[-2 * width :]
    dots = heights(rows)
    assert dots[: 2 * width - len(shown)] == [0] * (2 * width - len(shown))
    of_values = dots[2 * width - len(shown) :]
    assert all(1 <= n <= 4 * height for n in of_values)
    by_value = [n for _, n in sorted(zip(shown, of_values, strict=True))]
    assert by_value == sorted(by_value)


def test_a_value_that_is_not_there_leaves_a_blank() -> None:
    assert heights(braille_trace([5, None, 5, 5], 2, 1, 0, 5)) == [4, 0, 4, 4]


@given(st.lists(st.integers(0, 9), min_size=30, max_size=60), st.floats(0.2, 7), st.integers(0, 20))
def test_bins_keep_their_edges_while_values_come_in(values: list[int], size: float, n_before: int) -> None:
    whole = [float(v) for v in values]
    earlier = binned(whole[:-5], n_before, size)
    later = binned(whole, n_before, size)
    assert later[: len(earlier) - 1] == earlier[:-1]


@given(VALUES, st.floats(1, 100))
def test_the_range_holds_every_value_and_is_never_too_small(values: list[float], span: float) -> None:
    low, high = nice_range(values, span)
    assert high - low >= span * 0.999999
    assert all(low <= v <= high for v in values)


@given(st.text(alphabet="ABCMNWXYZ 0123456789.:-", min_size=1, max_size=12), st.integers(3, 90))
def test_big_words_never_leave_their_box(text: str, width: int) -> None:
    rows = big_text(text, width)
    assert len(rows) == BIG_ROWS and all(len(row) <= width for row in rows)
    assert any(row.strip() for row in rows) or not text.strip()
