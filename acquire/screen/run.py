"""Shows the capture screen from its beginning to its end: the recorder of each take, signals, what was saved."""

from __future__ import annotations

import secrets
from pathlib import Path

from acquire.open_rig import open_hardware
from acquire.preflight.body_in_view import BodyFinder
from acquire.protocol.protocol import load_protocol
from acquire.recording.recorder import Recorder
from acquire.recording.subject import Subject
from acquire.recording.take import Recording, Take
from acquire.recording.termination import ending_signals
from acquire.screen.app import CaptureApp
from acquire.screen.flow import DEFAULT_PROTOCOL, MakeRecorder, Plan
from dataset.capture.writer import check_subject
from dataset.support.console import STDERR, report_error


def make_recorder_for(plan: Plan, transport: str = "") -> Recorder:
    """Return a recorder for a plan, on newly opened hardware, with a seed that was drawn.

    Raises
    ------
    InputError
        The rig, the protocol or the subject is not what it should be.
    """
    subject = plan.subject
    check_subject(subject.label)
    # The default by its absence: a folder may have its name.
    protocol, protocol_toml = load_protocol(None if plan.protocol == DEFAULT_PROTOCOL else Path(plan.protocol))
    seed = secrets.randbits(31)
    hardware, rig_toml = open_hardware(
        plan.rig, seed=seed, rig_seed=plan.rig_seed, subject=subject.label, transport=transport
    )
    take = Take(
        protocol=protocol, out=plan.out, subject=subject.label, seed=seed, protocol_toml=protocol_toml,
        rig_toml=rig_toml, subject_info=subject.info(), setup_id=plan.setup_id, sensors=plan.sensors,
    )  # fmt: skip
    return Recorder(hardware, take)


def run_screen(
    *,
    rig: str,
    out: Path,
    subject: str,
    protocol_path: Path | None,
    transport: str = "",
    make_recorder: MakeRecorder | None = None,
) -> int:
    """Show the capture screen until the person leaves; returns the exit code.

    Parameters
    ----------
    make_recorder : callable, optional
        :func:`make_recorder_for` by default.

    Raises
    ------
    InputError
        The rig, the protocol or the subject is not what it should be.
    """
    protocol = str(protocol_path or DEFAULT_PROTOCOL)
    plan = Plan(rig=rig, out=out, subject=Subject(label=check_subject(subject)), protocol=protocol)
    scanner = BodyFinder()
    app = CaptureApp(make_recorder or (lambda plan: make_recorder_for(plan, transport)), plan, scanner=scanner)
    try:
        with ending_signals(app.end_from_signal):
            app.run()
    finally:
        recording = app.recorder.close()  # also where the terminal went away or the screen crashed
        app.conductor.takes.wait_until_released()
        if recording is not None:
            app.recordings.append(recording)
        scanner.close()
    for made in app.recordings:
        report_saved(made)
    if app.conductor.error is not None:
        report_error(app.conductor.error, as_json=False)
        return app.conductor.error.exit_code
    return app.return_code or 0


def report_saved(recording: Recording) -> None:
    """Say on stderr where a capture lies."""
    STDERR.print(f"saved {recording.folder}", markup=False, soft_wrap=True)
