"""A simulated radio link between virtual Bluetooth controllers: what bumble's local link and controller lack.

bumble 0.0.236 has no loss of signal and no supervision timeout, sends data under the sender's current address
instead of the connection's, and leaves a cancelled connection attempt pending without reporting its end.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Callable
from functools import partial

from bumble import core, hci, ll
from bumble.controller import Connection, Controller
from bumble.link import LocalLink
from bumble.transport.common import StreamPacketSink, StreamPacketSource

#: After this long without a packet both ends close the link with reason 0x08.
SUPERVISION_TIMEOUT_S = 2.0
#: A new link without a packet for six connection intervals was never established: reason 0x3E.
ESTABLISHING_S = 0.06


class VirtualController(Controller):
    """A controller with data packets of 251 bytes whose connection attempts can be refused and cancelled."""

    le_acl_data_packet_length = 251

    def on_hci_le_create_connection_command(self, command: hci.HCI_LE_Create_Connection_Command) -> None:
        """Begin to connect, or refuse if no slot for another link is free."""
        if not self._refused(command.peer_address, command.op_code):
            super().on_hci_le_create_connection_command(command)

    def on_hci_le_extended_create_connection_command(
        self, command: hci.HCI_LE_Extended_Create_Connection_Command
    ) -> None:
        """The same, by the newer command."""
        if not self._refused(command.peer_address, command.op_code):
            super().on_hci_le_extended_create_connection_command(command)

    def _refused(self, peer_address: hci.Address, op_code: int) -> bool:
        if not (isinstance(self.link, SimulatedLink) and self.link.takes_refusal(peer_address)):
            return False
        self._send_hci_command_status(hci.HCI_ErrorCode.CONNECTION_LIMIT_EXCEEDED_ERROR, op_code)
        return True

    def on_hci_le_create_connection_cancel_command(
        self, _command: hci.HCI_LE_Create_Connection_Cancel_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Cancel a pending attempt and report its end (Core specification vol. 4 part E 7.8.13)."""
        pending, self.pending_le_connection = self.pending_le_connection, None
        if pending is None:
            return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
        asyncio.get_running_loop().call_soon(
            self.send_hci_packet,
            hci.HCI_LE_Connection_Complete_Event(
                status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
                connection_handle=0,
                role=hci.Role.CENTRAL,
                peer_address_type=pending.peer_address.address_type,
                peer_address=pending.peer_address,
                connection_interval=0,
                peripheral_latency=0,
                supervision_timeout=0,
                central_clock_accuracy=0,
            ),
        )
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)


class SimulatedLink(LocalLink):
    """A link between one central and its peripherals on which a peripheral can fall silent or be refused.

    Silence delays packets, as a link layer that repeats until it is acknowledged: after a short
    one they come in a burst, and none is lost. A silence longer than the supervision timeout ends the link.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        #: Remaining connections to refuse, or to fail, by address.
        self.refusals: Counter[hci.Address] = Counter()
        self.unestablished: Counter[hci.Address] = Counter()
        self._silent: set[Controller] = set()
        self._timers: dict[Controller, list[asyncio.TimerHandle]] = {}
        self._held: list[tuple[Controller, Controller, Callable[[], None]]] = []

    def send_acl_data(
        self,
        sender_controller: Controller,
        destination_address: hci.Address,
        transport: core.PhysicalTransport,
        data: bytes,
    ) -> None:
        """Carry data to the other end of the connection, under the address the connection was made with."""
        connection = sender_controller.le_connections.get(destination_address)
        receiver = self.find_le_controller(destination_address)
        if connection is None or receiver is None:
            return
        deliver = partial(self._deliver_data, receiver, connection.self_address, transport, data)
        self._send(sender_controller, receiver, deliver)

    def _deliver_data(
        self, receiver: Controller, source: hci.Address, transport: core.PhysicalTransport, data: bytes
    ) -> None:
        if source in receiver.le_connections:
            receiver.on_link_acl_data(source, transport, data)

    def send_ll_control_pdu(
        self, sender_address: hci.Address, receiver_address: hci.Address, packet: ll.ControlPdu
    ) -> None:
        """Carry a link-layer control packet; one sent during silence is lost."""
        sender = self.find_le_controller(sender_address)
        receiver = self.find_le_controller(receiver_address)
        if sender is None or receiver is None:
            return
        if isinstance(packet, ll.TerminateInd) and self._silent & {sender, receiver}:
            asyncio.get_running_loop().call_later(SUPERVISION_TIMEOUT_S, self._time_out, receiver, sender_address)
            return
        self._send(sender, receiver, partial(self._deliver_control, receiver, sender_address, packet))

    def _deliver_control(self, receiver: Controller, source: hci.Address, packet: ll.ControlPdu) -> None:
        if source in receiver.le_connections:
            receiver.on_ll_control_pdu(source, packet)

    def send_advertising_pdu(self, sender_controller: Controller, packet: ll.AdvertisingPdu) -> None:
        """Carry an advertisement or a connection request to every controller that is not silent."""
        if sender_controller in self._silent:
            return
        loop = asyncio.get_running_loop()
        if isinstance(packet, ll.ConnectInd) and self.unestablished[packet.advertiser_address] > 0:
            self.unestablished[packet.advertiser_address] -= 1
            failed = hci.HCI_ErrorCode.CONNECTION_FAILED_TO_BE_ESTABLISHED_ERROR
            loop.call_later(ESTABLISHING_S, self._end, sender_controller, packet.advertiser_address, failed)
            return
        for controller in self.controllers - self._silent - {sender_controller}:
            if controller.le_scan_enable or controller.pending_le_connection or isinstance(packet, ll.ConnectInd):
                loop.call_soon(controller.on_ll_advertising_pdu, packet)

    def _send(self, sender: Controller, receiver: Controller, deliver: Callable[[], None]) -> None:
        if self._silent & {sender, receiver}:
            self._held.append((sender, receiver, deliver))
        else:
            asyncio.get_running_loop().call_soon(deliver)

    def takes_refusal(self, peer_address: hci.Address) -> bool:
        """Return whether a connection to this address is to be refused now."""
        if self.refusals[peer_address] <= 0:
            return False
        self.refusals[peer_address] -= 1
        return True

    def silence(self, controller: Controller, duration_s: float) -> None:
        """Switch a controller's radio off for ``duration_s`` seconds from now; 0 switches it on."""
        for timer in self._timers.pop(controller, []):
            timer.cancel()
        if duration_s <= 0:
            self._end_silence(controller)
            return
        loop = asyncio.get_running_loop()
        self._silent.add(controller)
        timers = self._timers[controller] = [loop.call_later(duration_s, self._end_silence, controller)]
        if duration_s > SUPERVISION_TIMEOUT_S:
            timers.append(loop.call_later(SUPERVISION_TIMEOUT_S, self._lose, controller))

    def _end_silence(self, controller: Controller) -> None:
        self._silent.discard(controller)
        held, self._held = self._held, []
        for sender, receiver, deliver in held:
            self._send(sender, receiver, deliver)

    def _lose(self, controller: Controller) -> None:
        """End every connection of a silent controller at both ends."""
        self._held = [entry for entry in self._held if controller not in entry[:2]]
        for connection in list(controller.le_connections.values()):
            other = self.find_le_controller(connection.peer_address)
            self._time_out(controller, connection.peer_address)
            if other is not None:
                self._time_out(other, connection.self_address)

    def _time_out(self, controller: Controller, peer_address: hci.Address) -> None:
        self._end(controller, peer_address, hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)

    @staticmethod
    def _end(controller: Controller, peer_address: hci.Address, reason: hci.HCI_ErrorCode) -> None:
        """End one controller's side of a connection."""
        connection: Connection | None = controller.le_connections.get(peer_address)
        if connection is not None:
            controller.on_le_disconnected(connection, reason)


async def serve_controller(air: SimulatedLink, hci_socket: socket.socket) -> asyncio.Transport:
    """Put a controller for the central on ``air`` whose host is at the other end of ``hci_socket``."""
    loop = asyncio.get_running_loop()
    transport, source = await loop.create_connection(StreamPacketSource, sock=hci_socket)
    VirtualController("central", host_source=source, host_sink=StreamPacketSink(transport), link=air)
    return transport
