"""``rig init``: writes a commented rig file from the sensors in range."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from acquire.rig.config import parse_rig
from acquire.tools.scanning import Found
from dataset.muscles import PAPER_CHANNELS
from dataset.sensors.profile import builtin_profiles
from dataset.support.errors import HardwareError, OutputExistsError
from dataset.support.outputs import cannot_write
from dataset.support.text import clean_text

_HEAD = """\
# Written by mia-record rig init from the sensors in range. Rig file reference: docs/rig.md.
# Which sensor is which: mia-record identify SLOT; then move the serials to the right muscles.
name = "rig"
"""

_TAIL = """
# A camera of this computer; without one, give mia-sync run a --video.
# [camera]
# index = 0

# A microphone: claps and stomps measure the sensors' delay.
# [microphone]

# The LED box: its flashes tie the picture to this computer's clock. See docs/led-box.md.
# [box]
# port = "/dev/ttyUSB0"
"""


def check_new(path: Path) -> None:
    """Raise OutputExistsError if ``path`` exists: a rig file is never overwritten."""
    if path.exists():
        raise OutputExistsError(f"{path} exists", "a rig file is never overwritten", "name another file, or edit it")


def rig_text(found: Sequence[Found]) -> str:
    """Compose a rig file: the paper's channels in order, each on the next of the sensors' columns.

    Raises
    ------
    HardwareError
        No advertising device matches a profile.
    """
    sensors = [f for f in found if f.profiles]
    if not sensors:
        raise HardwareError(
            "no sensor with a matching profile is in range",
            f"{len(found)} devices advertise",
            "list them: mia-record scan; another kind of sensor needs a profile: docs/sensors.md",
        )
    sensors.sort(key=lambda f: (f.profiles[0] != "anr-m40", f.serial or f.address))
    channels = iter(PAPER_CHANNELS)
    text = _HEAD
    for sensor in sensors:
        profile = builtin_profiles()[sensor.profiles[0]]
        # One muscle per sensor is a start; only the user knows what its other columns measure.
        channel = next(channels, None)
        text += _slot(sensor, channel.name if channel else "", len(profile.stream.columns) > 1)
    left = [c.name for c in channels]
    if left:
        text += f"\n# Without a sensor: {', '.join(left)}\n"
    return text + _TAIL


def _slot(sensor: Found, channel: str, many: bool) -> str:
    kind = sensor.profiles[0]
    about = [f"{sensor.name or 'no name'}, {sensor.rssi_dbm} dBm"]
    if sensor.battery_percent is not None:
        about.append(f"battery {sensor.battery_percent} %")
    if sensor.problem:
        about.append(f"its identity could not be read:  {sensor.problem}")
    lines = ["[[slots]]", f'channel = "{channel}"' if channel else 'channel = "left_..."']
    lines.append(f'profile = "{kind}"')
    if sensor.serial:
        lines.append(f'serial = "{_escaped(sensor.serial)}"')
        lines.append(f'# address = "{sensor.address}"  # found here; the serial takes precedence')
    else:
        lines.append(f'address = "{sensor.address}"')
    if many:
        names = ", ".join(builtin_profiles()[kind].stream.columns)
        first = builtin_profiles()[kind].stream.columns[0]
        lines.append(f'column = "{first}"  # of {names}; repeat the table with another column for another muscle')
    if not channel:
        lines = [f"# {line}" for line in ["more sensors than the paper's channels; set a channel to use one:", *lines]]
    return "\n# " + ", ".join(about).replace("\n", " ") + "\n" + "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return clean_text(text).replace("\\", "\\\\").replace('"', '\\"')


def write_rig(path: Path, found: Sequence[Found]) -> int:
    """Write the rig file and return its number of slots.

    Raises
    ------
    OutputExistsError, HardwareError, InputError
        The file exists already; no sensor is found; the folder cannot be written to.
    """
    check_new(path)
    text = rig_text(found)
    n_slots = len(parse_rig(text, str(path)).slots)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise OutputExistsError(f"{path} exists", "a rig file is never overwritten") from error
    except OSError as error:
        raise cannot_write(path.parent, error) from error
    return n_slots
