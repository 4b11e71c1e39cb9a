"""What a process and its children listen on that others on the machine can reach, read from /proc."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

_LISTENING = "0A"


def family_of(pid: int) -> set[int]:
    """Return a process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, new = set(), [pid]
    while new:
        found.add(one := new.pop())
        new += children.get(one, [])
    return found


def open_ports(pid: int) -> list[str]:
    """Return the TCP ports that a process and its children listen on, their UDP ports and their named local sockets.

    Those of the loopback count: everybody on the machine can reach them.
    """
    inodes = {}
    for name in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            if name.startswith("udp") or fields[3] == _LISTENING:
                inodes[fields[9]] = f"{name} {fields[1]}"
    for line in Path("/proc/net/unix").read_text().splitlines()[1:]:
        fields = line.split()
        if len(fields) > 7:  # it has a name
            inodes[fields[6]] = f"unix {fields[7]}"
    found: set[str] = set()
    for one in family_of(pid):
        with suppress(OSError):  # it has just ended
            for file in Path(f"/proc/{one}/fd").iterdir():
                with suppress(OSError):  # closed meanwhile
                    inode = str(file.readlink()).removeprefix("socket:[").rstrip("]")
                    found.update({inodes[inode]} if inode in inodes else ())
    return sorted(found)
