"""Which device belongs to which slot."""

from __future__ import annotations

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from hypothesis import given
from hypothesis import strategies as st

from acquire.bluetooth.binding import choose_slot, could_fit, matches
from dataset.capture.types import Sensor
from dataset.sensors.profile import find_profile

NAMES = st.sampled_from(["", "A", "B", "C"])


def slot(number: int, serial: str = "", address: str = "") -> Sensor:
    return Sensor(slot=number, channel=f"c{number}", muscle="biceps", side="left", serial=serial, address=address)


def test_the_more_exact_slot_wins() -> None:
    slots = [slot(1), slot(2, address="aa"), slot(3, serial="S")]
    assert choose_slot(slots, "anr-m40", "AA", "S") == slots[2]
    assert choose_slot(slots, "anr-m40", "AA", "T") == slots[1]
    assert choose_slot(slots, "anr-m40", "BB", "T") == slots[0]
    assert choose_slot(slots[1:], "anr-m40", "BB", "T") is None
    assert choose_slot(slots, "myo", "AA", "S") is None


@given(st.lists(st.tuples(NAMES, NAMES), max_size=6), NAMES, NAMES)
def test_a_device_never_lands_in_a_slot_that_names_another(
    wanted: list[tuple[str, str]], address: str, serial: str
) -> None:
    slots = [slot(i, serial=s, address=a) for i, (s, a) in enumerate(wanted, start=1)]
    chosen = choose_slot(slots, "anr-m40", address, serial)
    if chosen is not None:
        assert chosen.serial in ("", serial)
        assert chosen.serial or chosen.address in ("", address)
        assert could_fit(slots, "anr-m40", address)


def test_company_id_or_name_make_a_match() -> None:
    profile, device = find_profile("anr-m40"), BLEDevice("AA", None, None)

    def heard(name: str | None, makers: dict[int, bytes]) -> bool:
        return matches(profile, device, AdvertisementData(name, makers, {}, [], None, -50, ()))

    assert heard("ANR Corp M40", {})
    assert heard(None, {0x05DA: b""})
    assert not heard("Myo", {0x004C: b""})
    assert not heard(None, {})


def test_a_beginning_of_the_name_or_a_service_makes_a_match() -> None:
    device = BLEDevice("AA", None, None)

    def heard(spec: str, name: str | None, services: list[str]) -> bool:
        return matches(find_profile(spec), device, AdvertisementData(name, {}, {}, services, None, -50, ()))

    assert heard("polar-h10", "Polar H10 12345678", [])
    assert not heard("polar-h10", "Polar Sense 12345678", [])
    assert heard("bitalino-ble", "BITalino-51-3B", [])
    assert heard("nus-lines", "whatever", ["6E400001-B5A3-F393-E0A9-E50E24DCCA9E"])
    assert not heard("float64-le", "", [])
