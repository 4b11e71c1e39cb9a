"""Opens the hardware of ``--rig``: the virtual rig, or the devices of a rig file."""

from __future__ import annotations

from pathlib import Path

from acquire.hardware import Hardware
from acquire.rig.config import load_rig
from dataset.support.errors import InputError

VIRTUAL = "virtual"
#: The same with devices of other makes on some channels.
VIRTUAL_MIXED = "virtual-mixed"


def open_hardware(
    rig: str, *, seed: int, subject: str, transport: str = "", rig_seed: int | None = None
) -> tuple[Hardware, str]:
    """Open the hardware of ``--rig``; return it and the rig file's text.

    Parameters
    ----------
    rig : str
        ``virtual``, ``virtual-mixed``, or the path of a rig file.
    seed : int
        Seed of the virtual rig's hidden truth; unused for real hardware.
    subject : str
        Draws the virtual person.
    transport : str
        A Bluetooth controller to use instead of the system's stack, such as ``usb:0``.
    rig_seed : int, optional
        Of the virtual rig's devices, the same for takes with the same sensors; by default ``seed``.
    """
    if rig in (VIRTUAL, VIRTUAL_MIXED):
        if transport:
            raise InputError(f"--transport {transport} and --rig {rig}", "the virtual rig has a radio of its own")
        from acquire.virtual.rig import VirtualHardware, VirtualRigOptions

        made = VirtualHardware(seed, subject, VirtualRigOptions(mixed=rig == VIRTUAL_MIXED, rig_seed=rig_seed))
        return made, f'name = "{rig}"\n'
    from acquire.rig.real import RealHardware

    parsed, text = load_rig(Path(rig))
    return RealHardware(parsed, transport), text


def declared_media(rig: str) -> tuple[tuple[int, int, float] | None, int]:
    """Return the settings of camera and microphone in ``--rig``, without opening them.

    Returns
    -------
    picture : (int, int, float) or None
        Width and height in pixels and rate in Hz; None without a camera.
    sound_rate_hz : int
        0 without a microphone.
    """
    if rig in (VIRTUAL, VIRTUAL_MIXED):
        from acquire.virtual import film
        from acquire.virtual.devices import clocks

        return (film.WIDTH, film.HEIGHT, clocks.FRAME_RATE_HZ), clocks.SOUND_RATE_HZ
    parsed, _ = load_rig(Path(rig))
    camera, microphone = parsed.camera, parsed.microphone
    picture = (camera.width, camera.height, camera.rate_hz) if camera else None
    return picture, microphone.rate_hz if microphone else 0
