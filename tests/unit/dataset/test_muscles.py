"""Muscles and sides are read from names as laboratories write them, and nothing is read into other names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset.muscles import (
    CONTACT_OF_MUSCLE,
    MIA_CHANNELS,
    PAPER_CHANNELS,
    Place,
    channel_from_name,
    place_of,
    recognise,
)


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("biceps_left", "left_biceps"), ("Left_Triceps", "left_triceps"), ("LEFT_QUADRICEPS", "left_quadriceps"),
        ("left_biceps_femoris", "left_biceps_femoris"), ("right biceps", "right_biceps"),
        ("right-triceps", "right_triceps"), ("rightQuadriceps", "right_quadriceps"),
        ("right_hamstring", "right_hamstrings"), ("L Biceps", "left_biceps"), ("LT TRICEPS (uV)", "left_triceps"),
        ("RECTUS FEM. LT", "left_rectus_femoris"), ("L BF", "left_biceps_femoris"), ("BICEPS BR. LT", "left_biceps"),
        ("VASTUS LAT. RT", "right_vastus_lateralis"), ("LAT. GASTRO, LT", "left_gastrocnemius_lateralis"),
        ("R TIB.ANT.", "right_tibialis_anterior"), ("LTA", "left_tibialis_anterior"), ("rVL", "right_vastus_lateralis"),
        ("BicepsL", "left_biceps"), ("L BICEPS: EMG 3", "left_biceps"), ("UPPER TRAP. RT", "right_trapezius_upper"),
        ("GLUT MED R", "right_gluteus_medius"), ("LATISSIMUS D. LT", "left_lats"), ("Trapezius", "trapezius"),
        ("M. gastrocnemius caput mediale re", "right_gastrocnemius_medialis"), ("semitend l", "left_semitendinosus"),
        ("ERECTOR SPINAE LT", "left_erector_spinae"), ("FLEX.CARP.R. RT", "right_flexor_carpi_radialis"),
        ("adductor mag. L", "left_adductor_magnus"), ("deltoid_right", "right_deltoid"),
        ("Bíceps [mV] L", "left_biceps"),
    ],
)  # fmt: skip
def test_names_of_laboratories_are_read(name: str, stored: str) -> None:
    channel = recognise(name).channel
    assert channel is not None and channel.name == stored
    assert recognise(stored).channel == channel


@pytest.mark.parametrize(
    "name",
    ["", "EMG 1", "Marker", "L", "VASTUS L", "FLEX.CARP.R", "GLUT. M LT", "left right biceps", "Biceps long head L",
     "LED", "RES", "rest", "foo_left", "L BICEPS: ACC.X 1", "筋肉", "$"],
)  # fmt: skip
def test_names_that_say_something_else_or_more_keep_their_own(name: str) -> None:
    assert recognise(name).channel is None


def test_a_part_of_a_muscle_is_known_by_its_muscle() -> None:
    found = recognise("Biceps brachii long head L")
    assert (found.muscle, found.side, found.whole) == ("biceps", "left", False)
    assert recognise("FLEX.CARP.R").side == ""


MUSCLES = sorted({c.muscle for c in (*PAPER_CHANNELS, *MIA_CHANNELS)} | set(CONTACT_OF_MUSCLE))
SIDES = {"left": ("left", "Left", "LEFT", "lt", "LT", "L", "l"), "right": ("right", "RIGHT", "rt", "R", "r")}


@given(
    muscle=st.sampled_from(MUSCLES), side=st.sampled_from(sorted(SIDES)), data=st.data(),
    gap=st.sampled_from((" ", "_", "-", ". ", ": ", ", ")), before=st.booleans(),
    unit=st.sampled_from(("", " (uV)", " [mV]")),
)  # fmt: skip
def test_a_muscle_is_read_with_its_side_before_or_after_in_any_case(
    muscle: str, side: str, data: st.DataObject, gap: str, before: bool, unit: str
) -> None:
    mark = data.draw(st.sampled_from(SIDES[side]))
    words = data.draw(st.sampled_from((muscle, muscle.upper(), muscle.replace("_", " ").title())))
    name = (f"{mark}{gap}{words}" if before else f"{words}{gap}{mark}") + unit
    channel = recognise(name).channel
    assert channel is not None and (channel.muscle, channel.side) == (muscle, side)


@given(st.text())
def test_any_text_is_read_without_a_fault_and_has_a_label(name: str) -> None:
    found = recognise(name)
    assert found.side in ("", "left", "right")
    assert not found.muscle or isinstance(place_of(found.muscle), Place)
    channel = channel_from_name(name)
    assert channel.name == name
    assert channel.label or not name


def test_a_channel_without_a_side_has_its_name_for_a_label() -> None:
    assert channel_from_name("EMG 1").label == "EMG 1"
    assert channel_from_name("left_vastus_lateralis").label == "L vastus lateralis"


@pytest.mark.parametrize(
    ("muscle", "contact"),
    [("deltoid", "clap"), ("wrist_flexors", "clap"), ("gluteus_medius", "stomp"), ("gastrocnemius", "stomp"),
     ("tibialis_anterior", "stomp"), ("erector_spinae", None), ("EMG 1", None)],
)  # fmt: skip
def test_arms_clap_legs_stomp_and_the_trunk_is_tried_with_both(muscle: str, contact: str | None) -> None:
    assert CONTACT_OF_MUSCLE.get(muscle) == contact
