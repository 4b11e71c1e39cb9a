"""TOML files of a declared form."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field, model_validator

from dataset.support.errors import InputError
from dataset.support.toml import TomlModel, parse_model, read_toml


class _Inner(TomlModel):
    gap_s: float = Field(gt=0)


class _Outer(TomlModel):
    name: str
    inner: _Inner = _Inner(gap_s=1.0)

    @model_validator(mode="after")
    def _not_bad(self) -> _Outer:
        if self.name == "bad":
            raise ValueError("bad is no name")
        return self


def test_what_is_written_comes_back() -> None:
    outer = parse_model('name = "x"\n[inner]\ngap_s = 2', _Outer, "thing x.toml")
    assert (outer.name, outer.inner.gap_s) == ("x", 2.0)


@pytest.mark.parametrize(
    ("text", "what", "why"),
    [
        ("name = [", "the thing x.toml is not TOML", "at end of document"),
        ('name = "x"\n[inner]\ngap_s = 0', "the thing x.toml is wrong", "inner.gap_s: "),
        ('name = "x"\nnmae = "x"', "the thing x.toml is wrong", "nmae: "),
        ('name = "bad"', "the thing x.toml is wrong", "bad is no name"),
    ],
)
def test_what_is_wrong_is_named(text: str, what: str, why: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_model(text, _Outer, "thing x.toml", hint="look")
    assert caught.value.what == what
    assert why in caught.value.why
    assert "Value error" not in caught.value.why


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read the thing .*No such file"):
        read_toml(tmp_path / "none.toml", "thing")
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe4"')
    with pytest.raises(InputError, match="cannot read the thing"):
        read_toml(tmp_path / "latin.toml", "thing", hint="look")
