"""Reads channels of another device's recording from OpenSignals HDF5 or a CSV table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from dataset.support.arrays import FloatArray
from dataset.support.errors import InputError
from dataset.support.plain_hdf5 import open_hdf5


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A channel on its device's own clock.

    Attributes
    ----------
    name : str
    time_s : ndarray, shape (N,)
        Seconds from the recording's first sample, or the times of the table.
    value : ndarray, shape (N,)
        In the file's unit; NaN for blank cells.
    """

    name: str
    time_s: FloatArray
    value: FloatArray


def read_channel(spec: str) -> Channel:
    """Read one channel named as ``FILE`` or ``FILE:CHANNEL``.

    A file with one channel needs no name. In HDF5 the device may be omitted if only one device has the channel.

    Raises
    ------
    InputError
        There is no such file or channel, or the channel is ambiguous.
    """
    file, name = _split(spec)
    channels = read_channels(file)
    fitting = [c for c in channels if name in ("", c.name, c.name.rpartition("/")[2])]
    if len(fitting) == 1:
        return fitting[0]
    known = ", ".join(c.name for c in channels) or "none"
    if not fitting:
        raise InputError(f"{file} has no channel {name!r}", f"its channels: {known}", f"name one: {file}:CHANNEL")
    raise InputError(f"the channel of {file} is ambiguous", f"its channels: {known}", f"name one: {file}:CHANNEL")


def read_channels(file: Path) -> tuple[Channel, ...]:
    """Read all channels of an OpenSignals HDF5 file (``DEVICE/raw/channel_N``) or of a CSV file with ``time_s``.

    Notes
    -----
    OpenSignals stores no sample times: they are the sample number divided by the stated rate.
    """
    if not file.is_file():
        raise InputError(f"no file at {file}", "there is no such file")
    if file.suffix.lower() in (".h5", ".hdf5"):
        return _from_hdf5(file)
    if file.suffix.lower() == ".csv":
        return _from_csv(file)
    raise InputError(
        f"{file} cannot be read", f"{file.suffix or 'no suffix'} is not known", "give a .h5 or a .csv file"
    )


def _from_hdf5(file: Path) -> tuple[Channel, ...]:
    found: list[Channel] = []
    try:
        with open_hdf5(file) as opened:
            for device, group in opened.items():
                raw = group.get("raw") if isinstance(group, h5py.Group) else None
                rate_hz = float(group.attrs.get("sampling rate", 0))
                if not isinstance(raw, h5py.Group) or rate_hz <= 0:
                    continue
                for name in raw:
                    if name.startswith("channel_"):
                        value = np.asarray(raw[name], dtype=np.float64).ravel()
                        time_s = np.arange(len(value)) / rate_hz
                        found.append(Channel(name=f"{device}/{name}", time_s=time_s, value=value))
    except OSError as error:
        raise InputError(f"{file} cannot be read", str(error)) from error
    if not found:
        raise InputError(f"{file} holds no channel", "no DEVICE/raw/channel_N with a sampling rate is in it")
    return tuple(found)


def _from_csv(file: Path) -> tuple[Channel, ...]:
    try:
        table = pd.read_csv(file)
        table = table.astype(np.float64)
    except (ValueError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise InputError(f"{file} is not a table of numbers", str(error).splitlines()[0]) from error
    if len(table.columns) < 2 or table.columns[0] != "time_s":
        raise InputError(
            f"{file} has no times", "its first column is not time_s", "name it time_s, then one column per channel"
        )
    time_s = table["time_s"].to_numpy()
    if not np.all(np.diff(time_s) > 0):
        raise InputError(f"the times of {file} do not ascend", "each row must be later than the one before")
    return tuple(Channel(name=str(c), time_s=time_s, value=table[c].to_numpy()) for c in table.columns[1:])


def _split(spec: str) -> tuple[Path, str]:
    if Path(spec).is_file() or ":" not in spec:
        return Path(spec), ""
    # A device's address contains colons, and so may a path: the longest path that is a file is used.
    parts = spec.split(":")
    for n in range(len(parts) - 1, 0, -1):
        if Path(":".join(parts[:n])).is_file():
            return Path(":".join(parts[:n])), ":".join(parts[n:])
    return Path(parts[0]), ":".join(parts[1:])
