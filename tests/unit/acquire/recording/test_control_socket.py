"""The local socket: who may open it, what it answers, and what a crash leaves of it."""

from __future__ import annotations

import json
import os
import socket
import stat
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from acquire.recording import control_socket
from acquire.recording.control_socket import ControlServer, ask, control_folder, running
from dataset.support.errors import InputError, OutputExistsError


@pytest.fixture(autouse=True)
def own_runtime(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the sockets lie in a folder of this test's: no recording of the machine's user is disturbed."""
    folder = tmp_path_factory.mktemp("run")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return folder


def refuse(_request: Mapping[str, Any]) -> Any:
    raise InputError("not now", "nothing is being recorded", "start one")


@pytest.fixture
def server() -> Iterator[ControlServer]:
    made = ControlServer({"status": lambda _: {"phase": "ready"}, "mark": lambda r: r["text"].upper(), "no": refuse})
    made.start()
    yield made
    made.close()


def test_what_is_asked_is_answered(server: ControlServer) -> None:
    assert ask({"do": "status"}) == {"phase": "ready"}
    assert ask({"do": "mark", "text": "knee hurts ä"}) == "KNEE HURTS Ä"
    assert list(running()) == [os.getpid()]
    assert ask({"do": "status"}, pid=os.getpid()) == {"phase": "ready"}
    with pytest.raises(InputError, match=r"no recording runs in process 1$|no recording runs in process 1:"):
        ask({"do": "status"}, pid=1)


def test_only_its_user_may_open_it(server: ControlServer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert server.path is not None
    assert stat.S_IMODE(server.path.lstat().st_mode) == 0o600
    assert stat.S_IMODE(server.path.parent.lstat().st_mode) == 0o700
    uid = os.getuid()
    with socket.socket(socket.AF_UNIX) as caller, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(server.path.with_name("probe")))
        listener.listen()
        caller.connect(str(server.path.with_name("probe")))
        accepted, _ = listener.accept()
        with accepted:
            assert not control_socket._is_other_user(accepted)
            monkeypatch.setattr(os, "getuid", lambda: uid + 1)
            assert control_socket._is_other_user(accepted)


def test_a_folder_that_others_may_enter_is_not_used(own_runtime: Path) -> None:
    control_folder().mkdir(mode=0o755)
    control_folder().chmod(0o755)
    with pytest.raises(OutputExistsError, match="not this user's alone"):
        ControlServer({}).start()
    with pytest.raises(InputError, match="no recording runs"):
        ask({"do": "status"})


def test_a_refusal_keeps_its_words(server: ControlServer) -> None:
    with pytest.raises(InputError, match="not now: nothing is being recorded") as caught:
        ask({"do": "no"})
    assert caught.value.hint == "start one"


@pytest.mark.parametrize(
    "line",
    [b"\n", b"{}\n", b"[1]\n", b"\xff\xfe\n", b'{"do": "fly"}\n', b'"status"\n', b"x" * 20000, b"[" * 16000 + b"\n"],
)
def test_what_is_not_understood_is_said_and_the_server_goes_on(server: ControlServer, line: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(5)
        caller.connect(str(server.path))
        caller.sendall(line)
        answer = json.loads(caller.makefile("rb").readline())
    assert answer["error"]["what"] == "the request is not understood"
    assert ask({"do": "status"}) == {"phase": "ready"}


def test_a_silent_caller_holds_up_nobody(server: ControlServer) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(server.path))
        assert ask({"do": "status"}) == {"phase": "ready"}


def test_a_socket_left_by_a_crash_is_removed() -> None:
    control_folder().mkdir(mode=0o700)
    left = control_folder() / "99999-0.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(left))
    assert left.exists()
    with pytest.raises(InputError, match="no recording runs"):
        ask({"do": "status"})
    assert not left.exists()


def test_of_several_recorders_one_is_chosen(server: ControlServer) -> None:
    assert server.path is not None
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(server.path.with_name("99999-0.sock")))
        other.listen()
        with pytest.raises(InputError, match="2 recorders run") as caught:
            ask({"do": "status"})
        assert "--pid" in caught.value.hint
        assert ask({"do": "status"}, pid=os.getpid()) == {"phase": "ready"}


def test_closing_takes_the_socket_away_and_ends_its_thread(server: ControlServer) -> None:
    server.close()
    server.close()
    assert server.path is not None and not server.path.exists()
    assert not any(t.name == "control" and t.is_alive() for t in threading.enumerate())
