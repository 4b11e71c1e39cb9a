"""A settings object becomes a command's options, in order, with its own defaults."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from dataset.support.command_options import GivenAs, with_options


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Of nothing in particular."""

    needed: Annotated[float, typer.Option("--needed", help="No default.")]
    files: Annotated[tuple[Path, ...], typer.Option("--file", help="May be repeated.")] = ()
    sound: Annotated[bool, typer.Option("--mute", help="No sound."), GivenAs(bool, False, operator.not_)] = True
    times: Annotated[int | None, typer.Option("--times", min=1)] = None
    of_the_library: int | None = None


def run(*arguments: str) -> tuple[int, str, list[tuple[str, Settings, bool]]]:
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    got: list[tuple[str, Settings, bool]] = []

    @app.command()
    @with_options
    def command(name: Annotated[str, typer.Argument()], settings: Settings, last: bool = False) -> None:
        """Do it."""
        got.append((name, settings, last))

    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output, got


def test_a_command_gets_its_settings() -> None:
    code, _, got = run("n", "--needed", "1.5", "--file", "a", "--file", "b", "--mute", "--times", "2", "--last")
    wanted = Settings(needed=1.5, files=(Path("a"), Path("b")), sound=False, times=2)
    assert (code, got) == (0, [("n", wanted, True)])


def test_what_is_not_given_is_the_default_of_the_settings() -> None:
    code, _, got = run("n", "--needed", "1.5")
    assert (code, got) == (0, [("n", Settings(needed=1.5), False)])


@pytest.mark.parametrize("arguments", [("n",), ("n", "--needed", "x"), ("n", "--needed", "1", "--times", "0")])
def test_what_typer_refuses_is_refused_before_the_command_runs(arguments: tuple[str, ...]) -> None:
    code, output, got = run(*arguments)
    assert (code, got) == (2, [])
    assert "--needed" in output or "--times" in output


def test_options_are_listed_where_the_settings_stood() -> None:
    _, text, _ = run("--help")
    places = [text.index(option) for option in ("--needed", "--file", "--mute", "--times", "--last")]
    assert places == sorted(places)
    assert "of-the-library" not in text
    assert "Do it." in text
