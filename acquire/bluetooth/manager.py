"""All sensors: Bluetooth in its own thread and event loop, one task per slot, with automatic reconnection."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from acquire.assignment import Samples
from acquire.bluetooth.battery import follow_battery
from acquire.bluetooth.connection import RADIO_ERRORS, Connection
from acquire.bluetooth.disconnect_reasons import reason_detail
from acquire.bluetooth.loop_lag import LoopLag
from acquire.bluetooth.scanner import Scanner
from acquire.bluetooth.shared_devices import SharedDevices
from acquire.bluetooth.slot import Slot
from acquire.bluetooth.states import Event, State
from acquire.bluetooth.status import SensorStatus
from acquire.event_log import EventLog
from acquire.hardware import Hardware
from acquire.quality.sensor_health import health_by_channel
from dataset.capture.types import Sensor
from dataset.capture.writer import CaptureWriter
from dataset.sensors.decode import LiveReader
from dataset.support import clock
from dataset.support.errors import HardwareError, InputError, MiaError

FIRST_BACK_OFF_S = 0.2
LONGEST_BACK_OFF_S = 5.0
WATCH_EVERY_S = 0.05
STOP_TIMEOUT_S = 15.0

T = TypeVar("T")


class SensorManager:
    """Streams every slot of the rig, before, during and after a recording.

    Parameters
    ----------
    hardware : Hardware
        Provides the slots and opens the radio, inside the manager's own loop.
    event_log : EventLog
        Receives every change of state.
    """

    def __init__(self, hardware: Hardware, event_log: EventLog) -> None:
        self._hardware = hardware
        self._event_log = event_log
        self._shared = SharedDevices(hardware.sensors)
        self._slots = [Slot(sensor, event_log) for sensor in self._shared.carriers]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="bluetooth", daemon=True)
        self._scanners: dict[str, Scanner] = {}
        self._lag = LoopLag(event_log)
        self._tasks: set[asyncio.Task[None]] = set()
        self._writer: CaptureWriter | None = None
        self._opened = False

    # -- from other threads ---------------------------------------------------------------------------------------

    def start(self) -> None:
        """Open the radio and start searching for the sensors; returns when the radio is open.

        Raises
        ------
        HardwareError
            Bluetooth is missing or switched off.
        """
        self._thread.start()
        try:
            self._in_loop(self._begin()).result(timeout=60)
        except MiaError:
            raise
        except RADIO_ERRORS as error:
            raise HardwareError(
                "Bluetooth cannot be opened", str(error) or type(error).__name__, "switch it on, or: --rig virtual"
            ) from error

    def attach(self, writer: CaptureWriter) -> int:
        """Write every notification from now on to ``writer``; return the start time in host nanoseconds."""
        return self._in_loop(self._attach(writer)).result(timeout=10)

    def detach(self) -> int:
        """Stop writing to a capture; return the end time in host nanoseconds."""
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
            self._event_log.log("error", "the Bluetooth stack did not close in time")
        except RADIO_ERRORS as error:
            self._event_log.log("error", "the Bluetooth stack failed while closing", {"error": repr(error)})
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=5)
            if not self._thread.is_alive():
                self._loop.close()

    @property
    def sensors(self) -> tuple[Sensor, ...]:
        """The slots with name, address and serial of the device bound to each."""
        return self._shared.bound([slot.bound for slot in self._slots])

    def statuses(self) -> tuple[SensorStatus, ...]:
        """Return every slot's state now."""
        now_ns = clock.now_ns()
        return self._shared.statuses([slot.status(now_ns) for slot in self._slots], now_ns)

    def health(self, until_ns: int) -> dict[str, Any]:
        """Return the manifest's health of each channel for the recording that ended at ``until_ns``."""
        own = health_by_channel(((slot.bound, slot.health) for slot in self._slots), until_ns)
        return own | self._shared.health(until_ns)

    def samples(self, since_ns: int) -> dict[int, Samples]:
        """Return what every slot has sent since a host time."""
        own = {slot.bound.slot: slot.health for slot in self._slots} | self._shared.healths()
        found = {number: health.since(since_ns) for number, health in own.items()}
        return {number: Samples(arrival_ns=ns, value=value) for number, (ns, value) in found.items()}

    def rebind(self, sensors: Sequence[Sensor]) -> None:
        """Assign the slots' sensors to other muscles; the connections stay. Not during a recording."""
        self._in_loop(self._rebind({s.slot: s for s in sensors})).result(timeout=10)

    async def _rebind(self, sensors: Mapping[int, Sensor]) -> None:
        for slot in self._slots:
            slot.sit_on(sensors[slot.wanted.slot])
        self._shared.sit_on(sensors)

    def reconnect(self, number: int) -> None:
        """Drop a slot's connection, so that it is made again.

        Raises
        ------
        InputError
            There is no such slot, or it is not connected (it is being searched for already).
        """
        slot = next((s for s in self._slots if s.wanted.slot == self._shared.carrier_of(number)), None)
        if slot is None:
            raise InputError(f"there is no slot {number}", f"the rig has {len(self.sensors)}")
        if not self._in_loop(self._reconnect(slot)).result(timeout=10):
            raise InputError(
                f"slot {number} {slot.bound.channel} is not connected", f"it is {slot.state.value}",
                "it is being searched for: switch it on, or move it closer",
            )  # fmt: skip

    @staticmethod
    async def _reconnect(slot: Slot) -> bool:
        if slot.link is None or slot.state not in (State.STREAMING, State.STALE):
            return False
        slot.link.give_up(asked=True)
        return True

    def _in_loop(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    # -- in the loop ----------------------------------------------------------------------------------------------

    async def _begin(self) -> None:
        radio = await self._hardware.open_radio()
        self._opened = True
        for adapter in dict.fromkeys(slot.wanted.adapter for slot in self._slots):
            slots = [slot for slot in self._slots if slot.wanted.adapter == adapter]
            self._event_log.log("info", "adapter", {"adapter": adapter, "slots": [s.wanted.slot for s in slots]})
            scanner = self._scanners[adapter] = Scanner(adapter, slots, radio, self._event_log)
            self._spawn(scanner.run())
            for slot in slots:
                self._spawn(self._keep(slot, scanner))
        self._spawn(self._watch())
        self._spawn(self._lag.run())

    def _spawn(self, body: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(body)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._event_log.log("error", "a sensor task failed", {"error": repr(error)})

    async def _attach(self, writer: CaptureWriter) -> int:
        began_ns = clock.now_ns()
        for slot in self._slots:
            slot.begin_recording(began_ns)
        self._shared.begin(began_ns)
        self._writer = writer
        return began_ns

    async def _detach(self) -> int:
        self._writer = None
        self._lag.report()
        for slot in self._slots:
            slot.health.end()
        self._shared.end()
        return clock.now_ns()

    async def _end(self) -> None:
        for slot in self._slots:
            slot.machine.step(Event.STOP)
        # A dead stack may swallow the first cancellation in an endless clean-up of its own.
        for _ in range(3):
            if not self._tasks:
                break
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks, timeout=STOP_TIMEOUT_S / 5)
        if not self._opened:
            return
        links = [link for scanner in self._scanners.values() for link in scanner.links]
        await asyncio.gather(*(link.close() for link in links))
        await asyncio.wait_for(self._hardware.close_radio(), STOP_TIMEOUT_S / 5)

    async def _keep(self, slot: Slot, scanner: Scanner) -> None:
        """Stream from one sensor, epoch after epoch, until the manager stops."""
        back_off_s = FIRST_BACK_OFF_S
        while True:
            link = await scanner.find(slot)
            if link is not None:
                try:
                    if await self._stream(slot, link):
                        back_off_s = FIRST_BACK_OFF_S
                finally:
                    await scanner.close(link)
            await asyncio.sleep(back_off_s)
            back_off_s = min(2 * back_off_s, LONGEST_BACK_OFF_S)
            if slot.state == State.LOST:
                slot.machine.step(Event.RETRY)

    async def _stream(self, slot: Slot, link: Connection) -> bool:
        """Subscribe and wait for the end of this epoch; False if no value arrived."""
        epoch = slot.start_epoch(link)
        try:
            await link.subscribe(self._sink(slot, epoch))
        except RADIO_ERRORS as error:
            slot.fail_epoch()
            slot.machine.step(Event.FAILED, error=str(error) or type(error).__name__)
            return False
        who = link.identity
        slot.machine.step(Event.SUBSCRIBED, epoch=epoch - slot.base_epoch, serial=who.serial, firmware=who.firmware)
        battery = asyncio.create_task(follow_battery(link, slot.set_battery))
        try:
            await link.lost.wait()
        finally:
            battery.cancel()
            (failure,) = await asyncio.gather(battery, return_exceptions=True)
            if isinstance(failure, Exception):
                slot.note("error", "the battery cannot be followed", error=repr(failure))
        heard = slot.heard
        slot.end_epoch()
        if link.asked:
            slot.machine.step(Event.ASKED)
        elif link.given_up:
            slot.machine.step(Event.GIVEN_UP)
        else:
            slot.machine.step(Event.DISCONNECTED, **reason_detail(link.reason))
        return heard

    def _sink(self, slot: Slot, epoch: int) -> Callable[[int, str, bytes], None]:
        """Return the callback for the notifications of one connection."""
        number, reader = slot.bound.slot, LiveReader(slot.profile)

        def on_value(arrival_ns: int, characteristic: str, payload: bytes) -> None:
            writer = self._writer
            if writer is not None:
                writer.notification(number, epoch - slot.base_epoch, characteristic, arrival_ns, payload)
            reading = reader.read(characteristic, payload)
            if reading.n_values or reading.malformed:
                slot.health.add(epoch - slot.base_epoch, arrival_ns, reading.value)
            self._shared.heard(number, epoch - slot.base_epoch, arrival_ns, characteristic, payload)

        return on_value

    async def _watch(self) -> None:
        """Detect sensors that fall silent while connected, and their return; log what the counts show."""
        while True:
            before_ns = clock.now_ns()
            await asyncio.sleep(WATCH_EVERY_S)
            now_ns = clock.now_ns()
            if (now_ns - before_ns) * 1e-9 > 4 * WATCH_EVERY_S:
                continue  # the loop was blocked: arrivals meanwhile are not processed yet
            for slot in self._slots:
                if slot.link is not None:
                    self._watch_one(slot, slot.link, now_ns)

    @staticmethod
    def _watch_one(slot: Slot, link: Connection, now_ns: int) -> None:
        silent_s, gaps = slot.silent_s(now_ns), slot.profile.gaps
        if slot.state == State.STREAMING and silent_s > gaps.stale_s:
            slot.machine.step(Event.SILENT, silent_s=round(silent_s, 3))
        elif slot.state == State.STALE and silent_s <= gaps.stale_s:
            slot.machine.step(Event.HEARD)
        elif slot.state == State.STALE and silent_s > gaps.reconnect_s and not link.given_up:
            link.give_up()
        slot.tell_overdue(silent_s)
        slot.tell_counts(now_ns)
