"""The command line ``mia-sync``; each command calls one function of the library."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dataset.exporters.options import ExportFormat, ExportOptions
from dataset.support import console
from dataset.support.command_options import with_options
from dataset.support.errors import MiaError, UsageError
from sync.options import BatchOptions, ImportOptions, SyncOptions

if TYPE_CHECKING:
    from dataset.importers.emg_columns import EmgColumns
    from dataset.session.types import Session

app = typer.Typer(
    name="mia-sync",
    help="Align sensors and video on one clock, and write a session that states its error, or refuse.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
imports = typer.Typer(
    help="Import what other apps recorded, as captures or sessions.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(imports, name="import")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


@app.command()
@with_options
def run(
    captures: Annotated[list[Path], typer.Argument(help="Capture folders, or folders that hold captures.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for sessions and their reports.")],
    options: SyncOptions,
    batch: BatchOptions,
    as_json: Json = False,
) -> int:
    """Synchronise captures: one session and one report per capture.

    Exit code 0: PASS or WARNING; 2: bad input; 3: refused (FAIL). All captures are processed; the
    code is the first of 1, 2, 3 that occurred.
    """
    from dataset.capture.reader import find_captures
    from sync.batch import plan_run, run_many, sync_one

    folders = find_captures(captures)
    if options.video and len(folders) != 1:
        raise UsageError("--video needs exactly one capture", f"{len(folders)} were given", "run them one by one")
    if batch.jobs is not None and batch.scheduler is not None:
        raise UsageError(
            "--jobs and --scheduler exclude each other", "a cluster has its own workers", "give only one of them"
        )
    plan = plan_run(folders, out, resume=batch.resume)
    options = replace(  # workers run in another folder
        options, video=tuple(path.resolve() for path in options.video),
        pose_model=None if options.pose_model is None else options.pose_model.resolve(),
        workers=1 if batch.parallel else None,
    )  # fmt: skip
    results = dict(plan.done)
    for made in plan.done.values():
        _show(made, as_json)
    if batch.parallel and plan.left:
        with console.progress("captures", len(plan.left)) as advance:

            def show(result: dict[str, Any]) -> None:
                _show(result, as_json)
                advance(1)

            found = run_many(plan.left, out, options, batch, each=show)
        results.update(zip(plan.left, found, strict=True))
    else:
        for folder in plan.left:
            results[folder] = sync_one(str(folder), str(out), options, console.progress)
            _show(results[folder], as_json)
    ordered = [results[folder] for folder in folders]
    if as_json:
        console.print_result({"sessions": ordered}, as_json=True, text="")
    return console.combined_exit_code([int(r["exit_code"]) for r in ordered])


def _show(result: dict[str, Any], as_json: bool) -> None:
    """Print the result of one capture as text."""
    if as_json:
        return
    error = result["error"]
    if error is not None:
        console.report_error(MiaError(error["what"], error["why"], error["hint"]), as_json=False)
        return
    lines = [f"{result['verdict']}  {result['subject']}", *(f"  {reason}" for reason in result["reasons"])]
    lines += _to_do(result)
    written = result["session"] or "none: refused (see the report; --allow-unverified writes it, marked FAIL)"
    again = " (written earlier)" if result.get("resumed") else ""
    lines += [f"  video: {result['video']}"] if result.get("video") else []  # any attached path may occur in a capture
    lines += [f"  session: {written}{again}", f"  report: {result['report']}"]
    console.print_result({}, as_json=False, text="\n".join(lines))


def _to_do(result: dict[str, Any]) -> list[str]:
    """Return one line per advice, with its streams; only the video's if the video failed."""
    advice = {name: one["text"] for name, one in result.get("advice", {}).items() if one["text"] and name != "sound"}
    if result["verdict"] == "PASS":
        return []
    if result["verdict"] == "FAIL" and "video" in advice:
        advice = {"video": advice["video"]}
    helped: dict[str, list[str]] = {}
    for name, text in advice.items():
        helped.setdefault(text, []).append(name)
    return [f"  to do ({', '.join(names)}): {text}" for text, names in helped.items()]


@imports.command("files")
@with_options
def import_files_command(
    out: Annotated[Path, typer.Option("--out", help="Folder of the new capture; must not exist.")],
    options: ImportOptions,
    as_json: Json = False,
) -> None:
    """Import a video and tables of another app as a capture; the logger's clock becomes the host clock.

    Columns whose names contain a muscle and a side become left_biceps and the like; other names are kept. Columns
    whose name or values are not sEMG are listed and left out, unless --channel names them.
    """
    from dataset.importers.emg_columns import shown
    from sync.import_files import import_files

    found: list[EmgColumns] = []
    folder = import_files(out, options, report=found.append)
    columns = found[0]
    if not as_json:
        for line in columns.lines():
            console.STDERR.print(line, markup=False, soft_wrap=True)
    names = ", ".join(shown(c.channel) for c in columns.taken)
    text = f"capture: {folder}\nchannels ({len(columns.taken)}): {names}"
    console.print_result({"capture": str(folder), **columns.as_dict()}, as_json=as_json, text=text)


@imports.command("mia")
def import_mia_command(
    folder: Annotated[Path, typer.Argument(help="The published MIADatasetOfficial folder, or part of it.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the sessions, one per subject.")],
    fix_lag: Annotated[
        bool, typer.Option("--fix-lag", help="Shift each subject's sEMG by its lag behind the motion.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Import the published Muscles in Action windows as sessions; their alignment is not verified."""
    from dataset.importers.mia import count_windows, import_mia
    from sync.quality.lag_probe import correction_of
    from sync.quality.lag_probe import fix_lag as remove_lag

    corrected: dict[str, dict[str, Any]] = {}

    def correct(session: Session) -> Session:
        fixed, _ = remove_lag(session)
        corrected[session.subject] = correction_of(fixed)
        return fixed

    with console.progress("windows", count_windows(folder)) as advance:
        made = import_mia(folder, out, progress=advance, correct=correct if fix_lag else None)
    rows = [
        {"session": str(m.path), "subject": m.subject, "n_windows": m.n_windows, "stride_frames": m.stride_frames,
         "n_masked": m.n_masked, "exercises": list(m.exercises),
         **({"lag": corrected[m.subject]} if m.subject in corrected else {})}
        for m in made
    ]  # fmt: skip
    lines = [
        f"session: {m.path} ({m.n_windows} windows"
        + (f", overlapping: one every {m.stride_frames} frames)" if m.stride_frames else ")")
        + (f"\n  {corrected[m.subject]['told']}" if m.subject in corrected else "")
        for m in made
    ]
    console.print_result({"sessions": rows}, as_json=as_json, text="\n".join(lines))


@app.command("lag")
def lag_command(
    sessions: Annotated[list[Path], typer.Argument(help="Session files, or folders of them.")], as_json: Json = False
) -> int:
    """Estimate the lag of sEMG behind motion from the session data alone (positive: sEMG lags).

    All sessions are tried; exit code 2 if one cannot be read.
    """
    from dataset.session.file import find_each_session, read_session
    from sync.quality.lag_probe import lag_as_dict, lag_as_text, probe_lag

    rows: list[dict[str, Any]] = []
    lines: list[str] = []
    codes: list[int] = []
    paths = find_each_session(sessions)
    with console.progress("sessions", len(paths)) as advance:
        for path in paths:
            try:
                session = read_session(path)
                probe = probe_lag(session)
            except MiaError as error:
                codes.append(error.exit_code)
                rows.append({"session": str(path), "error": error.as_dict()})
                if not as_json:
                    console.report_error(error, as_json=False)
            else:
                rows.append(lag_as_dict(str(path), session.subject, probe))
                lines.append(lag_as_text(path.name, probe))
            advance(1)
    if as_json or lines:
        console.print_result({"sessions": rows}, as_json=as_json, text="\n".join(lines))
    return console.combined_exit_code(codes)


@app.command()
def show(session: Annotated[Path, typer.Argument(help="A session file.")], as_json: Json = False) -> None:
    """Show the contents of a session and the quality of its alignment."""
    from dataset.session.file import read_session
    from sync.session_summary import session_as_dict, session_as_text

    opened = read_session(session)
    console.print_result(session_as_dict(opened), as_json=as_json, text=session_as_text(opened))


@app.command()
def check(
    sessions: Annotated[list[Path], typer.Argument(help="Session files, or folders of them.")], as_json: Json = False
) -> int:
    """Check that sessions are complete and well formed; exit code 2 if one is not."""
    from dataset.session.file import check_sessions

    found = check_sessions(sessions)
    text = "\n".join(f"{path}: {'; '.join(problems) or 'ok'}" for path, problems in found.items())
    rows = [{"session": path, "ok": not problems, "problems": problems} for path, problems in found.items()]
    console.print_result({"sessions": rows}, as_json=as_json, text=text)
    return console.EXIT_INPUT if any(found.values()) else 0


@app.command("export")
@with_options
def export_command(
    form: Annotated[ExportFormat, typer.Argument(metavar="FORMAT", help="csv, parquet, bids, nwb, edf or c3d.")],
    sessions: Annotated[list[Path], typer.Argument(help="Session files, or folders of them.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the export; must not exist.")],
    options: ExportOptions,
    as_json: Json = False,
) -> None:
    """Export sessions. No format holds pictures or sound.

    csv and parquet: all tables, with a data dictionary. bids: one data set of BDF+ and motion files. nwb, edf, c3d:
    one file per session. Formats but csv need: pip install 'muscles-in-action[export]'.
    """
    from dataset.exporters.registry import export_sessions

    written = export_sessions(form, sessions, out, options)
    text = f"{form}: {out} ({len(written)} files)"
    console.print_result({"out": str(out), "files": [str(f) for f in written]}, as_json=as_json, text=text)


@app.command("align-channels")
def align_channels_command(
    reference: Annotated[str, typer.Argument(help="FILE.h5 or FILE.csv; append :CHANNEL if it has several.")],
    target: Annotated[str, typer.Argument(help="The other device's file, in the same form.")],
    single_edge: Annotated[
        bool,
        typer.Option("--single-edge", help="Take one edge each for the same event, which the recordings cannot prove."),
    ] = False,
    as_json: Json = False,
) -> int:
    """Align recordings of two devices by one channel each that recorded the same light, trigger, tap, sound or jump.

    Exit code 0: aligned; 2: bad input; 3: refused (neither edges nor waveforms can be matched reliably).
    """
    from dataset.importers.channels import read_channel
    from sync.align_channels import align_channels, alignment_as_dict, alignment_as_text

    found = align_channels(read_channel(reference), read_channel(target), single_edge=single_edge)
    console.print_result(alignment_as_dict(found), as_json=as_json, text=alignment_as_text(found))
    return console.EXIT_REFUSED if found.verdict == "FAIL" else 0


def main() -> None:
    """Entry point of ``mia-sync``."""
    console.run_app(app, "mia-sync")
