"""Shared parts of the three command lines: JSON output, one-line errors, exit codes, progress bars."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from typer.exceptions import TyperException

from dataset.support.errors import MiaError, MissingDependencyError, UsageError
from dataset.support.outputs import failed_file
from dataset.support.results import CannotPrintError, flush_at_exit, write_result
from dataset.support.system_libraries import advice
from dataset.support.text import clean_text


class CleanConsole(Console):
    """A console that prints control characters escaped, so that external text cannot control the terminal."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print as :class:`rich.console.Console` does, plain text cleaned."""
        # What cannot be said (a full disk, a pipe that has ended) must not end the work.
        with suppress(OSError, ValueError):
            super().print(*(clean_text(o, lines=True) if isinstance(o, str) else o for o in objects), **options)


#: Everything that is not a result goes to stderr.
STDERR = CleanConsole(stderr=True, highlight=False)

#: Modules of an extra that a command may lack, and the extra's name.
EXTRAS = {"torch": "train"}

EXIT_BUG = 1
EXIT_INPUT = 2
EXIT_REFUSED = 3
EXIT_INTERRUPTED = 130

#: Umask of new files and folders: captures, sessions and runs are personal data, readable by their owner only.
_OWNER_ALONE, _GROUP_READS = 0o077, 0o027


def print_result(value: Mapping[str, Any], *, as_json: bool, text: str) -> None:
    """Print a command's result on stdout: one JSON object, or text for a person."""
    words = json.dumps(value, default=_jsonable, allow_nan=False) if as_json else clean_text(text.rstrip(), lines=True)
    write_result(words + "\n")


def report_error(error: MiaError, *, as_json: bool) -> None:
    """Print an error to stderr: what happened, why and its code in one line, then a hint.

    The code is the heading of the error's paragraph in ``docs/troubleshooting.md``.
    """
    if as_json:
        if not isinstance(error, CannotPrintError):
            with suppress(CannotPrintError):
                write_result(json.dumps({"error": error.as_dict()}) + "\n")
        return
    STDERR.print("error:", style="bold red", end=" ")
    STDERR.print(f"{error} [{error.code}]", markup=False, soft_wrap=True)
    if error.hint:
        STDERR.print(f"hint: {error.hint}", markup=False, soft_wrap=True)


def combined_exit_code(codes: list[int]) -> int:
    """Return the exit code of several inputs: the first present of 1, 2, 3, else 0."""
    return next((code for code in (EXIT_BUG, EXIT_INPUT, EXIT_REFUSED) if code in codes), 0)


@contextmanager
def progress(description: str, total: float | None) -> Iterator[Callable[[float], None]]:
    """Show a progress bar on stderr (one line if not a terminal); yields a function that advances it."""
    if not STDERR.is_terminal:
        STDERR.print(f"{description} ...", markup=False)
        yield lambda amount: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=STDERR) as bar:
        task = bar.add_task(description, total=total)
        yield lambda amount: bar.advance(task, amount)


def run_app(app: typer.Typer, name: str) -> None:
    """Run a typer app with the project's exit codes; never returns."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    as_json = "--json" in sys.argv[1:]
    before = os.umask(_OWNER_ALONE)
    try:
        check_own_packages()
        code = _with_version(_with_group_readable(typer.main.get_command(app)), name).main(
            prog_name=name, standalone_mode=False
        )
    except MiaError as error:
        report_error(error, as_json=as_json)
        code = error.exit_code
    except TyperException as error:  # usage: an unknown option, a missing argument, text for a number
        report_error(_usage_error(error, name, as_json=as_json), as_json=as_json)
        code = EXIT_INPUT
    except (KeyboardInterrupt, typer.Abort):
        code = EXIT_INTERRUPTED
    except ImportError as error:
        report_error(_missing(error), as_json=as_json)
        code = EXIT_INPUT
    except OSError as error:  # a full or failing disk, wherever it was met
        report_error(failed_file(error), as_json=as_json)
        code = EXIT_INPUT
    except Exception as error:
        if not as_json:
            raise
        logging.getLogger(__name__).exception("internal error")
        with suppress(CannotPrintError):
            write_result(json.dumps({"error": {"code": "bug", "what": repr(error), "why": "", "hint": ""}}) + "\n")
        code = EXIT_BUG
    finally:
        os.umask(before)
        flush_at_exit()
    sys.exit(code if isinstance(code, int) else 0)


def _missing(error: ImportError) -> MissingDependencyError:
    """Return what to install for a failed import; an import that no installation mends is raised again."""
    if error.name in EXTRAS:
        extra = f"pip install 'muscles-in-action[{EXTRAS[error.name]}]'"
        return MissingDependencyError(f"{error.name} is not installed", "this command needs it", extra)
    if "shared object" in str(error):
        return MissingDependencyError("a system library is missing", str(error), advice())
    raise error


def _with_version(command: Any, name: str) -> Any:
    """Add the option ``--version`` to a whole command."""

    def show(given: bool) -> None:
        if given:
            from dataset.support.version import software

            write_result(f"{name}, {software()}\n")
            raise typer.Exit

    option = typer.Option("--version", help="Show the version.", callback=show, is_eager=True, expose_value=False)

    def template(_: bool = False) -> None:
        """Template of the option."""

    template.__annotations__["_"] = Annotated[bool, option]
    donor = typer.Typer(add_completion=False)
    donor.command()(template)
    command.params += [p for p in typer.main.get_command(donor).params if "--version" in p.opts]
    return command


def _with_group_readable(command: Any) -> Any:
    """Add the option ``--group-readable`` to each command of a group that has ``--out``."""
    for inner in getattr(command, "commands", {}).values():
        _with_group_readable(inner)
    if any("--out" in parameter.opts for parameter in command.params):
        donor = typer.Typer(add_completion=False)
        donor.command()(_group_readable)
        command.params += [p for p in typer.main.get_command(donor).params if "--group-readable" in p.opts]
    return command


def _let_group_read(given: bool) -> None:
    if given:
        os.umask(_GROUP_READS)


def _group_readable(
    _: Annotated[
        bool,
        typer.Option(
            "--group-readable",
            help="Let this user's group read the output; by default only the owner can.",
            callback=_let_group_read,
            expose_value=False,
        ),
    ] = False,
) -> None:
    """Template of the option for other commands."""


def check_own_packages() -> None:
    """Detect a foreign package called ``acquire``, ``sync``, ``dataset`` or ``model``.

    Raises
    ------
    MissingDependencyError
        Python would import another project's package of one of these names.
    """
    home = Path(__file__).resolve().parents[2]
    for name in ("acquire", "sync", "model"):
        spec = importlib.util.find_spec(name)
        origin = Path(spec.origin).resolve() if spec and spec.origin else None
        if origin is None or origin.parent.parent != home:
            raise MissingDependencyError(
                f"the package {name!r} is not this project's",
                f"Python finds {origin or 'none'}",
                "install muscles-in-action into its own environment",
            )


def _usage_error(error: TyperException, name: str, *, as_json: bool) -> UsageError:
    context = getattr(error, "ctx", None)
    hint = f"see {context.command_path if context else name} --help"
    what = error.format_message()
    if type(error).__name__ != "NoArgsIsHelpError":  # typer does not export it
        return UsageError(what, hint=hint)
    # Without a command typer prints the whole help, not a one-line error.
    if not as_json:
        STDERR.print(what, markup=False, soft_wrap=True)
    return UsageError("no command was given", hint=hint)


def _jsonable(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value).__name__} is not JSON")
