"""Trial decodings and counters, on payloads whose meaning is known."""

from __future__ import annotations

import math
import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acquire.tools.trial import trial_decodings, what_counts_up

WAVE = [round(30_000 * math.sin(k / 9)) for k in range(200)]


@pytest.mark.parametrize(("kind", "code"), [("i16le", "<h"), ("i16be", ">h"), ("i32le", "<i"), ("f32le", "<f")])
def test_the_right_reading_of_a_smooth_signal_comes_first(kind: str, code: str) -> None:
    found = trial_decodings([struct.pack(code, v) for v in WAVE])
    assert found[0].kind == kind
    assert (found[0].low, found[0].high) == (min(WAVE), max(WAVE))
    assert found[0].last == (WAVE[-1],)


def test_text_is_told_as_text_and_numbers_in_it_as_numbers() -> None:
    assert trial_decodings([b"hello", b"world"])[0].last == "world"
    found = trial_decodings([b"12,5\n", b"13,6\n"])[0]
    assert (found.kind, found.last, found.low, found.high) == ("numbers", (13.0, 6.0), 5.0, 13.0)
    assert trial_decodings([]) == () == what_counts_up([])


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from([(8, "<B"), (16, "<H"), (32, "<I")]),
    st.integers(1, 5),
    st.integers(0, 2**16),
    st.integers(0, 4),
    st.integers(0, 2**32),
)
def test_a_counter_is_found_wherever_it_is(width: tuple[int, str], step: int, first: int, at: int, seed: int) -> None:
    bits, code = width
    rng = random.Random(seed)
    payloads = []
    for k in range(600):
        noise = rng.randbytes(6)
        count = struct.pack(code, (first + k * step) % 2**bits)
        payloads.append(noise[:at] + count + noise[at:])
    found = what_counts_up(payloads)
    best = found[0]
    assert (best.frame_bytes, best.step, best.share) == (6 + bits // 8, step, 1.0)
    # A wider counter whose upper bytes stand still looks like a narrower one, and is told as that.
    assert best.offset_bits == 8 * at and best.bits <= bits
    assert len(found) == 1


@pytest.mark.parametrize("sizes", [(3,), (3, 5, 4)])
def test_a_counter_in_half_a_byte_of_several_frames_a_payload_is_found(sizes: tuple[int, ...]) -> None:
    rng = random.Random(1)
    frames = [bytes([rng.randrange(256), (k % 16) << 4 | rng.randrange(16)]) for k in range(400)]
    payloads: list[bytes] = []
    at = 0
    while at < 380:
        n = sizes[len(payloads) % len(sizes)]
        payloads.append(b"".join(frames[at : at + n]))
        at += n
    (found,) = what_counts_up(payloads)
    assert (found.frame_bytes, found.offset_bits, found.bits, found.step) == (2, 12, 4, 1)
    assert found.wrapped and found.modulo == 16


def test_noise_counts_nothing() -> None:
    rng = random.Random(3)
    assert what_counts_up([rng.randbytes(8) for _ in range(500)]) == ()
    assert what_counts_up([bytes([7, 7])] * 50) == ()
