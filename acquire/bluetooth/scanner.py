"""One Bluetooth adapter: scans for the sensors of waiting slots and connects them one at a time.

A stack that scans and connects at once, or makes two connections at once, fails in its own ways (BlueZ:
``InProgress``). So each adapter has one scanner whose single task does both: it acts as the adapter's lock, and one
scan serves all waiting slots.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from acquire.bluetooth.binding import choose_slot, could_fit, matches
from acquire.bluetooth.connection import RADIO_ERRORS, Connection, radio_errors
from acquire.bluetooth.disconnect_reasons import reason_detail
from acquire.bluetooth.slot import Slot
from acquire.bluetooth.states import Event, State
from acquire.event_log import EventLog
from acquire.hardware import Radio
from dataset.sensors.profile import Profile

#: Used in place of :attr:`Radio.settle_s` when one of the sensors found was lost in the middle of its stream.
HURRIED_SETTLE_S = 0.2
#: A stack that hangs while scanning or connecting must not block the other sensors for ever.
START_TIMEOUT_S = 10.0
OPEN_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class _Heard:
    device: BLEDevice
    profile: Profile
    rssi_dbm: int


class Scanner:
    """Scans and connects on one adapter.

    Parameters
    ----------
    adapter : str
        Such as ``hci1``; empty for the system's default.
    slots : sequence of Slot
        All slots that use this adapter.
    radio : Radio
    event_log : EventLog
    """

    def __init__(self, adapter: str, slots: Sequence[Slot], radio: Radio, event_log: EventLog) -> None:
        self.adapter = adapter
        self._slots = slots
        self.links: set[Connection] = set()
        self._radio = radio
        self._event_log = event_log
        self._asking: dict[Slot, asyncio.Future[Connection | None]] = {}
        self._asked = asyncio.Event()
        self._strangers: set[str] = set()
        self._works = True

    async def find(self, slot: Slot) -> Connection | None:
        """Return an open link to the sensor of ``slot``, or None if this round found none."""
        answer: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._asking[slot] = answer
        self._asked.set()
        try:
            return await answer
        finally:
            self._asking.pop(slot, None)

    async def close(self, link: Connection) -> None:
        """Disconnect a link from :meth:`find`; also needed for a lost one before searching again."""
        await link.close()
        self.links.discard(link)

    async def run(self) -> None:
        """Serve waiting slots until cancelled."""
        while True:
            await self._asked.wait()
            error = ""
            try:
                heard = await self._scan()
                asked = list(self._asking)
                self._tell_adapter("")
                # By address: which slot gets a sensor must not depend on which was found first.
                for one in sorted(heard, key=lambda h: h.device.address):
                    await self._connect(one)
            except RADIO_ERRORS as failure:
                error = str(failure) or type(failure).__name__
                asked = list(self._asking)
                self._tell_adapter(error)
            for slot in asked:
                if slot in self._asking:
                    slot.machine.step(Event.NOT_FOUND, **({"error": error} if error else {}))
                    self._answer(slot, None)
            if not self._asking:  # a slot may have started waiting after the scan
                self._asked.clear()

    def _tell_adapter(self, error: str) -> None:
        """Log when the adapter fails and when it works again."""
        if bool(error) == self._works:
            self._works = not error
            level, what = ("error", "adapter failed") if error else ("info", "adapter back")
            self._event_log.log(level, what, {"adapter": self.adapter, **({"error": error} if error else {})})

    def _answer(self, slot: Slot, link: Connection | None) -> None:
        answer = self._asking.pop(slot, None)
        if answer is not None and not answer.done():
            answer.set_result(link)

    def _unbound(self) -> list[Slot]:
        return [slot for slot in self._asking if slot.device is None]

    def _wants(self, device: BLEDevice, advertisement: AdvertisementData) -> Profile | None:
        """Return the profile of a device that a waiting slot may be searching for."""
        for slot in self._asking:
            if slot.device is not None:
                if slot.device.address == device.address:
                    return slot.profile
            elif device.address not in self._strangers and matches(slot.profile, device, advertisement):
                wanted = [s.wanted for s in self._unbound()]
                if could_fit(wanted, slot.profile.name, device.address):
                    return slot.profile
        return None

    async def _scan(self) -> list[_Heard]:
        """Return the devices in range that a waiting slot may be searching for."""
        found: dict[str, _Heard] = {}
        news = asyncio.Event()

        def heard(device: BLEDevice, advertisement: AdvertisementData) -> None:
            if device.address not in found and (profile := self._wants(device, advertisement)) is not None:
                found[device.address] = _Heard(device, profile, advertisement.rssi)
                news.set()

        scanner = self._scanner(heard)
        with radio_errors():
            async with asyncio.timeout(START_TIMEOUT_S):
                await scanner.start()
        try:
            with contextlib.suppress(TimeoutError):
                while len(found) < len(self._asking):
                    await asyncio.wait_for(news.wait(), self._patience_s(found))
                    news.clear()
        finally:
            with radio_errors():
                async with asyncio.timeout(START_TIMEOUT_S):
                    await scanner.stop()
        return list(found.values())

    def _patience_s(self, found: dict[str, _Heard]) -> float:
        if not found:
            return self._radio.scan_s
        hurried = any(slot.device is not None and slot.device.address in found for slot in self._asking)
        return HURRIED_SETTLE_S if hurried else self._radio.settle_s

    def _scanner(self, heard: Callable[[BLEDevice, AdvertisementData], None]) -> BleakScanner:
        options: dict[str, Any] = {}
        if self.adapter:
            options["bluez"] = {"adapter": self.adapter}
        if self._radio.scanner_backend is not None:
            options["backend"] = self._radio.scanner_backend
        return BleakScanner(heard, **options)

    async def _connect(self, heard: _Heard) -> None:
        """Connect to a device and pass the link to its slot."""
        device, rssi_dbm = heard.device, heard.rssi_dbm
        slot = self._known(device.address)
        if slot is not None:
            slot.machine.step(Event.FOUND, address=device.address, rssi_dbm=rssi_dbm, adapter=self.adapter)
        elif not could_fit([s.wanted for s in self._unbound()], heard.profile.name, device.address):
            return  # its slot was filled meanwhile
        link = Connection(device, heard.profile, self._radio)
        self.links.add(link)
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                await link.open()
        except RADIO_ERRORS as error:
            await self.close(link)
            self._failed(slot, device, str(error) or type(error).__name__, link.reason)
            return
        if slot is None or slot.device is None:
            slot = await self._bound(slot, heard, link)
        if slot is None:
            await self.close(link)
        else:
            slot.device, slot.rssi_dbm = device, rssi_dbm
            self._answer(slot, link)

    def _known(self, address: str) -> Slot | None:
        """Return the waiting slot for this address, by its previous slot or by the rig."""
        for slot in self._asking:
            address_of = slot.device.address if slot.device is not None else slot.wanted.address
            if address_of.lower() == address.lower():
                return slot
        return None

    def _failed(self, slot: Slot | None, device: BLEDevice, error: str, reason: int | None) -> None:
        told = reason_detail(reason)
        if slot is None:
            self._event_log.log("warning", "connecting failed", {"address": device.address, "error": error, **told})
            return
        slot.machine.step(Event.FAILED, error=error, **told)
        self._answer(slot, None)

    async def _bound(self, expected: Slot | None, heard: _Heard, link: Connection) -> Slot | None:
        """Return the slot of an identified device; None if it has none, or one that is not waiting."""
        device, serial = heard.device, link.identity.serial
        free = {slot.wanted: slot for slot in self._slots if slot.device is None}
        chosen = choose_slot(free, heard.profile.name, device.address, serial)
        slot = free[chosen] if chosen is not None else None
        if expected is not None and expected is not slot:
            expected.machine.step(
                Event.FAILED, error=f"the device at its address reports the serial {serial or '(none)'}"
            )
            self._answer(expected, None)
        if slot is None:
            self._strangers.add(device.address)
            self._event_log.log("warning", "sensor without a slot", {"address": device.address, "serial": serial})
            return None
        if slot not in self._asking:
            return None
        if slot.state == State.SCANNING:
            slot.machine.step(Event.FOUND, address=device.address, rssi_dbm=heard.rssi_dbm, adapter=self.adapter)
        slot.bind(device, link.identity)
        return slot
