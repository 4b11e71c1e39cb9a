"""Blocks hold every prompt of a schedule once, whatever the protocol."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from acquire.protocol.blocks import blocks_of
from acquire.protocol.protocol import Exercise, Protocol, SyncSequence
from acquire.protocol.schedule import build_schedule

CHANNELS = ("left_biceps", "right_biceps", "left_triceps")


@given(
    seed=st.integers(0, 1000),
    claps=st.integers(0, 5),
    stomps=st.integers(0, 5),
    n_exercises=st.integers(0, 4),
    n_channels=st.integers(0, 3),
)
def test_every_prompt_is_in_one_block(seed: int, claps: int, stomps: int, n_exercises: int, n_channels: int) -> None:
    protocol = Protocol(
        name="p",
        sync=SyncSequence(claps=claps, stomps=stomps),
        exercises=tuple(Exercise(name=f"e{i}", seconds=2) for i in range(n_exercises)),
    )
    prompts = build_schedule(protocol, seed, calibrate=CHANNELS[:n_channels]).prompts
    blocks = blocks_of(prompts)
    assert [i for b in blocks for i in range(b.first, b.last + 1)] == list(range(len(prompts)))
    sync = ["sync"] if claps + stomps else []
    assert [b.kind for b in blocks] == ["calibration"] * n_channels + sync + ["exercise"] * n_exercises + sync
    assert [b.label for b in blocks if b.kind == "calibration"] == list(CHANNELS[:n_channels])
    assert all(b.start_s <= b.stop_s for b in blocks)


def test_a_lone_flash_is_in_none() -> None:
    assert blocks_of(()) == ()
