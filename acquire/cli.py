"""Command line of ``mia-record``; each command is a thin wrapper of a function that scripts can call."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from acquire.command_options import JsonOption, OutOption, ProtocolOption, RecordOptions, SubjectOption, TransportOption
from acquire.recording.termination import ending_signals
from acquire.tools.cli import add_tools
from acquire.virtual.simulate_options import SimulateOptions
from dataset.support.command_options import with_options
from dataset.support.console import EXIT_INPUT, EXIT_INTERRUPTED, STDERR, print_result, progress, report_error, run_app
from dataset.support.errors import CaptureError, DiskFullError, InputError
from dataset.support.text import clean_line, clean_text

if TYPE_CHECKING:
    from acquire.maintenance.attach import Attached
    from acquire.maintenance.recover import Recovered
    from acquire.recording.take import Recording, Snapshot

app = typer.Typer(
    name="mia-record",
    help="Record sensors, video and sound on one clock. Without a command: the capture screen.",
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

CaptureArgument = Annotated[Path, typer.Argument(help="The ses-... folder of the recording.")]


@app.callback(invoke_without_command=True)
def screen(
    context: typer.Context,
    rig: Annotated[
        str | None,
        typer.Option("--rig", help="A rig.toml, or 'virtual'; default: ./rig.toml if present, else virtual."),
    ] = None,
    out: OutOption = Path("captures"),
    subject: SubjectOption = "S01",
    protocol: ProtocolOption = None,
    transport: TransportOption = "",
) -> None:
    """Record sensors, video and sound on one clock. Without a command: the capture screen."""
    if context.invoked_subcommand is not None:
        return
    from acquire.screen.run import run_screen

    found = "rig.toml" if Path("rig.toml").is_file() else "virtual"
    raise typer.Exit(
        run_screen(rig=rig or found, out=out, subject=subject, protocol_path=protocol, transport=transport)
    )


@app.command("run")
@with_options
def run_command(options: RecordOptions, as_json: JsonOption = False) -> None:
    """Make one recording without a screen. Ctrl-C ends the recording cleanly."""
    if not options.headless:
        raise InputError(
            "mia-record run has no screen", "--headless is missing", "add it, or start the screen with: mia-record"
        )
    from acquire.open_rig import open_hardware
    from acquire.protocol.protocol import load_protocol
    from acquire.recording.recorder import record
    from acquire.recording.take import Take
    from dataset.capture.writer import check_subject
    from dataset.support.outputs import check_writable

    check_subject(options.subject)
    check_writable(options.out)
    plan, plan_toml = load_protocol(options.protocol)
    seed = secrets.randbits(31) if options.seed is None else options.seed
    stop = threading.Event()
    with ending_signals(lambda _: stop.set()), _progress_line() as show:
        hardware, rig_toml = open_hardware(options.rig, seed=seed, subject=options.subject, transport=options.transport)
        take = Take(
            protocol=plan,
            out=options.out,
            subject=options.subject,
            seed=seed,
            duration_s=options.duration,
            protocol_toml=plan_toml,
            rig_toml=rig_toml,
            calibrate=options.calibrate,
            setup_id=options.setup_id,
        )
        ask = _say_what_to_flex if options.assign else None
        recording = record(hardware, take, stop=stop, on_progress=show, ask_to_flex=ask)
    if recording is None:
        STDERR.print("interrupted before the recording started; nothing was stored")
        raise typer.Exit(EXIT_INTERRUPTED)
    for note in recording.notes:
        STDERR.print(f"note: {note}", markup=False, soft_wrap=True)
    print_result(_summary(recording), as_json=as_json, text=recording_text(recording))
    if recording.disk_full:
        report_error(_disk_full(recording), as_json=False)
        raise typer.Exit(EXIT_INPUT)


@app.command("simulate")
@with_options
def simulate_command(out: OutOption, options: SimulateOptions, as_json: JsonOption = False) -> None:
    """Write a virtual capture faster than real time, without Bluetooth."""
    minutes = options.minutes or 0.0
    if not 0 < minutes <= 24 * 60:
        raise InputError(f"--minutes {minutes:g} cannot be simulated", "it must be above 0 and at most 1440")
    from acquire.virtual.simulate import simulate
    from dataset.capture.writer import check_stamp, check_subject

    check_subject(options.subject)
    if options.stamp is not None:
        check_stamp(options.stamp)
    with _fraction_bar("simulating") as advance:
        folder = simulate(out, options, advance)
    made = {"capture": str(folder), "subject": options.subject, "seed": options.seed}
    print_result(made, as_json=as_json, text=str(folder))


@app.command("attach")
def attach_command(
    capture: CaptureArgument,
    videos: Annotated[
        list[Path], typer.Argument(help="Video files; several are the parts of one recording, in order.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Attach videos from a phone or another camera; the files stay where they are."""
    from acquire.maintenance.attach import attach_videos

    made = attach_videos(capture, videos, progress=progress)
    for note in made.notes:
        STDERR.print(f"note: {note}", markup=False, soft_wrap=True)
    print_result(made.as_dict(), as_json=as_json, text=attached_text(made))


def attached_text(made: Attached) -> str:
    """Format the attached videos as text."""
    lines = [str(made.folder)]
    for row, facts in zip(made.rows, made.facts, strict=True):
        gaps = f"{facts.shortest_gap_s * 1e3:.0f}-{facts.longest_gap_s * 1e3:.0f} ms between frames"
        turned = f", turned {facts.rotation_deg} degrees" if facts.rotation_deg else ""
        sound = "no sound"
        if facts.sound_offset_s is not None:
            sound = f"{facts.sound_codec} sound from {facts.sound_offset_s * 1e3:+.0f} ms"
        lines.append(
            f"  {row.ord} {facts.path}: {facts.codec} {facts.width}x{facts.height}{turned}, {facts.n_frames} frames in "
            f"{facts.end_s - facts.first_s:.1f} s, {gaps}, {sound}"
        )
    return "\n".join(lines)


@app.command("recover")
def recover_command(capture: CaptureArgument, as_json: JsonOption = False) -> None:
    """Close a capture whose recording was interrupted, and list what it contains."""
    from acquire.maintenance.recover import recover

    found = recover(capture)
    print_result(found.as_dict(), as_json=as_json, text=recovered_text(found))


@app.command("verify")
def verify_command(capture: CaptureArgument, as_json: JsonOption = False) -> None:
    """Compare a closed capture with the checksums in its manifest."""
    from acquire.maintenance.recover import verify

    found = verify(capture)
    if found:
        raise CaptureError(
            f"{capture} has changed since it was closed",
            "; ".join(f"{m.file} is {m.problem}" for m in found),
            "restore it from a backup; the cause of the change is not known",
        )
    print_result({"capture": str(capture), "ok": True}, as_json=as_json, text=f"{capture}: all files are unchanged")


PidOption = Annotated[int | None, typer.Option("--pid", help="Process id of the recorder, if several are running.")]


@app.command("status")
def status_command(pid: PidOption = None, as_json: JsonOption = False) -> None:
    """Show the status of the running recorder, with or without a screen."""
    from acquire.recording.control_socket import ask
    from acquire.recording.status import status_text

    status = ask({"do": "status"}, pid=pid)
    print_result(status, as_json=as_json, text=status_text(status))


@app.command("mark")
def mark_command(
    text: Annotated[str, typer.Argument(help="What happened, in one line.")],
    pid: PidOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set a marker in the running recording, now."""
    from acquire.recording.control_socket import ask

    text = clean_line(text)
    said = ask({"do": "mark", "text": text}, pid=pid)
    print_result({"marked": text, "said": said}, as_json=as_json, text=said)


add_tools(app)


def _say_what_to_flex(channel: str, seconds: float) -> None:
    from acquire.protocol.prompts import REST_TEXT
    from acquire.recording.assignment_procedure import flex_prompt

    words = flex_prompt(channel).text if channel else REST_TEXT
    STDERR.print(f"{words} ({seconds:g} s)", markup=False)


def _summary(recording: Recording) -> dict[str, Any]:
    return {
        "capture": str(recording.folder),
        "subject": recording.subject,
        "seed": recording.seed,
        "duration_s": round(recording.duration_s, 3),
        "counts": recording.counts,
        "frames_dropped": recording.frames_dropped,
        "health": recording.health,
        "notes": list(recording.notes),
        "error": _disk_full(recording).as_dict() if recording.disk_full else None,
    }


def _disk_full(recording: Recording) -> DiskFullError:
    return DiskFullError(
        f"THE DISK IS FULL: the recording ended after {recording.duration_s:.0f} s",
        recording.disk_full,
        "everything up to then is saved and closed; free some disk space before the next recording",
    )


def recording_text(recording: Recording) -> str:
    """Format the result of a recording as text."""
    lines = [str(recording.folder), f"  {recording.duration_s:.1f} s, seed {recording.seed}"]
    for channel, health in recording.health.items():
        lines.append(f"  {channel:18} {health_text(health)}")
    lines.append(f"  {'camera':18} {recording.counts.get('frame', 0):5} frames, {recording.frames_dropped} dropped")
    return "\n".join(lines)


def health_text(health: dict[str, Any]) -> str:
    """Format one sensor's part of the manifest as text; zero fault counts are left out."""
    of = f" of {health['expected']:5}" if health["expected"] else ""  # 0: its rate is unknown
    words = [
        f"{health['received']:5}{of} values",
        f"largest gap {health['largest_gap_s']:.2f} s",
    ]
    for key, text in (("late", "late"), ("suspected_lost", "suspected lost"), ("malformed", "malformed")):
        if health[key]:
            words.append(f"{health[key]} {text}")
    if health["reconnects"]:
        words.append(f"{health['reconnects']} reconnects")
    if health["away_s"] >= 0.5:
        words.append(f"not connected for {health['away_s']:.1f} s")
    if any(epoch["surplus"] for epoch in health["epochs"]):
        words.append("more values than the sensor can send: duplicates?")
    return ", ".join(words)


def recovered_text(found: Recovered) -> str:
    """Format the contents of a recovered capture as text."""
    ends, state = found.ends, "was closed already" if found.was_closed else "is closed now"
    video = "with video" if found.has_video else "without video"
    lines = [f"{found.folder} {state}: {ends.span_s:g} s, {video}"]
    for end in ends.streams:
        when = "nothing" if end.last_s is None else f"last at {end.last_s:.2f} s, {end.behind_s:.2f} s before the end"
        lines.append(f"  {end.stream:18} {end.n:6}  {when}{'  ENDED EARLY' if end.early else ''}")
    if ends.pictures_lost:
        lines.append(f"  {ends.pictures_lost} frames were not written to the file")
    if ends.video_error:
        lines.append(f"  the video cannot be read: {ends.video_error}")
    if ends.cut_in:
        lines.append(f"  cut off in: {ends.cut_in}")
    return "\n".join(lines)


@contextmanager
def _progress_line() -> Iterator[Any]:
    """Show the recording's state on stderr: a live line on a terminal, else one line every five seconds."""
    from rich.live import Live
    from rich.text import Text

    said_s, said_phase = -5.0, ""
    with Live(console=STDERR, transient=True, auto_refresh=False) as live:

        def show(snapshot: Snapshot) -> None:
            nonlocal said_s, said_phase
            line = clean_text(progress_text(snapshot))
            if STDERR.is_terminal:
                live.update(Text(line, no_wrap=True, overflow="ellipsis"), refresh=True)
            elif snapshot.phase != said_phase or snapshot.elapsed_s - said_s >= 5.0:
                said_s, said_phase = snapshot.elapsed_s, snapshot.phase
                STDERR.print(line, markup=False, soft_wrap=True)

        yield show


def progress_text(snapshot: Snapshot) -> str:
    """Return a recording's state in one line."""
    from acquire.bluetooth.status import trouble

    streaming = sum(s.state == "streaming" for s in snapshot.sensors)
    parts = [snapshot.phase, f"{streaming} of {len(snapshot.sensors)} sensors"]
    if snapshot.camera is not None:
        parts.append(f"camera {snapshot.camera.rate_hz:.1f}/s, {snapshot.camera.dropped} dropped")
    if snapshot.phase == "recording":
        parts.append(f"{snapshot.elapsed_s:.0f} s, {snapshot.remaining_s:.0f} s left")
    if snapshot.disk is not None:
        parts.append(f"disk {snapshot.disk.time_left}")
    if snapshot.cue is not None:
        parts.append(snapshot.cue.title)
    if snapshot.phase in ("waiting", "recording"):
        parts.extend(filter(None, map(trouble, snapshot.sensors)))
    return " | ".join(parts)


@contextmanager
def _fraction_bar(description: str) -> Iterator[Any]:
    """Show a progress bar on stderr; yields a function that sets the fraction done."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f} %"))
    with Progress(*columns, TimeRemainingColumn(), console=STDERR, transient=True) as bar:
        task = bar.add_task(description, total=1.0)
        yield lambda fraction: bar.update(task, completed=fraction)


def main() -> None:
    """Entry point."""
    run_app(app, "mia-record")
