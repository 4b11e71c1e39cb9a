"""What the screens of one visit share: the person, the recorder of the present take, and what was recorded."""

from __future__ import annotations

import secrets
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from acquire.protocol import built_in_protocols
from acquire.recorder import Recorder
from acquire.rig import VIRTUAL, VIRTUAL_MIXED
from acquire.subject import Subject
from acquire.take import Recording
from dataset.capture import Sensor

#: What :func:`acquire.protocol.load_protocol` takes where none is named.
DEFAULT_PROTOCOL = "demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a take is made with; the setup screen fills it in.

    Attributes
    ----------
    rig : str
        As ``--rig``.
    protocol : str
        As ``--protocol``.
    setup_id : str
        The same for takes between which no sensor was moved.
    sensors : tuple of Sensor
        As an earlier take of the same placement bound them; the rig's own where empty.
    """

    rig: str = VIRTUAL
    protocol: str = DEFAULT_PROTOCOL
    subject: Subject = field(default_factory=Subject)
    out: Path = Path("captures")
    setup_id: str = ""
    sensors: tuple[Sensor, ...] = ()


#: Makes a recorder on newly opened hardware.
MakeRecorder = Callable[[Plan], Recorder]


class Flow:
    """The present take and those before it.

    Parameters
    ----------
    make_recorder : callable
        Called for each take; a recorder records once.
    plan : Plan
    """

    def __init__(self, make_recorder: MakeRecorder, plan: Plan) -> None:
        self.plan = replace(plan, setup_id=plan.setup_id or new_setup_id())
        self.recorder = make_recorder(self.plan)
        self.recordings: list[Recording] = []
        #: Begin to record as soon as every sensor streams, without another key.
        self.at_once = False
        self._make_recorder = make_recorder

    def settle(self, plan: Plan) -> None:
        """Take a plan; a recorder that was made with another one and not opened yet is made anew.

        Raises
        ------
        InputError
            The rig, the protocol or the subject is not what it should be.
        """
        if plan != self.plan:
            made = self._make_recorder(plan)
            self.recorder.close()  # was never opened: lets go of its loop
            self.recorder, self.plan = made, plan

    @property
    def placed(self) -> bool:
        """Whether the sensors sit as in an earlier take: nothing is to be assigned or calibrated again."""
        return bool(self.plan.sensors)

    def further(self, *, same_placement: bool) -> None:
        """Prepare another take; in the same placement it has the same ``setup_id`` and sensors."""
        if same_placement:
            self.plan = replace(self.plan, sensors=self.recorder.sensors)
        else:
            self.plan = replace(self.plan, sensors=(), setup_id=new_setup_id())
        self.recorder = self._make_recorder(self.plan)

    def anew(self) -> None:
        """Make the recorder anew: the rig did not open."""
        self.recorder = self._make_recorder(self.plan)


def new_setup_id() -> str:
    """Return a name for a placement of the sensors."""
    return secrets.token_hex(4)


def rigs(folder: Path, chosen: str) -> tuple[str, ...]:
    """Return the rigs to choose from: the chosen one, rig files in a folder, and the virtual ones."""
    files = [p.name for p in sorted(folder.glob("*.toml")) if "rig" in p.stem]
    return tuple(dict.fromkeys([chosen, *files, VIRTUAL, VIRTUAL_MIXED]))


def protocols(folder: Path, chosen: str) -> tuple[str, ...]:
    """Return the protocols to choose from: the chosen one, those built in, and protocol files in a folder."""
    files = [p.name for p in sorted(folder.glob("*.toml")) if "protocol" in p.stem]
    return tuple(dict.fromkeys([chosen, *built_in_protocols(), *files]))


def command(name: str) -> str:
    """Return where one of the project's commands lies: beside this Python, else on the path."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else shutil.which(name) or name
