"""State shared by the screens of one visit: the person, the recorder of the current take, and the recordings."""

from __future__ import annotations

import secrets
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from acquire.open_rig import VIRTUAL, VIRTUAL_MIXED
from acquire.protocol.protocol import built_in_protocols
from acquire.recording.recorder import Recorder
from acquire.recording.subject import Subject
from acquire.recording.take import Recording
from dataset.capture.types import Sensor

#: What :func:`acquire.protocol.protocol.load_protocol` takes where none is named.
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
    rig_seed : int
        Draws the virtual rig's devices: they are the same in every take of one visit.
    """

    rig: str = VIRTUAL
    protocol: str = DEFAULT_PROTOCOL
    subject: Subject = field(default_factory=Subject)
    out: Path = Path("captures")
    setup_id: str = ""
    sensors: tuple[Sensor, ...] = ()
    rig_seed: int = field(default_factory=lambda: secrets.randbits(31))


#: Makes a recorder on newly opened hardware.
MakeRecorder = Callable[[Plan], Recorder]


class Flow:
    """The present take and those before it.

    Parameters
    ----------
    make_recorder : callable
        Called for each take; a recorder records once.
    plan : Plan
    release : callable
        Called with a recorder that is not needed any more: it closes it.
    """

    def __init__(self, make_recorder: MakeRecorder, plan: Plan, release: Callable[[Recorder], None]) -> None:
        self.plan = replace(plan, setup_id=plan.setup_id or new_setup_id())
        self.recorder = make_recorder(self.plan)
        self.recordings: list[Recording] = []
        #: Begin to record as soon as every sensor streams, without another key.
        self.at_once = False
        #: Why the last take did not come about; empty where it did.
        self.not_found = ""
        #: The plan of the last take that was recorded, with the sensors as they were bound in it.
        self._recorded_plan: Plan | None = None
        self._make_recorder = make_recorder
        self._release = release

    def settle(self, plan: Plan) -> None:
        """Take a plan; a recorder that was made with another one is released and replaced by a new one.

        Raises
        ------
        InputError
            The rig, the protocol or the subject is not what it should be.
        """
        if plan != self.plan:
            made = self._make_recorder(plan)
            self._release(self.recorder)
            self.recorder, self.plan = made, plan

    @property
    def placed(self) -> bool:
        """Whether the sensors sit as in an earlier take: nothing is to be assigned or calibrated again."""
        return bool(self.plan.sensors)

    def recorded(self, recording: Recording) -> None:
        """Note that the present take was recorded."""
        self.recordings.append(recording)
        self._recorded_plan = replace(self.plan, sensors=self.recorder.sensors)
        self.not_found = ""

    def further(self, *, same_placement: bool) -> None:
        """Prepare another take; in the same placement it has the same ``setup_id`` and sensors."""
        plan = self._recorded_plan or self.plan
        if not same_placement:
            plan = replace(plan, sensors=(), setup_id=new_setup_id())
        made = self._make_recorder(plan)
        self._release(self.recorder)
        self.plan, self.recorder, self.not_found, self.at_once = plan, made, "", False

    def abandon(self, why: str = "") -> None:
        """Give up a take that was not begun, and be as after the last one that was recorded."""
        self.further(same_placement=True)
        self.not_found = why

    def start_over(self) -> None:
        """Make a new recorder after the rig did not open."""
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
