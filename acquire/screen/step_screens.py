"""Makes the screen of a step with what it needs to know."""

from __future__ import annotations

from acquire.recording.take import Snapshot
from acquire.screen.assign import AssignScreen
from acquire.screen.base import StepScreen
from acquire.screen.calibrate import CalibrateScreen
from acquire.screen.check import CheckScreen
from acquire.screen.flow import Flow
from acquire.screen.record import RecordScreen
from acquire.screen.setup import SetupScreen
from acquire.screen.steps import Step
from acquire.screen.summary import SummaryScreen


def make_step(step: Step, flow: Flow, snapshot: Snapshot, *, can_look: bool) -> StepScreen:
    """Return the screen of a step.

    Parameters
    ----------
    can_look : bool
        Whether there is a network that finds keypoints.
    """
    match step:
        case Step.SETUP:
            return SetupScreen(snapshot, flow.plan)
        case Step.CHECK:
            return CheckScreen(snapshot)
        case Step.ASSIGN:
            return AssignScreen(snapshot)
        case Step.CALIBRATE:
            return CalibrateScreen(snapshot)
        case Step.RECORD:
            return RecordScreen(snapshot, can_look=can_look)
        case Step.SUMMARY:
            return SummaryScreen(snapshot, flow.recordings[-1], not_found=flow.not_found)
