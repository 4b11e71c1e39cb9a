"""Who is recorded: what is typed, what is refused, what is read back."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquire.recording.subject import LOG_ROW, Subject, known_subjects, last_subject, read_subject
from dataset.capture.types import Sensor
from dataset.capture.writer import CaptureWriter
from dataset.support.errors import InputError
from dataset.support.text import clean_line


def test_blank_fields_are_not_known() -> None:
    subject = read_subject({"label": " S02 ", "height_m": " ", "handedness": "", "consent_id": None})
    assert subject == Subject(label="S02") and subject.info() == {}


def test_a_comma_is_a_point_and_a_letter_a_hand() -> None:
    subject = read_subject({"label": "S1", "height_m": "1,75", "mass_kg": "70.5", "handedness": "R"})
    assert subject.info() == {"handedness": "right", "height_m": 1.75, "mass_kg": 70.5}


@pytest.mark.parametrize(
    ("field", "typed", "words"),
    [("height_m", "175", "height"), ("mass_kg", "heavy", "mass"), ("age_years", "nan", "age"),
     ("age_years", "-3", "age"),
     ("handedness", "up", "handedness"), ("label", "Jane Doe", "letters and digits"), ("label", "", "letters")],
)  # fmt: skip
def test_what_is_wrong_is_named(field: str, typed: str, words: str) -> None:
    with pytest.raises(InputError) as failure:
        read_subject({"label": "S1", field: typed})
    assert words in str(failure.value) and failure.value.hint


@given(st.floats(0.5, 2.6), st.floats(10, 350), st.sampled_from(["right", "left", "both"]), st.text(max_size=20))
def test_what_is_known_reads_back_the_same(height_m: float, mass_kg: float, hand: str, consent: str) -> None:
    subject = Subject(label="S1", consent_id=clean_line(consent), handedness=hand, height_m=height_m, mass_kg=mass_kg)
    assert read_subject({"label": "S1", **subject.info()}) == subject


def write_capture(out: Path, stamp: str, details: dict[str, str | float] | None) -> None:
    slots = (Sensor(slot=1, channel="left_biceps", muscle="biceps", side="left"),)
    writer = CaptureWriter(make(out / "sub-S1" / f"ses-{stamp}"), subject="S1", sensors=slots)
    if details is not None:
        writer.log("info", LOG_ROW, details)
    writer.close()


def make(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def test_the_last_capture_that_tells_is_believed(tmp_path: Path) -> None:
    write_capture(tmp_path, "20260101T120000", {"height_m": 1.6, "handedness": "left"})
    write_capture(tmp_path, "20260102T120000", {"height_m": 1.7})
    write_capture(tmp_path, "20260103T120000", None)
    make(tmp_path / "sub-S1" / "ses-20260104T120000")  # was never written to
    assert last_subject(tmp_path, "S1") == Subject(label="S1", height_m=1.7)
    assert last_subject(tmp_path, "S2") == Subject(label="S2")
    assert known_subjects(tmp_path) == ("S1",) and known_subjects(tmp_path / "none") == ()
