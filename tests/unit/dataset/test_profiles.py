"""Profiles are validated with clear errors, and decoding is a pure view."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset.capture import Notifications
from dataset.errors import InputError
from dataset.profiles import builtin_profiles, decode, load_profile
from dataset.profiles.profile import find_profile

M40 = builtin_profiles()["anr-m40"]


def notifications(payloads: list[bytes], characteristic: str | None = None) -> Notifications:
    n = len(payloads)
    return Notifications(
        epoch=np.zeros(n, dtype=np.int64),
        host_seq=np.arange(n),
        arrival_ns=np.arange(n) * 100_000_000,
        characteristic=(characteristic or M40.stream.characteristic,) * n,
        payload=tuple(payloads),
    )


def test_m40_vectors_derived_by_hand() -> None:
    # 0x0000 = 0, 0x0100 little-endian = 256, 0x03FF = 1023
    samples = decode(M40, notifications([b"\x00\x00", b"\x00\x01", b"\xff\x03"]))
    assert samples.value.tolist() == [0.0, 256.0, 1023.0]
    assert samples.n_malformed == samples.n_out_of_range == 0


def test_malformed_payloads_have_no_value_and_are_counted() -> None:
    samples = decode(M40, notifications([b"\x01", b"\x05\x00", b"\x01\x02\x03", b""]))
    assert samples.value.tolist() == [5.0]
    assert samples.arrival_ns.tolist() == [100_000_000]
    assert samples.n_malformed == 3


def test_values_out_of_range_are_kept_and_counted() -> None:
    samples = decode(M40, notifications([struct.pack("<H", 2000)]))
    assert samples.value.tolist() == [2000.0]
    assert samples.n_out_of_range == 1


def test_notifications_of_other_characteristics_are_no_values() -> None:
    samples = decode(M40, notifications([b"\x01\x00"], "00002a19-0000-1000-8000-00805f9b34fb"))
    assert len(samples.value) == 0
    assert samples.n_malformed == 0


@given(st.lists(st.integers(0, 65535)))
def test_every_sixteen_bit_value_is_decoded_exactly(values: list[int]) -> None:
    samples = decode(M40, notifications([struct.pack("<H", v) for v in values]))
    assert samples.value.tolist() == values


def test_builtin_profiles_are_found_by_name() -> None:
    assert {"anr-m40", "float64-le"} <= set(builtin_profiles())
    with pytest.raises(InputError, match="anr-m40"):
        find_profile("m41")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "not TOML"),
        ("name = 'x'", "title"),
        (
            "name='x'\ntitle='x'\nsource='x'\n[stream]\ncharacteristic='c'\nformat='?!'\nrate_hz=1\nunit='c'",
            "struct format",
        ),
    ],
)
def test_a_wrong_profile_names_the_field(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "p.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        load_profile(path)
