"""Bluetooth host of the virtual rig: a central whose HCI is a socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable
from contextlib import suppress
from typing import Self, TypeVar

from bleak.exc import BleakDeviceNotFoundError, BleakError, BleakGATTProtocolError
from bumble import core, hci
from bumble.att import ATT_Error
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.transport.common import StreamPacketSink, StreamPacketSource

#: Static random address of the central; the virtual link does not accept a public one.
CENTRAL_ADDRESS = "F0:00:00:00:00:01"

#: Time limit for a request at shutdown.
CLOSE_TIMEOUT_S = 2.0

_T = TypeVar("_T")


async def translated(request: Awaitable[_T]) -> _T:
    """Await an ATT request and raise its failure as bleak's own errors.

    A link that drops cancels bumble's pending request; that must not look like a cancellation of the caller.
    """
    try:
        return await request
    except ATT_Error as error:
        raise BleakGATTProtocolError(error.error_code) from error
    except (core.BaseBumbleError, TimeoutError) as error:
        raise BleakError(f"the request failed: {error!r}") from error
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise BleakError("the device disconnected") from None


class _HciSource(StreamPacketSource):
    """Informs the host stack when the controller's process has ended."""

    def connection_lost(self, exc: Exception | None) -> None:
        self.on_transport_lost()


class Central:
    """A Bluetooth host in the central role on one controller.

    Parameters
    ----------
    device : Device
        Powered on.
    transport : asyncio.Transport, optional
        Closed together with the host.
    """

    def __init__(self, device: Device, transport: asyncio.Transport | None = None) -> None:
        self.device = device
        self._transport = transport
        self._connecting = asyncio.Lock()
        #: HCI code with which the last link to each address ended.
        self.disconnect_reasons: dict[str, int] = {}

    @classmethod
    async def open(cls, hci_socket: socket.socket) -> Self:
        """Start the host on ``hci_socket``, which is closed with it; make every call from this event loop."""
        loop = asyncio.get_running_loop()
        transport, source = await loop.create_connection(_HciSource, sock=hci_socket)
        try:
            config = DeviceConfiguration(name="mia-record", address=hci.Address(CENTRAL_ADDRESS))
            device = Device.from_config_with_hci(config, source, StreamPacketSink(transport))
            await device.power_on()
        except BaseException:
            transport.abort()
            raise
        return cls(device, transport)

    async def close(self) -> None:
        """Drop every connection and the HCI socket."""
        with suppress(core.BaseBumbleError, TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                for connection in list(self.device.connections.values()):
                    await connection.disconnect()
                await self.device.power_off()
        if self._transport is not None:
            self._transport.abort()
        await asyncio.sleep(0)  # lets the transport run connection_lost before the loop ends

    async def connect(self, target: hci.Address, timeout_s: float) -> Connection:
        """Connect to ``target``.

        Notes
        -----
        The stack allows one attempt at a time. An attempt that times out or is cancelled is also cancelled in the
        controller: left pending, it would block all later attempts.

        Raises
        ------
        bleak.exc.BleakDeviceNotFoundError
            No advertisement within ``timeout_s``.
        bleak.exc.BleakError
            The link could not be made.
        """
        async with self._connecting:
            attempt = asyncio.ensure_future(self.device.connect(target, timeout=None))
            try:
                await asyncio.wait({attempt}, timeout=timeout_s)
            except asyncio.CancelledError:
                await self._take_back(attempt)
                raise
            if not attempt.done() and not await self._take_back(attempt):
                raise BleakDeviceNotFoundError(str(target), f"{target} did not respond within {timeout_s:g} s")
            try:
                return await attempt
            except (core.BaseBumbleError, hci.HCI_Error) as error:
                raise BleakError(f"connection failed: {error}") from error

    async def _take_back(self, attempt: asyncio.Future[Connection]) -> bool:
        """Cancel a pending attempt; return False, or True if it connected at that moment."""
        with suppress(core.BaseBumbleError, hci.HCI_Error, TimeoutError):
            await self.device.send_sync_command(hci.HCI_LE_Create_Connection_Cancel_Command())
        await asyncio.wait({attempt}, timeout=CLOSE_TIMEOUT_S)
        if not attempt.done():
            attempt.cancel()
            return False
        if attempt.cancelled() or attempt.exception() is not None:
            return False
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            with suppress(core.BaseBumbleError, TimeoutError):
                await attempt.result().disconnect()
        return True
