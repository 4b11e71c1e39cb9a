"""All sensors: Bluetooth in a thread and event loop of its own, one task a slot, reconnecting as long as it runs."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import defaultdict
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from acquire.hardware import Hardware, Radio
from acquire.health import LiveHealth, SensorHealth
from acquire.journal import Journal
from acquire.sensors.binding import choose_slot, could_fit, matches
from acquire.sensors.link import RADIO_ERRORS, Identity, Link
from acquire.sensors.shared import SharedDevices
from dataset import clock
from dataset.capture import Sensor
from dataset.capture_writer import CaptureWriter
from dataset.errors import HardwareError, MiaError
from dataset.profiles import Profile
from dataset.profiles.decode import LiveReader
from dataset.profiles.profile import find_profile

SCAN_S = 4.0
#: A scan that has found some sensors ends when no new one was heard for this long.
SETTLE_S = 1.5
FIRST_BACK_OFF_S = 0.2
LONGEST_BACK_OFF_S = 5.0
WATCH_EVERY_S = 0.05
STOP_TIMEOUT_S = 15.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorStatus:
    """One slot as the screen and the headless run see it.

    Attributes
    ----------
    state : str
        ``scanning``, ``connecting``, ``streaming``, ``stale``, ``lost`` or ``stopped``.
    reconnects : int
        Connections after the first.
    """

    sensor: Sensor
    state: str
    reconnects: int
    battery_percent: int | None
    health: LiveHealth


class _Slot:
    """What changes about one slot; touched in the hub's loop, read from anywhere."""

    def __init__(self, sensor: Sensor) -> None:
        self.wanted = sensor
        self.bound = sensor
        self.profile: Profile = find_profile(sensor.profile)
        self.health = SensorHealth(self.profile)
        self.state = "scanning"
        self.identity = Identity()
        self.device: BLEDevice | None = None
        self.epoch = -1
        self.base_epoch = 0
        self.subscribed_ns = 0
        self.overdue = False

    @property
    def taken(self) -> bool:
        return self.device is not None


class SensorHub:
    """Streams every slot of the rig, before, during and after a recording.

    Parameters
    ----------
    hardware : Hardware
        Gives the slots and opens the radio, inside the hub's own loop.
    journal : Journal
        Every change of state goes there.
    """

    def __init__(self, hardware: Hardware, journal: Journal) -> None:
        self._hardware = hardware
        self._journal = journal
        self._shared = SharedDevices(hardware.sensors)
        self._slots = [_Slot(sensor) for sensor in self._shared.carriers]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="bluetooth", daemon=True)
        self._radio = Radio()
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._tasks: set[asyncio.Task[None]] = set()
        self._writer: CaptureWriter | None = None
        self._stopping = False
        self._opened = False

    # -- from other threads ---------------------------------------------------------------------------------------

    def start(self) -> None:
        """Open the radio and begin to look for the sensors; returns when the radio is open.

        Raises
        ------
        HardwareError
            There is no Bluetooth, or it is switched off.
        """
        self._thread.start()
        try:
            self._radio = self._in_loop(self._hardware.open_radio()).result(timeout=60)
            self._opened = True
            self._in_loop(self._begin()).result(timeout=10)
        except MiaError:
            raise
        except RADIO_ERRORS as error:
            raise HardwareError(
                "Bluetooth cannot be opened", str(error) or type(error).__name__, "switch it on, or: --rig virtual"
            ) from error

    def attach(self, writer: CaptureWriter) -> int:
        """Write every notification from now on to ``writer``; returns that moment in host nanoseconds."""
        return self._in_loop(self._attach(writer)).result(timeout=10)

    def detach(self) -> int:
        """Write to no capture any more; returns that moment in host nanoseconds."""
        return self._in_loop(self._detach()).result(timeout=10)

    def stop(self) -> None:
        """Disconnect every sensor, close the radio and end the thread."""
        if not self._thread.is_alive():
            if not self._loop.is_closed():
                self._loop.close()
            return
        try:
            self._in_loop(self._end()).result(timeout=STOP_TIMEOUT_S)
        except TimeoutError:
            self._journal.log("error", "the Bluetooth stack did not let go in time")
        except RADIO_ERRORS as error:
            self._journal.log("error", "the Bluetooth stack failed while closing", {"error": repr(error)})
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=5)
            if not self._thread.is_alive():
                self._loop.close()

    @property
    def sensors(self) -> tuple[Sensor, ...]:
        """The slots as bound: with name, address and serial of the device that sits there."""
        return self._shared.bound([slot.bound for slot in self._slots])

    def statuses(self) -> tuple[SensorStatus, ...]:
        """Return every slot's state now."""
        now_ns = clock.now_ns()
        carriers = tuple(
            SensorStatus(
                sensor=slot.bound,
                state=slot.state,
                reconnects=max(0, slot.epoch),
                battery_percent=slot.identity.battery_percent,
                health=slot.health.live(now_ns),
            )
            for slot in self._slots
        )
        return self._shared.statuses(carriers, now_ns)

    def health(self, until_ns: int) -> dict[str, Any]:
        """Return the manifest's health of each channel for the recording that ended at ``until_ns``."""
        own = {slot.bound.channel: {"slot": slot.bound.slot, **slot.health.summary(until_ns)} for slot in self._slots}
        return own | self._shared.health(until_ns)

    def _in_loop(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    # -- in the loop ----------------------------------------------------------------------------------------------

    async def _begin(self) -> None:
        self._spawn(self._find_all)
        self._spawn(self._watch)

    def _spawn(self, body: Callable[[], Coroutine[Any, Any, None]]) -> None:
        task = self._loop.create_task(body())
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._journal.log("error", "a sensor task failed", {"error": repr(error)})

    async def _attach(self, writer: CaptureWriter) -> int:
        began_ns = clock.now_ns()
        for slot in self._slots:
            streams = slot.state in ("streaming", "stale")
            slot.base_epoch = slot.epoch if streams else slot.epoch + 1
            slot.health.begin(began_ns)
        self._shared.begin(began_ns)
        self._writer = writer
        return began_ns

    async def _detach(self) -> int:
        self._writer = None
        for slot in self._slots:
            slot.health.end()
        self._shared.end()
        return clock.now_ns()

    async def _end(self) -> None:
        self._stopping = True
        # A stack that has died may swallow the first cancellation in a clean-up of its own that never ends.
        for _ in range(3):
            if not self._tasks:
                break
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks, timeout=STOP_TIMEOUT_S / 5)
        for slot in self._slots:
            slot.state = "stopped"
        if self._opened:
            await asyncio.wait_for(self._hardware.close_radio(), STOP_TIMEOUT_S / 5)

    def _free(self, adapter: str) -> list[Sensor]:
        return [slot.wanted for slot in self._slots if not slot.taken and slot.wanted.adapter == adapter]

    async def _find_all(self) -> None:
        """Scan, and connect one after the other what fits, until every slot has its device."""
        back_off_s = FIRST_BACK_OFF_S
        strangers: set[str] = set()
        while adapters := sorted({slot.wanted.adapter for slot in self._slots if not slot.taken}):
            for adapter in adapters:
                n_free = len(self._free(adapter))
                try:
                    for profile, device in await self._scan(adapter, strangers):
                        if not await self._bind(profile, device, adapter):
                            strangers.add(device.address)
                except RADIO_ERRORS as error:
                    self._journal.log("warning", "scanning failed", {"adapter": adapter, "error": str(error)})
                if len(self._free(adapter)) < n_free:
                    back_off_s = FIRST_BACK_OFF_S
            await asyncio.sleep(back_off_s)
            back_off_s = min(2 * back_off_s, LONGEST_BACK_OFF_S)

    async def _scan(self, adapter: str, strangers: set[str]) -> list[tuple[Profile, BLEDevice]]:
        """Return the devices heard that may fit a free slot, in the order they were heard."""
        free = self._free(adapter)
        profiles = {sensor.profile: find_profile(sensor.profile) for sensor in free}
        taken = {slot.device.address for slot in self._slots if slot.device is not None}
        found: dict[str, tuple[Profile, BLEDevice]] = {}
        news = asyncio.Event()

        def heard(device: BLEDevice, advertisement: AdvertisementData) -> None:
            if device.address in taken or device.address in strangers:
                return
            for name, profile in profiles.items():
                new = device.address not in found and could_fit(free, name, device.address)
                if new and matches(profile, device, advertisement):
                    found[device.address] = (profile, device)
                    news.set()

        async with self._locks[adapter]:
            scanner = self._scanner(heard, adapter)
            async with scanner:
                with contextlib.suppress(TimeoutError):
                    while len(found) < len(free):
                        await asyncio.wait_for(news.wait(), SETTLE_S if found else SCAN_S)
                        news.clear()
        return list(found.values())

    def _scanner(self, heard: Callable[[BLEDevice, AdvertisementData], None], adapter: str) -> BleakScanner:
        options: dict[str, Any] = {}
        if adapter:
            options["bluez"] = {"adapter": adapter}
        if self._radio.scanner_backend is not None:
            options["backend"] = self._radio.scanner_backend
        return BleakScanner(heard, **options)

    async def _bind(self, profile: Profile, device: BLEDevice, adapter: str) -> bool:
        """Connect to a device and give it its slot; False where it says it belongs to none."""
        for slot in self._slots:
            if not slot.taken and slot.wanted.address.lower() == device.address.lower():
                slot.state = "connecting"
        link = Link(device, profile, self._radio)
        try:
            async with self._locks[adapter]:
                await link.open()
        except RADIO_ERRORS as error:
            await link.close()
            self._journal.log("warning", "connecting failed", {"address": device.address, "error": str(error)})
            return True  # it may fit once it answers
        sensor = choose_slot(self._free(adapter), profile.name, device.address, link.identity.serial)
        if sensor is None:
            await link.close()
            self._journal.log(
                "info", "a sensor of no slot", {"address": device.address, "serial": link.identity.serial}
            )
            return False
        slot = next(s for s in self._slots if s.wanted.slot == sensor.slot)
        slot.device = device
        slot.bound = replace(
            sensor,
            name=device.name or sensor.name,
            address=device.address,
            serial=link.identity.serial or sensor.serial,
        )
        self._spawn(lambda: self._keep(slot, link))
        return True

    async def _keep(self, slot: _Slot, first: Link) -> None:
        """Stream from one sensor, epoch after epoch, until the hub stops."""
        link: Link | None = first
        back_off_s = FIRST_BACK_OFF_S
        try:
            while True:
                if link is None:
                    link = await self._reconnect(slot)
                if link is not None and await self._stream(slot, link):
                    back_off_s = FIRST_BACK_OFF_S
                if link is not None:
                    await link.close()
                    link = None
                slot.state = "lost"
                await asyncio.sleep(back_off_s)
                back_off_s = min(2 * back_off_s, LONGEST_BACK_OFF_S)
        finally:
            if link is not None:
                await link.close()

    async def _reconnect(self, slot: _Slot) -> Link | None:
        """Find the slot's device again and connect; None where it does not answer."""
        address = slot.bound.address
        here: asyncio.Future[BLEDevice] = self._loop.create_future()

        def heard(device: BLEDevice, _advertisement: AdvertisementData) -> None:
            if device.address == address and not here.done():
                here.set_result(device)

        link: Link | None = None
        try:
            async with self._locks[slot.wanted.adapter]:
                async with self._scanner(heard, slot.wanted.adapter):
                    slot.device = await asyncio.wait_for(here, SCAN_S)
                slot.state = "connecting"
                link = Link(slot.device, slot.profile, self._radio)
                await link.open()
        except RADIO_ERRORS as error:
            if link is not None:
                await link.close()
            self._note(slot, "info", "not there yet", error=str(error) or type(error).__name__)
            return None
        return link

    async def _stream(self, slot: _Slot, link: Link) -> bool:
        """Subscribe and wait for the end of this epoch; False where subscribing failed."""
        epoch = slot.epoch + 1
        reader = LiveReader(slot.profile)

        def on_value(arrival_ns: int, characteristic: str, payload: bytes) -> None:
            writer = self._writer
            if writer is not None:
                writer.notification(slot.bound.slot, epoch - slot.base_epoch, characteristic, arrival_ns, payload)
            reading = reader.read(characteristic, payload)
            if reading.n_values or reading.malformed:
                slot.health.add(epoch, arrival_ns, reading.value)
            self._shared.heard(slot.bound.slot, epoch, arrival_ns, characteristic, payload)

        slot.identity = link.identity
        slot.epoch, slot.state = epoch, "streaming"
        slot.subscribed_ns, slot.overdue = clock.now_ns(), False
        try:
            await link.subscribe(on_value)
        except RADIO_ERRORS as error:
            slot.epoch = epoch - 1
            self._note(slot, "warning", "subscribing failed", error=str(error))
            return False
        self._note(
            slot,
            "info",
            "streaming",
            epoch=epoch,
            serial=link.identity.serial,
            firmware=link.identity.firmware,
            battery_percent=link.identity.battery_percent,
        )
        while not link.lost.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(link.lost.wait(), WATCH_EVERY_S * 4)
            if self._silent_s(slot) > slot.profile.gaps.reconnect_s:
                self._note(slot, "warning", "silent: reconnecting", silent_s=round(self._silent_s(slot), 3))
                return True
        self._note(slot, "warning", "disconnected", epoch=epoch)
        return True

    def _silent_s(self, slot: _Slot) -> float:
        last_ns = max(slot.subscribed_ns, slot.health.last_ns or 0)
        return (clock.now_ns() - last_ns) * 1e-9

    async def _watch(self) -> None:
        """Notice sensors that fall silent while connected, and when they are back."""
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            for slot in self._slots:
                if slot.state not in ("streaming", "stale"):
                    continue
                silent_s, gaps = self._silent_s(slot), slot.profile.gaps
                if slot.state == "streaming" and silent_s > gaps.stale_s:
                    slot.state = "stale"
                    self._note(slot, "warning", "stale", silent_s=round(silent_s, 3))
                elif slot.state == "stale" and silent_s <= gaps.stale_s:
                    slot.state = "streaming"
                    self._note(slot, "info", "back")
                elif silent_s > gaps.suspected_loss_s and not slot.overdue:
                    slot.overdue = True
                    self._note(slot, "info", "overdue: late or lost", silent_s=round(silent_s, 3))
                elif silent_s <= gaps.late_s:
                    slot.overdue = False

    def _note(self, slot: _Slot, level: str, what: str, **detail: Any) -> None:
        if not self._stopping:
            self._journal.log(level, what, {"slot": slot.bound.slot, "channel": slot.bound.channel, **detail})
