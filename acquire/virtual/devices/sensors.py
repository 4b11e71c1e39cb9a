"""The virtual sensors alone, without camera, sound and box: a process of eight GATT servers and its radio."""

from __future__ import annotations

import atexit
import socket
from abc import ABC, abstractmethod
from asyncio import to_thread
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from acquire.bluetooth.bumble_backend import make_radio
from acquire.bluetooth.bumble_host import Central
from acquire.hardware import FrameSource, Radio, SoundSource
from acquire.protocol.schedule import Prompt
from acquire.virtual.devices.child import Child
from acquire.virtual.devices.clocks import Devices
from acquire.virtual.devices.orders import Order, prompt_order
from acquire.virtual.faults import Faults

#: HCI reason: the remote user ended the connection.
REMOTE_USER = 0x13


def sensors_child(world: Sequence[str], hci_end: socket.socket) -> Child:
    """Start the sensors' process on its end of the HCI socket; ``world`` is its seed, subject and faults."""
    fd = hci_end.fileno()
    return Child("acquire.virtual.devices.sensors_process", [*world, "--hci-fd", str(fd)], (fd,))


class SensorOrders(ABC):
    """Commands to virtual sensors, for tests and benchmarks. Slots count from 1."""

    @abstractmethod
    def order_sensors(self, order: Order) -> None:
        """Send one command to the sensors' process."""

    def drop(self, slot: int, reason: int = REMOTE_USER) -> None:
        """End a sensor's connection with an HCI reason; it advertises again at once."""
        self.order_sensors({"do": "drop", "slot": slot, "reason": reason})

    def silence(self, slot: int, seconds: float) -> None:
        """Take a sensor out of radio range for the given seconds from now; 0 brings it back."""
        self.order_sensors({"do": "silence", "slot": slot, "seconds": seconds})

    def refuse(self, slot: int, times: int) -> None:
        """Refuse the next connections to a sensor: no slot is free."""
        self.order_sensors({"do": "refuse", "slot": slot, "times": times})

    def fail_to_establish(self, slot: int, times: int) -> None:
        """End the next connections to a sensor before any packet arrives on them (reason 0x3E)."""
        self.order_sensors({"do": "fail_to_establish", "slot": slot, "times": times})

    def spoil(self, slot: int, kind: str, values: int) -> None:
        """Apply a fault to a sensor's next values; ``kind`` is one of :class:`acquire.virtual.devices.m40.Spoil`."""
        self.order_sensors({"do": "spoil", "slot": slot, "kind": kind, "values": values})

    def set_battery(self, slot: int, percent: int) -> None:
        """Set a sensor's battery to ``percent``."""
        self.order_sensors({"do": "battery", "slot": slot, "percent": percent})


class VirtualSensors(SensorOrders):
    """A rig of only eight virtual sensors; implements :class:`acquire.hardware.Hardware`.

    Parameters
    ----------
    seed : int
        Draws the person, the sensors' clocks, delays, addresses and serials.
    subject : str
    faults : Faults, optional
    """

    name = "virtual sensors"

    def __init__(self, seed: int, subject: str = "S01", faults: Faults | None = None) -> None:
        faults = faults or Faults()
        self.sensors = Devices.drawn(seed, faults).rig_sensors()
        self._world = ["--seed", str(seed), "--subject", subject, "--faults", faults.model_dump_json()]
        self._child: Child | None = None
        self._hci: socket.socket | None = None
        self._central: Central | None = None

    def order_sensors(self, order: Order) -> None:
        """Send one command to the sensors' process, starting it if needed."""
        self._started()[0].order(order)

    def _started(self) -> tuple[Child, socket.socket]:
        if self._child is None or self._hci is None:
            here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            with there:
                self._child, self._hci = sensors_child(self._world, there), here
            atexit.register(self.close)
        return self._child, self._hci

    async def open_radio(self) -> Radio:
        """Start the sensors if needed, and open the Bluetooth stack."""
        child, hci = self._started()
        await to_thread(child.wait_ready)
        self._central = await Central.open(hci)
        return make_radio(self._central)

    async def close_radio(self) -> None:
        """Close the Bluetooth stack, in the loop that opened it."""
        central, self._central = self._central, None
        if central is not None:
            await central.close()

    def open_camera(self) -> FrameSource | None:
        """There is none."""
        return None

    def open_sound(self) -> SoundSource | None:
        """There is none."""
        return None

    def open_cues(self) -> str:
        """Nothing to do: :meth:`prompt` reaches the virtual person."""
        return ""

    def box_port(self) -> str | None:
        """There is none."""
        return None

    def prompt(self, prompt: Prompt, host_ns: int) -> None:
        """Give the virtual person a prompt."""
        self.order_sensors(prompt_order(prompt, host_ns))

    def report(self) -> dict[str, Any]:
        """End the sensors and return what each sent, by channel."""
        sent: dict[str, Any] = self._started()[0].report()["sent"]
        return sent

    def finish(self, capture: Path | None) -> None:
        """End the sensors; they write no truth."""
        self.close()

    def close(self) -> None:
        """End the process, if it runs."""
        child, hci, self._child, self._hci = self._child, self._hci, None, None
        if child is not None and hci is not None:
            atexit.unregister(self.close)
            child.close()
            hci.close()
