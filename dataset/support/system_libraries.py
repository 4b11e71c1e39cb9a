"""Lists missing system libraries, with the command that installs them."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable

#: Shared library to load, and its Debian package.
LIBRARIES = {
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libGLESv2.so.2": "libgles2",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libportaudio.so.2": "libportaudio2",
}


def loads(library: str) -> bool:
    """Return whether a shared library can be loaded."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def missing_packages(loads: Callable[[str], bool] = loads) -> list[str]:
    """Return the Debian packages whose library cannot be loaded; empty off Linux, where wheels bring their own."""
    if not sys.platform.startswith("linux"):
        return []
    return [package for library, package in LIBRARIES.items() if not loads(library)]


def advice(loads: Callable[[str], bool] = loads) -> str:
    """Return one line that says what is missing and how to install it."""
    missing = missing_packages(loads)
    if not missing:
        return "system libraries: all there"
    return f"system libraries missing: {' '.join(missing)} - install with: sudo apt install {' '.join(missing)}"


if __name__ == "__main__":
    sys.stdout.write((" ".join(missing_packages()) if "--packages" in sys.argv else advice()) + "\n")
