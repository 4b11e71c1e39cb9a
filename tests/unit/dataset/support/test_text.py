"""Any text becomes text that can be stored and printed, and any value standard JSON."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset.support.console import STDERR, print_result, report_error
from dataset.support.errors import InputError
from dataset.support.text import clean_json, clean_line, clean_text, json_text, path_from_text, path_text
from dataset.support.toml import TomlModel, parse_model

ANY_TEXT = st.text(alphabet=st.characters()) | st.text(alphabet=st.characters(categories=["Cs", "Cc", "Zl", "Zp"]))


@given(ANY_TEXT)
def test_cleaned_text_is_utf8_without_control_characters(text: str) -> None:
    for lines in (False, True):
        cleaned = clean_text(text, lines=lines)
        cleaned.encode()
        kept = "\n\t" if lines else ""
        assert not [c for c in cleaned if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") and c not in kept]
        assert clean_text(cleaned, lines=lines) == cleaned


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S", "Zs", "M"])))
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert clean_text(text) == text


def test_a_byte_that_is_no_utf8_is_replaced_and_a_control_character_escaped() -> None:
    assert clean_text(os.fsdecode(b"Kn\xefie")) == "Kn\N{REPLACEMENT CHARACTER}ie"
    assert clean_text("a\x1b[31m\x00\x9b\u202eb\n") == r"a\x1b[31m\x00\x9b\u202eb\x0a"
    assert clean_text("a\n\tb\r", lines=True) == "a\n\tb\\x0d"
    assert clean_line(" knee \n\t hurts\x07 ") == r"knee hurts\x07"


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT | st.binary() | st.complex_numbers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT | st.integers(), inner, max_size=3),
    max_leaves=8,
))  # fmt: skip
def test_any_value_becomes_standard_json(value: Any) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(name)

    text = json_text(value)
    assert text.isascii()
    read = json.loads(text, parse_constant=refuse)
    json.dumps(read, ensure_ascii=False).encode()
    assert clean_json(read) == read


def test_numbers_keep_their_value_where_json_has_one() -> None:
    value = {"a": np.float32(1.5), "b": np.arange(2), "c": 2**63, "d": float("inf"), "e": 10**5000, "f": 2**63 - 1}
    cleaned = clean_json(value)
    assert cleaned["a"] == 1.5 and cleaned["b"] == [0, 1] and cleaned["f"] == 2**63 - 1
    assert cleaned["c"] == "0x8000000000000000" and cleaned["d"] is None and cleaned["e"].startswith("0x")


def test_a_path_that_is_no_utf8_is_found_by_its_text(tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"Kn\xefie.mp4")
    try:
        odd.write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes no such name")
    stored = path_text(odd)
    stored.encode()
    assert path_from_text(Path(stored)) == odd
    assert path_from_text(tmp_path / "none") == tmp_path / "none"
    plain = tmp_path / "Kn\\udcefie.mp4"
    plain.write_bytes(b"y")
    assert path_from_text(Path(stored)) == plain, "a name that is written so is that file"


@given(ANY_TEXT)
def test_nothing_from_outside_steers_the_terminal(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        written: list[str] = []

        class Terminal:
            encoding = "utf-8"

            def write(self, words: str) -> None:
                words.encode()
                written.append(words)

            def flush(self) -> None: ...

            def isatty(self) -> bool:
                return False

        terminal: Any = Terminal()
        patch.setattr(sys, "stdout", terminal)
        patch.setattr(STDERR, "_file", terminal)
        print_result({}, as_json=False, text=text)
        report_error(InputError(text, text, text), as_json=False)
        STDERR.print(f"note: {text}", markup=False, soft_wrap=True)
    assert not [c for c in "".join(written) if unicodedata.category(c) == "Cc" and c not in "\n\t"]


class _Model(TomlModel):
    serial: str = ""
    names: tuple[str, ...] = ()


def test_text_from_toml_is_cleaned() -> None:
    model = parse_model('serial = "M40\\u0000\\u001b[2J"\nnames = ["a\\u0007", """two\nlines"""]', _Model, "file")
    assert model.serial == r"M40\x00\x1b[2J"
    assert model.names == (r"a\x07", "two lines")
