"""Profiles are validated with clear errors, and decoding is a pure view."""

from __future__ import annotations

import struct
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset.capture.types import Notifications
from dataset.sensors.decode import LiveReader, Samples, decode
from dataset.sensors.profile import (
    builtin_profiles,
    column_number,
    find_profile,
    load_profile,
    named_profile,
    own_profile,
    profile_spec,
)
from dataset.support.errors import InputError

M40 = builtin_profiles()["anr-m40"]
PUBLIC = ("anr-m40", "myo", "bitalino-ble", "myoware", "nus-lines", "polar-h10", "gforce")


def notifications(
    payloads: list[bytes], characteristic: str | list[str] = "", epoch: list[int] | None = None
) -> Notifications:
    n = len(payloads)
    one = characteristic or M40.stream.characteristic
    return Notifications(
        epoch=np.array(epoch if epoch is not None else [0] * n, dtype=np.int64),
        host_seq=np.arange(n),
        arrival_ns=np.arange(n) * 100_000_000,
        characteristic=(one,) * n if isinstance(one, str) else tuple(one),
        payload=tuple(payloads),
    )


def decoded(spec: str, payloads: list[bytes], characteristics: list[str] | None = None) -> Samples:
    profile = find_profile(spec)
    return decode(profile, notifications(payloads, characteristics or profile.stream.characteristic))


# -- test vectors, derived by hand from each sensor's public facts ----------------------------------------------------


def test_m40_vectors_derived_by_hand() -> None:
    # 0x0000 = 0, 0x0100 little-endian = 256, 0x03FF = 1023
    samples = decode(M40, notifications([b"\x00\x00", b"\x00\x01", b"\xff\x03"]))
    assert samples.value.tolist() == [0.0, 256.0, 1023.0]
    assert samples.n_malformed == samples.n_out_of_range == 0
    assert samples.counter is None


def test_myo_vectors_derived_by_hand() -> None:
    # 16 bytes: electrodes 1 to 8 of one sample, then of the next, each int8 (0xFF = -1, 0x80 = -128, 0x7F = 127).
    first = bytes([1, 255, 128, 127, 0, 0, 0, 16, 2, 254, 0, 0, 0, 0, 0, 17])
    second = bytes([3, 253, 0, 0, 0, 0, 0, 18, 4, 252, 0, 0, 0, 0, 0, 19])
    turns = [f"d506{n}05-a904-deb9-4748-2c7f4a124842" for n in ("01", "02", "03", "04")]
    assert decoded("myo", [first, second], turns[:2]).value.tolist() == [1, 2, 3, 4]
    assert decoded("myo:2", [first, second], turns[:2]).value.tolist() == [-1, -2, -3, -4]
    assert decoded("myo:3", [first], turns[:1]).value.tolist() == [-128, 0]
    assert decoded("myo:8", [first, second], turns[:2]).value.tolist() == [16, 17, 18, 19]
    # The four characteristics take turns, two samples each: samples are counted modulo 8. Here the third is lost.
    samples = decoded("myo", [first, second, first], [turns[0], turns[1], turns[3]])
    assert samples.counter is not None and samples.counter.tolist() == [0, 1, 2, 3, 6, 7]
    assert samples.counter_modulo == 8


# Sequence 1, A1 = 1, all else 0. A1 is bits 42 to 51 of the little-endian frame, so byte 5 is 1 << (42 - 40) = 0x04;
# the last byte is sequence 1 over the check. Check: with the highest bit of byte 0 as x^63 the frame with a zero
# check is byte 5's bit 2 = x^18 and byte 7's bit 4 = x^4. Modulo x^4 + x + 1, x has order 15, so x^18 = x^3, and
# x^4 = x + 1: x^3 + x + 1 = 0b1011 = 0xB.
BITALINO_ONE = bytes([0, 0, 0, 0, 0, 0x04, 0, 0x1B])
# Sequence 2, A5 = 1 (bits 6 to 11), A6 = 63 (bits 0 to 5): byte 0 = 0x7F. Check: byte 0's bits are x^56 to x^62 and
# the sequence is x^5. With x^56 = x^11: x^11 + x^12 = 1, + x^13 + x^14 = x^2 + 1, + x^60 (1) + x^61 (x) + x^62 (x^2)
# = x, + x^5 (x^2 + x) = x^2 = 0b0100 = 4.
BITALINO_TWO = bytes([0x7F, 0, 0, 0, 0, 0, 0, 0x24])
BITALINO_ZERO = bytes(8)


def test_bitalino_vectors_derived_by_hand() -> None:
    frames = [BITALINO_ZERO, BITALINO_ONE, BITALINO_TWO]
    for spec, values in (("bitalino-ble", [0, 1, 0]), ("bitalino-ble:5", [0, 0, 1]), ("bitalino-ble:6", [0, 0, 63])):
        samples = decoded(spec, frames)
        assert samples.value.tolist() == values
        assert samples.counter is not None and samples.counter.tolist() == [0, 1, 2]
        assert samples.n_corrupt == samples.n_malformed == 0
    # A2 to A4, of the public expressions over bytes from the end: A2 = (b5 & 3) << 8 | b4, A3 = b3 << 2 | b2 >> 6,
    # A4 = (b2 & 0x3F) << 4 | b1 >> 4. b1 = 0x10, b2 = 0x40, b3 = 0x80, b4 = 0x05, b5 = 0x02: A2 = 517, A3 = 513,
    # A4 = 1. Check: x^52 + x^46 + x^39 + x^26 + x^24 + x^17 = x^7 + x + x^9 + x^11 + x^9 + x^2
    # = (x^3 + x + 1) + x + (x^3 + x^2 + x) + x^2 = x + 1 = 3, with sequence 0.
    frame = bytes([0, 0x10, 0x40, 0x80, 0x05, 0x02, 0, 0x03])
    assert [decoded(f"bitalino-ble:{c}", [frame]).value.tolist() for c in (2, 3, 4)] == [[517], [513], [1]]


def test_bitalino_loses_a_corrupt_frame_and_shows_a_lost_one() -> None:
    corrupt = bytes([*BITALINO_ONE[:5], 0x0C, *BITALINO_ONE[6:]])  # one bit of A1 turned over
    rows = notifications([BITALINO_ZERO, corrupt, BITALINO_TWO], find_profile("bitalino-ble").stream.characteristic)
    samples = decode(find_profile("bitalino-ble"), rows)
    assert samples.n_corrupt == 1 and samples.n_malformed == 0
    assert samples.arrival_ns.tolist() == [0, 200_000_000]
    assert samples.counter is not None and np.diff(samples.counter).tolist() == [2], "the gap is seen"
    assert rows.payload[1] == corrupt, "what came is kept as it came"
    # Several frames in one notification: each is checked by itself.
    samples = decoded("bitalino-ble", [BITALINO_ZERO + corrupt + BITALINO_TWO, BITALINO_ONE[:7]])
    assert samples.value.tolist() == [0, 0] and samples.n_corrupt == 1 and samples.n_malformed == 1


@settings(deadline=None)
@given(st.integers(0, 63), st.booleans())
def test_every_single_bit_that_turns_over_is_caught_by_the_check(bit: int, other: bool) -> None:
    good = BITALINO_ONE if other else BITALINO_TWO
    bad = (int.from_bytes(good, "little") ^ (1 << bit)).to_bytes(8, "little")
    assert decoded("bitalino-ble", [bad]).n_corrupt == 1


def test_myoware_vectors_derived_by_hand() -> None:
    # ASCII decimal: "512", "7.5", a number with a C string's end; letters are no number.
    samples = decoded("myoware", [b"512", b"7.5", b"1023\x00", b"abc", b"", b"1 2", b"nan"])
    assert samples.value.tolist() == [512.0, 7.5, 1023.0]
    assert samples.n_malformed == 4


def test_polar_vectors_derived_by_hand() -> None:
    def packet(last_ns: int, *samples: bytes) -> bytes:
        return b"\x00" + last_ns.to_bytes(8, "little") + b"\x00" + b"".join(samples)

    # 3 bytes, little-endian, signed: 01 00 00 = 1, FF FF FF = -1, 00 00 80 = -2^23, FF FF 7F = 2^23 - 1 microvolts.
    one = packet(700_000_000_000_000_000, b"\x01\x00\x00", b"\xff\xff\xff")
    # 130 Hz: the last of two samples more is 2/130 s = 15,384,615 ns later.
    two = packet(700_000_000_015_384_615, b"\x00\x00\x80", b"\xff\xff\x7f")
    # Six more samples' time on, with two samples: four are missing between.
    three = packet(700_000_000_061_538_461, b"\x02\x00\x00", b"\x03\x00\x00")
    acceleration = b"\x02" + one[1:]
    samples = decoded("polar-h10", [one, two, acceleration, three, one[:-1]])
    assert samples.value.tolist() == [1, -1, -8388608, 8388607, 2, 3]
    assert samples.n_malformed == 1, "another type of message is none of this stream"
    assert samples.device_s is not None
    np.testing.assert_allclose(samples.device_s, (np.array([0, 1, 2, 3, 8, 9]) - 1) / 130, atol=2e-9)
    assert samples.counter is not None and samples.counter.tolist() == [0, 1, 2, 3, 8, 9]
    assert samples.counter_modulo == 0


def test_gforce_vectors_derived_by_hand() -> None:
    # Type 0x08, then 16 samples of 8 unsigned bytes: the sample's number in electrode 1, 255 less it in electrode 8.
    payload = b"\x08" + b"".join(bytes([k, 0, 0, 0, 0, 0, 0, 255 - k]) for k in range(16))
    assert len(payload) == 129
    quaternion = b"\x02" + payload[1:]
    assert decoded("gforce", [payload, quaternion]).value.tolist() == list(range(16))
    assert decoded("gforce:8", [payload]).value.tolist() == [255 - k for k in range(16)]
    assert decoded("gforce", [payload[:-1]]).n_malformed == 1


def test_nus_vectors_derived_by_hand() -> None:
    # A recording begins anywhere: what comes before the first line's end may be the end of a number.
    samples = decoded("nus-lines", [b"12\n5", b"12\r\n7", b",8.5\n", b"x\n-3 ", b"4\n9"])
    assert samples.value.tolist() == [512, 7, -3]
    assert samples.arrival_ns.tolist() == [100_000_000, 200_000_000, 400_000_000], "a line is there when it ends"
    assert samples.n_malformed == 1
    assert decoded("nus-lines:2", [b"\n7,8.5\n1\n"]).value.tolist() == [8.5]


LINE = st.lists(st.integers(-9999, 9999), min_size=1, max_size=3).map(lambda v: ",".join(map(str, v)).encode())


@settings(deadline=None)
@given(st.lists(LINE, max_size=30), st.data())
def test_any_cut_of_the_stream_gives_the_same_lines(lines: list[bytes], data: st.DataObject) -> None:
    whole = b"\n" + b"".join(line + b"\n" for line in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=20)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    samples = decoded("nus-lines", pieces)
    assert samples.value.tolist() == [float(line.split(b",")[0]) for line in lines]
    assert samples.n_malformed == 0


def test_a_connection_never_ends_a_line_of_the_one_before() -> None:
    profile = find_profile("nus-lines")
    rows = notifications([b"\n1\n2", b"3\n4\n"], profile.stream.characteristic, epoch=[0, 1])
    assert decode(profile, rows).value.tolist() == [1, 4]


def test_bytes_without_an_end_of_line_are_given_up_and_counted() -> None:
    samples = decoded("nus-lines", [b"\n"] + [b"1" * 200] * 20 + [b"\n5\n"])
    assert samples.value.tolist() == [5]
    assert samples.n_malformed == 1


# -- what holds for all -----------------------------------------------------------------------------------------------


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


@settings(deadline=None)
@given(st.lists(st.integers(0, 65535)))
def test_every_sixteen_bit_value_is_decoded_exactly(values: list[int]) -> None:
    samples = decode(M40, notifications([struct.pack("<H", v) for v in values]))
    assert samples.value.tolist() == values


PAYLOAD = st.one_of(
    st.binary(max_size=24),
    st.binary(min_size=8, max_size=8),
    st.binary(min_size=128, max_size=128).map(lambda b: b"\x08" + b),
    st.binary(min_size=3, max_size=9).map(lambda b: bytes(10) + b),
    st.from_regex(rb"\A[0-9]{1,4}(,[0-9]{1,3})?\n?\Z"),
    st.sampled_from([BITALINO_ONE, BITALINO_TWO]),
)


@pytest.mark.parametrize("spec", [*PUBLIC, "float64-le", "bitalino-ble:5", "gforce:7", "myo:3"])
@settings(deadline=None)
@given(payloads=st.lists(PAYLOAD, max_size=12))
def test_whatever_comes_the_live_reader_agrees_with_decoding(spec: str, payloads: list[bytes]) -> None:
    profile = find_profile(spec)
    one = profile.stream.characteristic
    reader = LiveReader(profile)
    readings = [reader.read(one, payload) for payload in payloads]
    samples = decode(profile, notifications(payloads, one))
    np.testing.assert_array_equal(
        [r.value for r in readings if r.value is not None],
        [
            samples.value[samples.arrival_ns == arrival_ns][-1]
            for arrival_ns, reading in zip(np.arange(len(payloads)) * 100_000_000, readings, strict=True)
            if reading.value is not None
        ],
    )
    if profile.stream.crc is None:
        assert sum(r.n_values for r in readings) == len(samples.value)
        assert any(r.malformed for r in readings) == (samples.n_malformed > 0)


@pytest.mark.parametrize("spec", [*PUBLIC, "float64-le", "bitalino-ble:5"])
@settings(deadline=None)
@given(payloads=st.lists(PAYLOAD, max_size=12), data=st.data())
def test_decoded_in_pieces_it_is_the_same(spec: str, payloads: list[bytes], data: st.DataObject) -> None:
    profile = find_profile(spec)
    n = len(payloads)
    turns = [data.draw(st.sampled_from(profile.stream.characteristics)) for _ in payloads]
    rows = notifications(payloads, turns, sorted(data.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))))
    ends = [0, *sorted(data.draw(st.lists(st.integers(0, n), max_size=4))), n]
    pieces = (
        Notifications(
            epoch=rows.epoch[a:b], host_seq=rows.host_seq[a:b], arrival_ns=rows.arrival_ns[a:b],
            characteristic=rows.characteristic[a:b], payload=rows.payload[a:b],
        )
        for a, b in pairwise(ends)
    )  # fmt: skip
    whole, cut = decode(profile, rows), decode(profile, pieces)
    for field in fields(whole):
        one, other = getattr(whole, field.name), getattr(cut, field.name)
        np.testing.assert_array_equal(one, other)


# -- names, columns, rates --------------------------------------------------------------------------------------------


def test_builtin_profiles_are_found_by_name() -> None:
    assert {*PUBLIC, "float64-le"} <= set(builtin_profiles())
    with pytest.raises(InputError, match="anr-m40"):
        find_profile("m41")


@pytest.mark.parametrize("name", PUBLIC)
def test_every_profile_says_that_it_was_not_run_on_hardware(name: str) -> None:
    assert "not run on hardware" in builtin_profiles()[name].source


def test_a_slot_chooses_column_and_rate() -> None:
    assert profile_spec("myo") == "myo" and profile_spec("bitalino-ble", 2, 100) == "bitalino-ble:2@100"
    profile = find_profile("bitalino-ble:2@100")
    assert (profile.name, profile.kind, profile.stream.rate_hz) == ("bitalino-ble:2@100", "bitalino-ble", 100.0)
    # (r << 6) | 3 with r = 2 for 100 Hz is 0x83; 0x01 | 0b111111 << 2 is 0xFD.
    assert [c.payload for c in profile.start] == [b"\x83", b"\xfd"]
    assert [c.payload for c in find_profile("bitalino-ble").start] == [b"\xc3", b"\xfd"]
    # 500 = 0x01F4, little-endian.
    assert find_profile("gforce@500").start[0].payload == bytes.fromhex("3ff401ff008008")
    assert column_number(profile.stream, "A5") == 5 and column_number(profile.stream, 6) == 6
    for wrong in ("bitalino-ble:7", "bitalino-ble@50", "anr-m40:2", "anr-m40@20", "bitalino-ble:", "myo:0"):
        with pytest.raises(InputError):
            find_profile(wrong)
    with pytest.raises(ValueError, match="A1, A2"):
        column_number(profile.stream, "B1")


def test_the_m40_is_never_told_to_start() -> None:
    assert M40.start == M40.stop == ()
    assert M40.characteristics == (M40.stream.characteristic,)
    assert M40.stream.notification_rate_hz == 10.0
    assert find_profile("myo").stream.notification_rate_hz == 100.0
    assert find_profile("gforce").stream.notification_rate_hz == 62.5
    assert find_profile("nus-lines").stream.notification_rate_hz == 0.0


OWN = """
name = "own-board"
title = "Own board"
source = "our bench"
[stream]
characteristic = "12345678-0000-1000-8000-00805f9b34fb"
header_bytes = 1
format = "<h"
samples = 0
rate_hz = 500
unit = "counts"
[gaps]
late_s = 0.1
suspected_loss_s = 0.2
stale_s = 0.5
reconnect_s = 3.0
[delay]
prior_s = 0.05
prior_sd_s = 0.05
"""


def test_a_profile_of_ones_own_is_named_by_its_file(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(OWN)
    profile = named_profile("own.toml", tmp_path)
    assert profile.text == OWN and profile == own_profile(path)
    payloads = notifications([b"\x09\x01\x00\xff\xff"], profile.stream.characteristic)
    assert decode(profile, payloads).value.tolist() == [1, -1]
    path.write_text(OWN.replace("own-board", "myo"))
    with pytest.raises(InputError, match="taken"):
        named_profile(str(path))
    assert named_profile("myo").name == "myo"
    with pytest.raises(InputError, match="own-board"):
        named_profile("own-board")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('title = "Own board"', "", "title"),
        ('name = "own-board"', 'name = "Own board"', "name"),
        ('format = "<h"', 'format = "?!"', "format: .*struct format"),
        ('format = "<h"', 'format = "h"', "byte order"),
        ('format = "<h"', 'format = "<4s"', "holds text"),
        ('format = "<h"', "", "either format or fields"),
        ("12345678-0000-1000-8000-00805f9b34fb", "2a5", "characteristics: .*no UUID"),
        ("rate_hz = 500", "rate_hz = -1", "rate_hz"),
        ("rate_hz = 500", 'rate_hz = 500\nstarts_with = "0g"', "starts_with: .*no hex"),
        ("rate_hz = 500", 'rate_hz = 500\ncolumns = ["a", "b"]', "2 names for 1 columns"),
        ("rate_hz = 500", 'rate_hz = 500\nspeed = "fast"', "speed"),
        ("[gaps]", "[stream.counter]\nwhere = 'sample'\noffset_bits = 10\nbits = 8\nmodulo = 256\n[gaps]", "bit 18 of"),
        ("[gaps]", "[stream.counter]\nwhere = 'header'\nbits = 8\nmodulo = 256\n[gaps]", "fixed number of samples"),
        ("[gaps]", "[stream.counter]\nwhere = 'nowhere'\nmodulo = 256\n[gaps]", "counter.where: .*'sample'"),
        ("stale_s = 0.5", "stale_s = 0.1", "gaps: .*must grow"),
        ("[gaps]", '[[start]]\ncharacteristic = "2a00"\nhex = "{rate}"\n[gaps]', "rates and {rate}"),
        ("[gaps]", '[rates]\n100 = "01"\n[[start]]\ncharacteristic = "2a00"\nhex = "{rate}"\n[gaps]', "none of rates"),
    ],
)
def test_a_wrong_profile_names_file_field_and_what_is_allowed(old: str, new: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    assert old in OWN
    path.write_text(OWN.replace(old, new))
    with pytest.raises(InputError, match=message) as raised:
        load_profile(path)
    assert "p.toml" in str(raised.value)


def test_what_is_no_toml_is_told(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text("name = ")
    with pytest.raises(InputError, match="not TOML"):
        load_profile(path)
