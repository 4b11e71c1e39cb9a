"""Client and scanner for bleak on top of the virtual rig's Bluetooth host."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import suppress
from typing import Any, ClassVar, cast

from bleak.args import SizedBuffer
from bleak.assigned_numbers import CharacteristicPropertyName
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakError
from bumble import core, hci
from bumble.device import Advertisement, Connection, Device, Peer
from bumble.gatt import Characteristic
from bumble.gatt_client import CharacteristicProxy

from acquire.bluetooth.bumble_host import CLOSE_TIMEOUT_S, Central, translated
from acquire.hardware import Radio

#: ATT MTU requested; 251 bytes of link-layer data less the L2CAP header.
MTU = 247

_Field = core.AdvertisingData.Type
_UUID_LISTS = (
    _Field.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    _Field.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    _Field.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
    _Field.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
)
_Bit = Characteristic.Properties
_PROPERTIES: tuple[tuple[Characteristic.Properties, CharacteristicPropertyName], ...] = (
    (_Bit.BROADCAST, "broadcast"),
    (_Bit.READ, "read"),
    (_Bit.WRITE_WITHOUT_RESPONSE, "write-without-response"),
    (_Bit.WRITE, "write"),
    (_Bit.NOTIFY, "notify"),
    (_Bit.INDICATE, "indicate"),
)


def make_radio(central: Central) -> Radio:
    """Return backend classes for bleak that use ``central``; bleak takes classes, not instances."""
    client = type("VirtualClient", (VirtualClient,), {"central": central})
    scanner = type("VirtualScanner", (VirtualScanner,), {"central": central})
    return Radio(
        client_backend=client, scanner_backend=scanner, disconnect_reason=lambda a: central.disconnect_reasons.get(a)
    )


def uuid_text(value: core.UUID) -> str:
    """Return a bumble UUID as bleak writes it: 128 bits, lower case."""
    return str(uuid.UUID(bytes=value.to_bytes(force_128=True)[::-1]))


class VirtualScanner(BaseBleakScanner):
    """bleak scanner; :func:`make_radio` binds it to a central."""

    central: ClassVar[Central]

    def __init__(
        self,
        detection_callback: AdvertisementDataCallback | None,
        service_uuids: list[str] | None,
        scanning_mode: str,
        **_: Any,
    ) -> None:
        super().__init__(detection_callback, service_uuids)
        self._active = scanning_mode == "active"

    async def start(self) -> None:
        """Start receiving advertisements."""
        self.seen_devices = {}
        device = self.central.device
        device.on(Device.EVENT_ADVERTISEMENT, self._on_advertisement)
        if not device.is_scanning:
            await device.start_scanning(active=self._active, filter_duplicates=False)

    async def stop(self) -> None:
        """Stop receiving; the radio keeps scanning while another scanner needs it."""
        device = self.central.device
        device.remove_listener(Device.EVENT_ADVERTISEMENT, self._on_advertisement)
        if device.is_scanning and not device.listeners(Device.EVENT_ADVERTISEMENT):
            await device.stop_scanning()

    def _on_advertisement(self, advertisement: Advertisement) -> None:
        data = advertisement.data
        name = data.get(_Field.COMPLETE_LOCAL_NAME) or data.get(_Field.SHORTENED_LOCAL_NAME)
        lists = [cast("list[core.UUID]", items) for kind in _UUID_LISTS for items in data.get_all(kind)]
        uuids = [uuid_text(item) for items in lists for item in items]
        if not self.is_allowed_uuid(uuids):
            return
        seen = AdvertisementData(
            local_name=name,
            manufacturer_data=dict(data.get_all(_Field.MANUFACTURER_SPECIFIC_DATA)),
            service_data={},
            service_uuids=uuids,
            tx_power=data.get(_Field.TX_POWER_LEVEL),
            rssi=advertisement.rssi,
            platform_data=(advertisement,),
        )
        address = advertisement.address.to_string(with_type_qualifier=False)
        device = self.create_or_update_device(address, address, name, advertisement.address, seen)
        self.call_detection_callbacks(device, seen)


class VirtualClient(BaseBleakClient):
    """bleak client; :func:`make_radio` binds it to a central."""

    central: ClassVar[Central]

    def __init__(
        self, address_or_ble_device: BLEDevice | str, *, services: set[str] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(address_or_ble_device, **kwargs)
        self._name: str | None = None
        self._target = hci.Address(self.address)
        if isinstance(address_or_ble_device, BLEDevice):
            self._name = address_or_ble_device.name
            self._target = address_or_ble_device.details
        self._wanted = services
        self._connection: Connection | None = None
        self._peer: Peer | None = None
        self._subscriptions: dict[int, Any] = {}

    @property
    def name(self) -> str:
        """Advertised name, or the address with dashes."""
        return self._name or self.address.replace(":", "-")

    @property
    def mtu_size(self) -> int:
        """ATT MTU of the link; 23 if not connected."""
        return int(self._connection.att_mtu) if self._connection is not None else 23

    @property
    def is_connected(self) -> bool:
        """Whether the link is up."""
        return self._connection is not None

    async def connect(self, pair: bool, **_: Any) -> None:
        """Connect, negotiate the MTU and discover all services."""
        if self._connection is not None:
            raise BleakError("the client is already connected")
        self.central.disconnect_reasons.pop(self.address, None)
        connection = await self.central.connect(self._target, self._timeout)
        self._connection = connection
        connection.on(connection.EVENT_DISCONNECTION, self._on_disconnection)
        self._peer = Peer(connection)
        try:
            if pair:
                await translated(connection.pair())
            await translated(self._peer.request_mtu(MTU))
            self.services = await self._discover(self._peer)
        except BaseException:
            await self.disconnect()
            raise

    async def _discover(self, peer: Peer) -> BleakGATTServiceCollection:
        found = BleakGATTServiceCollection()
        await translated(peer.discover_services())
        for service in peer.services:
            if self._wanted and uuid_text(service.uuid) not in self._wanted:
                continue
            bleak_service = BleakGATTService(service, service.handle, uuid_text(service.uuid))
            found.add_service(bleak_service)
            for item in await translated(service.discover_characteristics()):
                characteristic = BleakGATTCharacteristic(
                    item,
                    item.handle,
                    uuid_text(item.uuid),
                    [name for bit, name in _PROPERTIES if item.properties & bit],
                    lambda: self.mtu_size - 3,
                    bleak_service,
                )
                found.add_characteristic(characteristic)
                for entry in await translated(item.discover_descriptors()):
                    found.add_descriptor(
                        BleakGATTDescriptor(entry, entry.handle, uuid_text(entry.type), characteristic)
                    )
        return found

    def _on_disconnection(self, reason: int) -> None:
        self.central.disconnect_reasons[self.address] = int(reason)
        self._connection = None
        self._peer = None
        self.services = None
        self._subscriptions.clear()
        if self._disconnected_callback is not None:
            self._disconnected_callback()

    async def disconnect(self) -> None:
        """Drop the link; does nothing if there is none."""
        connection = self._connection
        if connection is None:
            return
        with suppress(BleakError, TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await translated(connection.disconnect())

    async def pair(self, *_: Any, **__: Any) -> None:
        """Pair with the device."""
        if self._connection is None:
            raise BleakError("not connected")
        await translated(self._connection.pair())

    async def unpair(self) -> None:
        """Forget the device's keys."""
        keystore = self.central.device.keystore
        if keystore is not None:
            await keystore.delete(self.address)

    def _link(self) -> Peer:
        if self._peer is None:
            raise BleakError("not connected")
        return self._peer

    async def read_gatt_char(
        self, characteristic: BleakGATTCharacteristic, *, use_cached: bool = False, **_: Any
    ) -> bytearray:
        """Read a characteristic from the device."""
        return bytearray(await translated(self._link().gatt_client.read_value(characteristic.obj)))

    async def read_gatt_descriptor(
        self, descriptor: BleakGATTDescriptor, *, use_cached: bool = False, **_: Any
    ) -> bytearray:
        """Read a descriptor from the device."""
        return bytearray(await translated(self._link().gatt_client.read_value(descriptor.obj)))

    async def write_gatt_char(self, characteristic: BleakGATTCharacteristic, data: SizedBuffer, response: bool) -> None:
        """Write a characteristic."""
        client = self._link().gatt_client
        await translated(client.write_value(characteristic.obj, bytes(data), with_response=response))

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: SizedBuffer) -> None:
        """Write a descriptor."""
        await translated(self._link().gatt_client.write_value(descriptor.obj, bytes(data), with_response=True))

    async def start_notify(self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **_: Any) -> None:
        """Subscribe; ``callback`` is called with each payload."""
        if characteristic.handle in self._subscriptions:
            raise BleakError("notifications are already started")
        proxy: CharacteristicProxy[bytes] = characteristic.obj

        def on_value(value: bytes) -> None:
            callback(bytearray(value))

        client = self._link().gatt_client
        self._subscriptions[characteristic.handle] = on_value
        try:
            await translated(client.subscribe(proxy, on_value))
        except BaseException:
            self._subscriptions.pop(characteristic.handle, None)
            raise

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        """Unsubscribe."""
        on_value = self._subscriptions.pop(characteristic.handle, None)
        if on_value is not None:
            await translated(self._link().gatt_client.unsubscribe(characteristic.obj, on_value))
