"""The steps of one visit: their order, the way back, and which of them needs an open rig."""

from __future__ import annotations

from enum import StrEnum


class Step(StrEnum):
    """One screen of the flow, in the order in which a first take passes them."""

    SETUP = "setup"
    CHECK = "check"
    ASSIGN = "assign"
    CALIBRATE = "calibrate"
    RECORD = "record"
    SUMMARY = "summary"


#: Nothing before these can be had again: the way back ends here.
FIRST_STEPS = frozenset({Step.SETUP, Step.SUMMARY})
#: The rig is opened when one of these is shown.
OPEN_THE_RIG = frozenset({Step.CHECK, Step.RECORD})


def step_after(step: Step, *, same_placement: bool) -> Step:
    """Return the step that follows; after the check, a take in the same placement goes straight to the recording."""
    if step is Step.CHECK and same_placement:
        return Step.RECORD
    steps = tuple(Step)
    return steps[min(steps.index(step) + 1, len(steps) - 1)]


class StepPath:
    """The steps that led here, the present one last."""

    def __init__(self) -> None:
        self._steps: list[Step] = []

    def go(self, step: Step) -> None:
        """Add a step; going to one that was passed before forgets what came after it."""
        if step in FIRST_STEPS:
            self._steps = []
        elif step in self._steps:
            del self._steps[self._steps.index(step) :]
        self._steps.append(step)

    def before(self) -> Step | None:
        """Return the step to go back to; None at the beginning."""
        return self._steps[-2] if len(self._steps) > 1 else None
