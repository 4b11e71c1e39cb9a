"""A Bluetooth controller driven by bumble instead of the system's stack: ``--transport usb:0`` and the like."""

from __future__ import annotations

from bumble import hci
from bumble.core import BaseBumbleError
from bumble.device import Device, DeviceConfiguration
from bumble.transport import open_transport
from bumble.transport.common import Transport, TransportInitError, TransportSpecError

from acquire.bluetooth.bumble_backend import make_radio
from acquire.bluetooth.bumble_host import Central
from acquire.hardware import Radio
from dataset.support.errors import HardwareError, InputError

_HINT = "a USB dongle is usb:0, and must not be in use by the system: sudo hciconfig hci0 down, or unbind btusb"


class TransportRadio:
    """bleak over a controller that bumble drives.

    Parameters
    ----------
    name : str
        Name of the transport in bumble, such as ``usb:0`` or ``serial:/dev/ttyACM0,1000000``.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._transport: Transport | None = None
        self._central: Central | None = None

    async def open(self) -> Radio:
        """Open the controller and start a host on it, in the running loop.

        Raises
        ------
        InputError
            There is no transport of this name.
        HardwareError
            The controller is missing, in use, or does not respond.
        """
        try:
            self._transport = await open_transport(self._name)
        except TransportSpecError as error:
            raise InputError(
                f"--transport {self._name} is not a transport", str(error), "for example: usb:0"
            ) from error
        except (OSError, ImportError, TransportInitError, ValueError) as error:
            why = str(error) or type(error).__name__
            raise HardwareError(f"the transport {self._name} cannot be opened", why, _HINT) from error
        config = DeviceConfiguration(name="mia-record", address=hci.Address.generate_static_address())
        device = Device.from_config_with_hci(config, self._transport.source, self._transport.sink)
        try:
            await device.power_on()
        except (BaseBumbleError, hci.HCI_Error, TimeoutError) as error:
            await self.close()
            raise HardwareError(f"the controller at {self._name} does not respond", repr(error), _HINT) from error
        self._central = Central(device)
        return make_radio(self._central)

    async def close(self) -> None:
        """Close the controller; does nothing if it is not open."""
        central, self._central = self._central, None
        transport, self._transport = self._transport, None
        if central is not None:
            await central.close()
        if transport is not None:
            await transport.close()
