"""A local socket for other programs of the same user to read a recording's status or set a marker.

One line of JSON each way: ``{"do": "status"}`` or ``{"do": "mark", "text": "..."}``, answered by ``{"ok": ...}`` or
``{"error": {...}}``. The socket lies in a folder that only its user may enter, and a caller of another user is refused.
"""

from __future__ import annotations

import itertools
import json
import os
import socket
import socketserver
import stat
import struct
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dataset.support.errors import InputError, MiaError, OutputExistsError
from dataset.support.parsing import parse_json
from dataset.support.text import json_text

#: A silent caller is disconnected after this time.
TIMEOUT_S = 5.0
LONGEST_REQUEST_BYTES = 16384
_COUNTER = itertools.count()


def control_folder() -> Path:
    """Return the folder of this user's sockets; it may not exist yet."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime and Path(runtime).is_dir():
        return Path(runtime) / "mia-record"
    return Path(tempfile.gettempdir()) / f"mia-record-{os.getuid()}"


def _private_folder() -> Path:
    """Return :func:`control_folder`, created if missing.

    Raises
    ------
    OutputExistsError
        Another user owns it, or other users may enter it.
    """
    folder = control_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _is_private(folder):
        raise OutputExistsError(f"{folder} is not this user's alone", "others may enter it", "remove it")
    return folder


def _is_private(folder: Path) -> bool:
    seen = folder.lstat()
    return stat.S_ISDIR(seen.st_mode) and seen.st_uid == os.getuid() and not seen.st_mode & 0o077


class ControlServer:
    """Answers requests from its own threads until it is closed.

    Parameters
    ----------
    commands : mapping of name to callable
        Each takes the request and returns the value of ``ok``; a MiaError becomes ``error``.
    """

    def __init__(self, commands: Mapping[str, Callable[[Mapping[str, Any]], Any]]) -> None:
        self._commands = commands
        self._server: socketserver.BaseServer | None = None
        self._thread: threading.Thread | None = None
        self.path: Path | None = None

    def start(self) -> None:
        """Start listening.

        Raises
        ------
        OSError
            The socket cannot be made.
        OutputExistsError
            Its folder belongs to another user.
        """
        if not hasattr(socketserver, "UnixStreamServer"):
            raise OSError("this system's Python has no local sockets")
        path = _private_folder() / f"{os.getpid()}-{next(_COUNTER)}.sock"
        path.unlink(missing_ok=True)  # left by a killed program with the same process id
        answer = self._answer

        class Handler(socketserver.StreamRequestHandler):
            timeout = TIMEOUT_S

            def handle(self) -> None:
                try:
                    if _is_other_user(self.connection):
                        return
                    line = self.rfile.readline(LONGEST_REQUEST_BYTES)
                    self.wfile.write(json_text(answer(line)).encode() + b"\n")
                except OSError:  # the caller disconnected, or is silent
                    return

        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True
            block_on_close = False

        server = Server(str(path), Handler)
        path.chmod(0o600)
        self._server, self.path = server, path
        self._thread = threading.Thread(target=server.serve_forever, args=(0.2,), name="control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening; does nothing if it is not listening."""
        server, self._server = self._server, None
        if server is not None and self.path is not None:
            self.path.unlink(missing_ok=True)
            server.shutdown()
            server.server_close()
        if self._thread is not None:
            self._thread.join()

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            try:
                request = parse_json(line)
                command = self._commands[request["do"]]
            except (ValueError, KeyError, TypeError) as error:
                known = ", ".join(sorted(self._commands))
                raise InputError("the request is not understood", repr(error), f"known: {known}") from error
            return {"ok": command(request)}
        except MiaError as error:
            return {"error": error.as_dict()}


def _is_other_user(connection: socket.socket) -> bool:
    """Return whether the caller is another user; if the system does not report it, the folder's mode protects."""
    if not hasattr(socket, "SO_PEERCRED"):
        return False
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", raw)
    return bool(uid != os.getuid())


def running() -> dict[int, list[Path]]:
    """Return the listening sockets of this user's recordings, by process id; stale ones are removed."""
    folder = control_folder() if hasattr(os, "getuid") else None
    found: dict[int, list[Path]] = {}
    if folder is None or not folder.is_dir() or not _is_private(folder):
        return found
    for path in sorted(folder.glob("*-*.sock")):
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(TIMEOUT_S)
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                path.unlink(missing_ok=True)
                continue
            except OSError:
                continue
        found.setdefault(int(path.stem.partition("-")[0]), []).append(path)
    return found


def ask(request: Mapping[str, Any], *, pid: int | None = None) -> Any:
    """Send a request to the running recording; return the value of ``ok``.

    Parameters
    ----------
    request : mapping
    pid : int, optional
        Process id of the recorder, if several are running.

    Raises
    ------
    InputError
        No recording is running, several are, or the recording refuses; the message states which.
    """
    sockets = {number: paths for number, paths in running().items() if pid in (None, number)}
    if not sockets:
        whose = "" if pid is None else f" in process {pid}"
        raise InputError(f"no recording runs{whose}", f"no recorder in {control_folder()}", "start: mia-record")
    if len(sockets) > 1:
        raise InputError(
            f"{len(sockets)} recorders run", f"processes {', '.join(map(str, sockets))}", "choose one with --pid"
        )
    (paths,) = sockets.values()
    try:
        with socket.socket(socket.AF_UNIX) as line, line.makefile("rwb") as stream:
            line.settimeout(TIMEOUT_S)
            line.connect(str(paths[-1]))
            stream.write(json.dumps(dict(request)).encode() + b"\n")
            stream.flush()
            answer = parse_json(stream.readline())
    except (OSError, ValueError) as error:
        raise InputError(
            "the recorder does not respond", str(error) or type(error).__name__, "it may be ending"
        ) from error
    if isinstance(answer, dict) and "ok" in answer:
        return answer["ok"]
    refused = answer.get("error") if isinstance(answer, dict) else None
    if not isinstance(refused, dict):
        raise InputError("the recorder does not respond", "its answer is not understood", "it may be another program")
    raise InputError(*(str(refused.get(key, "")) for key in ("what", "why", "hint")))
