"""scan, inspect, listen and identify on real GATT servers, all of them virtual."""

from __future__ import annotations

import pytest

from acquire.tools.identifying import identify
from acquire.tools.inspecting import inspect, inspect_text
from acquire.tools.listening import listen, listen_text
from acquire.tools.rig_init import rig_text
from acquire.tools.scanning import scan, scan_text
from dataset.capture.types import Sensor
from dataset.sensors.profile import Profile, find_profile
from dataset.support.errors import HardwareError, InputError, MiaError
from tests.unit.acquire.tools.conftest import Nearby

M40 = find_profile("anr-m40")


def slot(number: int, *, serial: str = "", address: str = "", profile: Profile = M40) -> Sensor:
    return Sensor(
        slot=number, channel=f"c{number}", muscle="biceps", side="left", serial=serial, address=address, profile=profile
    )


async def test_scan_tells_which_profile_fits_and_asks_without_writing(nearby: Nearby) -> None:
    found = {f.address: f for f in await scan(nearby.radio, 0.5, ask=True)}
    one, two = (found[m.identity.address] for m in nearby.m40s)
    assert one.profiles == two.profiles == ("anr-m40",) and one.company_ids == (0x05DA,)
    assert (one.serial, one.battery_percent, one.firmware) == ("SN-1", 17, "1.5.2")
    assert (two.serial, two.battery_percent, two.problem) == ("", None, "")
    other = found[nearby.bitalino.what.address]
    assert other.profiles == ("bitalino-ble",) and other.name == "BITalino"
    assert nearby.bitalino.commands == [] and all(m.led_pattern == 1 for m in nearby.m40s)
    assert all(m.record.n_sent == 0 for m in nearby.m40s), "nothing is subscribed to"
    text = scan_text(tuple(found.values()))
    assert "F0:00:00:00:40:01" in text and "serial SN-1; battery 17 %" in text
    assert "no devices found" in scan_text(())


async def test_inspect_reads_everything_that_can_be_read(nearby: Nearby) -> None:
    found = await inspect(nearby.radio, "f0:00:00:00:40:01")
    values = {c["uuid"][4:8]: c for s in found["services"] for c in s["characteristics"]}
    assert found["profiles"] == ["anr-m40"] and found["manufacturer_data"] == {"0x05DA": "2801"}
    assert values["2a25"]["text"] == "SN-1" and values["2a19"]["hex"] == "11"
    assert values["2a58"]["properties"] == ["read", "notify"] and values["2a58"]["hex"] == "00 00"
    assert values["2a58"]["descriptors"][0]["uuid"].startswith("00002902")
    assert nearby.m40s[0].led_pattern == 1 and nearby.m40s[0].record.n_sent == 0
    assert "Automation IO" in inspect_text(found) and "'SN-1'" in inspect_text(found)


async def test_a_device_that_is_not_there_is_told_with_a_hint(nearby: Nearby) -> None:
    from acquire.tools.radio import find_device

    with pytest.raises(HardwareError, match="not found") as raised:
        await find_device(nearby.radio, "F0:00:00:00:40:99", seconds=0.3)
    assert "phone" in raised.value.hint


async def test_listen_tells_rate_and_meaning_of_what_comes(nearby: Nearby) -> None:
    (heard,) = await listen(nearby.radio, "F0:00:00:00:40:01", 1.0)
    assert heard.characteristic.startswith("00002a58")
    assert heard.n > 30 and heard.rate_hz == pytest.approx(50, rel=0.1) and set(heard.sizes) == {2}
    assert any(d.kind == "u16le" and d.low == 300 and d.high == 306 for d in heard.decodings)
    assert "u16le" in listen_text("x", (heard,)) and heard.first_hex[0].endswith("01")


async def test_listen_starts_a_sensor_only_where_its_profile_is_named(nearby: Nearby) -> None:
    address = nearby.bitalino.what.address
    assert await listen(nearby.radio, address, 0.3) == ()
    assert nearby.bitalino.commands == []
    assert "--profile" in listen_text(address, ())
    (heard,) = await listen(nearby.radio, address, 1.0, profile=find_profile("bitalino-ble"))
    assert nearby.bitalino.commands == [b"\xc3", b"\xfd", b"\x00"], "rate, start and stop, and nothing else"
    (counting,) = heard.counting
    assert (counting.frame_bytes, counting.offset_bits, counting.bits) == (8, 60, 4) and counting.wrapped
    with pytest.raises(HardwareError, match="notifies nothing"):
        await listen(nearby.radio, address, 0.1, characteristic="2a58")
    with pytest.raises(InputError, match="no UUID"):
        await listen(nearby.radio, address, 0.1, characteristic="zz")


async def test_identify_blinks_the_sensor_of_the_slot_and_puts_it_back(nearby: Nearby) -> None:
    first, second = nearby.m40s
    first.led_pattern = 5
    seen: list[int] = []
    first.__class__ = _watched(first.__class__, seen)
    shown = await identify(nearby.radio, (slot(1, address="F0:00:00:00:40:02"), slot(2, serial="SN-1")), 2, scan_s=0.4)
    assert (shown.address, shown.serial) == ("F0:00:00:00:40:01", "SN-1")
    assert len(set(seen)) == 3 and seen[-1] == 5 == first.led_pattern, "two patterns in turn, then its own again"
    assert second.led_pattern == 1


def _watched(kind: type, seen: list[int]) -> type:
    class Watched(kind):  # type: ignore[misc]
        def __setattr__(self, name: str, value: object) -> None:
            if name == "led_pattern":
                seen.append(int(str(value)))
            super().__setattr__(name, value)

    return Watched


@pytest.mark.parametrize(
    ("sensor", "number", "error", "why"),
    [
        (slot(1), 2, InputError, "no slot 2"),
        (slot(1), 1, InputError, "neither serial nor address"),
        (slot(1, profile=find_profile("bitalino-ble"), address="AA"), 1, InputError, "no \\[identify\\]"),
        (slot(1, serial="SN-9"), 1, HardwareError, "2 of its kind advertise"),
    ],
)
async def test_identify_refuses_what_it_cannot_know(
    nearby: Nearby, sensor: Sensor, number: int, error: type[MiaError], why: str
) -> None:
    with pytest.raises(error, match=why):
        await identify(nearby.radio, (sensor,), number, scan_s=0.4)


async def test_a_rig_file_is_written_from_what_is_there(nearby: Nearby) -> None:
    from acquire.rig.config import parse_rig

    text = rig_text(await scan(nearby.radio, 0.5, ask=True))
    sensors = parse_rig(text, "rig.toml").sensors()
    assert [(s.profile.name, s.serial, s.address) for s in sensors] == [
        ("anr-m40", "", "F0:00:00:00:40:02"),
        ("anr-m40", "SN-1", ""),
        ("bitalino-ble", "", nearby.bitalino.what.address),
    ]
    assert [s.channel for s in sensors] == ["left_biceps", "right_biceps", "left_triceps"]
    assert "battery 17 %" in text and "A1, A2, A3" in text and "# Without a sensor: right_triceps" in text
    with pytest.raises(HardwareError, match="no sensor"):
        rig_text(())
