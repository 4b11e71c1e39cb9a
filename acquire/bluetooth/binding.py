"""Matching of advertised devices to slots: by serial, else by address, else the first slot that accepts any."""

from __future__ import annotations

from collections.abc import Iterable

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from dataset.capture.types import Sensor
from dataset.sensors.profile import Profile


def matches(profile: Profile, device: BLEDevice, advertisement: AdvertisementData) -> bool:
    """Return whether an advertisement matches this kind of sensor.

    One matching criterion of the profile is enough: company id, local name, name prefix, or service. A profile that
    states none matches nothing.
    """
    wanted = profile.match
    if wanted.company_id is not None and wanted.company_id in advertisement.manufacturer_data:
        return True
    name = (advertisement.local_name or device.name or "").strip()
    if wanted.local_name and name == wanted.local_name:
        return True
    if wanted.local_name_prefix and name.startswith(wanted.local_name_prefix):
        return True
    return not set(wanted.service_uuids).isdisjoint(u.lower() for u in advertisement.service_uuids)


def choose_slot(free: Iterable[Sensor], profile: str, address: str, serial: str) -> Sensor | None:
    """Return the free slot that this device belongs to, or None.

    A slot with a serial accepts only that serial; one with only an address accepts only that address;
    one with neither accepts any device of its profile. The more specific slot wins.
    """
    slots = [s for s in free if s.profile.name == profile]
    by_serial = (s for s in slots if s.serial and s.serial == serial)
    by_address = (s for s in slots if not s.serial and s.address and s.address.lower() == address.lower())
    any_device = (s for s in slots if not s.serial and not s.address)
    return next(by_serial, None) or next(by_address, None) or next(any_device, None)


def could_fit(free: Iterable[Sensor], profile: str, address: str) -> bool:
    """Return whether a device of unknown serial may belong to a free slot."""
    return any(
        s.profile.name == profile and (s.serial or not s.address or s.address.lower() == address.lower()) for s in free
    )
