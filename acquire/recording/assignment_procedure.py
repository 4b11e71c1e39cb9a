"""Assignment by flexing on a streaming rig: prompts for each muscle, and binds the sensors that respond."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from acquire.assignment import Answer, Assigned, Flexed, Samples, Undecided, assign, rebound
from acquire.bluetooth.manager import SensorManager
from acquire.event_log import EventLog
from acquire.hardware import Hardware
from acquire.protocol.prompts import HALF_EFFORT, flex_text
from acquire.protocol.schedule import Prompt
from dataset.support import clock
from dataset.support.errors import InputError, RefusedError

#: Rest before the first muscle, between two, and how long each is flexed.
REST_S = 2.0
FLEX_S = 2.5
#: Half effort: at full effort a sensor with a high level at rest reaches the end of its range, and then responds
#: to the antagonist as to its own muscle.
EFFORT = HALF_EFFORT


def flex_prompt(channel: str) -> Prompt:
    """Return the prompt for one muscle."""
    text = flex_text(channel, EFFORT)
    return Prompt(at_s=0.0, kind="contract_start", label=channel, text=text, effort=EFFORT)


class Assigning:
    """Prompts for one muscle after the other, between opening a rig and starting to record.

    Parameters
    ----------
    manager : SensorManager
    hardware : Hardware
        Receives the prompts.
    event_log : EventLog
    may : callable
        Raises if assignment is not possible now.
    """

    def __init__(
        self, manager: SensorManager, hardware: Hardware, event_log: EventLog, may: Callable[[], None]
    ) -> None:
        self._manager = manager
        self._hardware = hardware
        self._event_log = event_log
        self._may = may
        self._lock = threading.Lock()
        self._flexed: list[Flexed] = []
        self._heard: dict[int, Samples] = {}
        self._since_ns = 0
        self._begun: tuple[str, int] | None = None

    def rest(self) -> None:
        """Start again with a rest: values from now on count, and no muscle has been flexed."""
        self._may()
        with self._lock:
            self._flexed.clear()
            self._heard.clear()
            self._begun = None
            self._since_ns = clock.now_ns()

    def flex(self, channel: str) -> None:
        """Prompt for one muscle; :meth:`relax` ends it.

        Raises
        ------
        InputError
            The rig has no such channel, or a recording is running.
        """
        self._may()
        channels = [s.channel for s in self._manager.sensors]
        if channel not in channels:
            raise InputError(f"the rig has no {channel}", f"it has {', '.join(channels)}")
        self.relax()
        now_ns = clock.now_ns()
        with self._lock:
            self._collect()
            self._begun = channel, now_ns
        self._hardware.prompt(flex_prompt(channel), now_ns)

    def relax(self) -> None:
        """End the current flexion, if any."""
        with self._lock:
            begun, self._begun = self._begun, None
        if begun is None:
            return
        channel, start_ns = begun
        now_ns = clock.now_ns()
        self._hardware.prompt(Prompt(at_s=0.0, kind="contract_stop", label=channel), now_ns)
        with self._lock:
            self._flexed.append(Flexed(channel=channel, start_ns=start_ns, stop_ns=now_ns))
            self._collect()

    def _collect(self) -> None:
        """Store the values so far: the sensors' traces hold only a minute, and a person may take longer."""
        for slot, new in self._manager.samples(self._since_ns).items():
            old = self._heard.get(slot)
            if old is not None and len(old.arrival_ns):
                fresh = new.arrival_ns > old.arrival_ns[-1]
                new = Samples(
                    arrival_ns=np.concatenate([old.arrival_ns, new.arrival_ns[fresh]]),
                    value=np.concatenate([old.value, new.value[fresh]]),
                )
            self._heard[slot] = new

    def answers(self) -> dict[str, Answer]:
        """Return which sensors responded to the muscles flexed so far; final only when all were flexed."""
        with self._lock:
            self._collect()
            flexed, heard = list(self._flexed), dict(self._heard)
        return assign(flexed, heard)

    def bind(self, answers: Mapping[str, Answer]) -> None:
        """Bind each assigned sensor to its muscle, for recordings from now on."""
        self._may()
        slot_of = {channel: a.slot for channel, a in answers.items() if isinstance(a, Assigned)}
        before = self._manager.sensors
        after = rebound(before, slot_of)
        self._manager.rebind(after)
        moved = [f"slot {b.slot}: {b.channel} -> {a.channel}" for b, a in zip(before, after, strict=True)
                 if a.channel != b.channel]  # fmt: skip
        margins = {channel: round(a.margin, 3) for channel, a in answers.items() if isinstance(a, Assigned)}
        undecided = {channel: a.why for channel, a in answers.items() if not isinstance(a, Assigned)}
        self._event_log.log(
            "warning" if undecided else "info",
            "sensors assigned by flexing",
            {"slots": slot_of, "margins": margins, "moved": moved, "undecided": undecided},
        )

    def run(
        self,
        channels: Sequence[str] | None = None,
        *,
        rest_s: float = REST_S,
        flex_s: float = FLEX_S,
        afresh: bool = True,
        stop: threading.Event | None = None,
        on_prompt: Callable[[str, float], None] | None = None,
    ) -> dict[str, Answer]:
        """Prompt for each muscle in turn and return which sensors responded; blocking, and without binding.

        Parameters
        ----------
        channels : sequence of str, optional
            All of the rig by default.
        afresh : bool
            False: some muscles are flexed again, and the responses to the others still count.
        stop : threading.Event, optional
            Set it to end early.
        on_prompt : callable, optional
            Called for each step with the channel, or ``""`` for rest, and its seconds.
        """
        stop = stop or threading.Event()
        tell = on_prompt or (lambda _channel, _seconds: None)
        if afresh:
            self.rest()
        for channel in channels or [s.channel for s in self._manager.sensors]:
            tell("", rest_s)
            if stop.wait(rest_s):
                break
            self.flex(channel)
            tell(channel, flex_s)
            stopped = stop.wait(flex_s)
            self.relax()
            if stopped:
                break
        return self.answers()

    def settle(
        self, *, stop: threading.Event | None = None, on_prompt: Callable[[str, float], None] | None = None
    ) -> bool:
        """Prompt for every muscle and bind the sensors that respond; False if ``stop`` was set meanwhile.

        Raises
        ------
        RefusedError
            The assignment is ambiguous; nothing is bound.
        """
        answers = self.run(rest_s=REST_S, flex_s=FLEX_S, stop=stop, on_prompt=on_prompt)
        if stop is not None and stop.is_set():
            return False
        undecided = [a for a in answers.values() if isinstance(a, Undecided)]
        if undecided:
            why = "; ".join(a.why for a in undecided)
            raise RefusedError("the sensors are not assigned", why, undecided[0].hint)
        self.bind(answers)
        return True
