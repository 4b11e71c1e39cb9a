"""``scan``: lists all advertising devices and their matching profiles."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass, replace
from typing import Any

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from acquire.bluetooth.binding import matches
from acquire.bluetooth.connection import RADIO_ERRORS, Connection, Identity
from acquire.hardware import Radio
from acquire.tools.radio import scanner
from dataset.sensors.profile import Profile, builtin_profiles
from dataset.support.errors import HardwareError
from dataset.support.text import clean_text

#: Weakest possible signal; used if the stack does not report the strength.
_FAINTEST_DBM = -127


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One advertising device.

    Attributes
    ----------
    rssi_dbm : int
        Strongest signal received.
    profiles : tuple of str
        Names of the matching profiles, usually one or none.
    serial, firmware : str
    battery_percent : int or None
        As read after connecting; empty if not read or not reported.
    problem : str
        Why it could not be read.
    """

    address: str
    name: str
    rssi_dbm: int
    profiles: tuple[str, ...]
    service_uuids: tuple[str, ...]
    company_ids: tuple[int, ...]
    serial: str = ""
    firmware: str = ""
    battery_percent: int | None = None
    problem: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        return asdict(self)


async def scan(radio: Radio, seconds: float, *, ask: bool = False, adapter: str = "") -> tuple[Found, ...]:
    """Scan for ``seconds`` and return the devices found, strongest first.

    Parameters
    ----------
    radio : Radio
    seconds : float
    ask : bool
        Also connect to each device with a matching profile, one at a time, and read its identity.
    adapter : str, optional

    Raises
    ------
    HardwareError
        Scanning fails.
    """
    seen: dict[str, Found] = {}
    devices: dict[str, BLEDevice] = {}

    def heard(device: BLEDevice, advertisement: AdvertisementData) -> None:
        earlier = seen.get(device.address)
        strength = advertisement.rssi if advertisement.rssi is not None else _FAINTEST_DBM
        fitting = [n for n, p in builtin_profiles().items() if matches(p, device, advertisement)]
        seen[device.address] = Found(
            address=device.address,
            name=clean_text(advertisement.local_name or device.name or (earlier.name if earlier else "")),
            rssi_dbm=max(strength, earlier.rssi_dbm if earlier else _FAINTEST_DBM),
            profiles=tuple(dict.fromkeys((*(earlier.profiles if earlier else ()), *fitting))),
            service_uuids=tuple(dict.fromkeys(advertisement.service_uuids)),
            company_ids=tuple(advertisement.manufacturer_data),
        )
        devices[device.address] = device

    try:
        async with scanner(radio, heard, adapter):
            await asyncio.sleep(seconds)
    except RADIO_ERRORS as error:
        raise HardwareError("scanning failed", str(error) or type(error).__name__) from error
    found = sorted(seen.values(), key=lambda f: -f.rssi_dbm)
    if ask:
        found = [await _asked(radio, f, devices[f.address]) if f.profiles else f for f in found]
    return tuple(found)


async def _asked(radio: Radio, found: Found, device: BLEDevice) -> Found:
    try:
        who = await ask_identity(radio, device, builtin_profiles()[found.profiles[0]])
    except RADIO_ERRORS as error:
        return replace(found, problem=str(error) or type(error).__name__)
    return replace(found, serial=who.serial, firmware=who.firmware, battery_percent=who.battery_percent)


async def ask_identity(radio: Radio, device: BLEDevice, profile: Profile) -> Identity:
    """Connect, read the identity, and disconnect; nothing is subscribed to or written."""
    link = Connection(device, profile, radio)
    try:
        await link.open()
        return link.identity
    finally:
        await link.close()


def scan_text(found: tuple[Found, ...]) -> str:
    """Format the devices as text, one line each."""
    if not found:
        return "no devices found: switch the sensors on, and disconnect them from phones"
    lines = []
    for f in found:
        about = [", ".join(f.profiles) or "no matching profile"]
        if f.serial:
            about.append(f"serial {f.serial}")
        if f.battery_percent is not None:
            about.append(f"battery {f.battery_percent} %")
        if f.problem:
            about.append(f.problem)
        lines.append(f"{f.address}  {f.rssi_dbm:4d} dBm  {f.name or '(no name)':20}  {'; '.join(about)}")
    return "\n".join(lines)
