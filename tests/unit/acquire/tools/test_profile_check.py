"""profile check: a file by itself, and a capture read with it; profiles that travel with a capture."""

from __future__ import annotations

from pathlib import Path

import pytest

from acquire.tools.profile_check import check_profile, profile_text
from acquire.virtual.devices.others import bitalino_frame
from dataset.capture.reader import Capture
from dataset.capture.types import Sensor
from dataset.capture.writer import CaptureWriter
from dataset.sensors.decode import decode
from dataset.sensors.profile import builtin_profiles, find_profile, own_profile
from dataset.support.errors import InputError

BITALINO = builtin_profiles()["bitalino-ble"]


def slot(number: int, profile: str, address: str) -> Sensor:
    return Sensor(
        slot=number, channel=f"c{number}", muscle="biceps", side="left", profile=find_profile(profile), address=address
    )


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """Two slots on one BITalino at 100 Hz with one corrupt and five lost frames, and an M40 beside them."""
    folder = tmp_path / "ses"
    folder.mkdir()
    sensors = [slot(1, "bitalino-ble:1@100", "AA"), slot(2, "bitalino-ble:2@100", "AA"), slot(3, "anr-m40", "BB")]
    writer = CaptureWriter(folder, subject="S1", sensors=sensors)
    for k in range(1000):
        frame = bitalino_frame(k, [k % 1000, 1000 - k % 1000])
        if 500 <= k < 505:
            continue
        if k == 300:
            frame = bytes([frame[0] ^ 1]) + frame[1:]
        writer.notification(1, 0, BITALINO.stream.characteristic, 10_000_000 * k, frame)
    writer.notification(3, 0, "00002a58-0000-1000-8000-00805f9b34fb", 0, b"\x01\x00")
    writer.close()
    return folder


def own_copy(tmp_path: Path, old: str = "", new: str = "") -> Path:
    text = BITALINO.text
    assert old in text
    path = tmp_path / "own.toml"
    path.write_text(text.replace(old, new))
    return path


def test_a_capture_is_read_with_the_file_by_every_slot_of_its_kind(capture: Path, tmp_path: Path) -> None:
    check = check_profile(own_copy(tmp_path), capture)
    first, second = check.replays
    assert (first.n_samples, first.n_corrupt, first.n_malformed, first.n_missing) == (994, 1, 0, 6)
    assert (first.low, first.high, second.low, second.high) == (0, 999, 1, 1000)
    assert first.rate_hz == pytest.approx(99.4, abs=0.2)
    assert check.problems == () and first.n_notifications == 995
    assert "994 samples of 995 notifications" in profile_text(check)
    assert check.as_dict()["profile"]["name"] == "bitalino-ble"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("polynomial = 0x3", "polynomial = 0x9", "corrupt"),
        ("frame_bytes = 8", "frame_bytes = 9", "no payload can be read"),
        ("maximum = 1023", "maximum = 100", "out of range"),
        ('name = "bitalino-ble"', 'name = "own"', "the profile states 1000"),
    ],
)
def test_what_does_not_fit_is_told(capture: Path, tmp_path: Path, old: str, new: str, problem: str) -> None:
    check = check_profile(own_copy(tmp_path, old, new), capture, 1)
    assert any(problem in p for p in check.problems), check.problems
    assert f"problem: {check.problems[0]}" in profile_text(check)


def test_a_capture_without_such_a_sensor_is_bad_input(capture: Path, tmp_path: Path) -> None:
    path = tmp_path / "myo.toml"
    path.write_text(builtin_profiles()["myo"].text)
    with pytest.raises(InputError, match="no rows of a myo"):
        check_profile(path, capture)
    assert check_profile(path).replays == ()
    for profile in builtin_profiles().values():
        path.write_text(profile.text)
        assert profile_text(check_profile(path)).startswith(profile.name)


def test_a_profile_of_ones_own_travels_with_its_capture(tmp_path: Path) -> None:
    own = own_profile(own_copy(tmp_path, 'name = "bitalino-ble"', 'name = "bench-bitalino"'))
    folder = tmp_path / "ses"
    folder.mkdir()
    first = Sensor(
        slot=1,
        channel="c1",
        muscle="biceps",
        side="left",
        profile=own.seen_as("bench-bitalino:2@10", 2, 10),
        address="AA",
    )
    writer = CaptureWriter(folder, subject="S1", sensors=[first, slot(2, "anr-m40", "B")])
    writer.notification(1, 0, BITALINO.stream.characteristic, 0, bitalino_frame(0, [1, 517]))
    writer.close()
    with pytest.raises(InputError):
        find_profile("bench-bitalino")  # nothing of it stays behind in this process
    with Capture.open(folder) as capture:
        assert [key for key in capture.meta if key.startswith("profile_toml:")] == ["profile_toml:bench-bitalino"]
        profile = capture.sensors[0].profile
        assert (profile.name, profile.kind, profile.stream.rate_hz) == ("bench-bitalino:2@10", "bench-bitalino", 10.0)
        assert decode(profile, capture.notifications(1)).value.tolist() == [517]
        assert capture.sensors[1].profile.name == "anr-m40"
