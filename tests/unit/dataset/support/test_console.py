"""Errors become one line, a hint and an exit code; with --json one object on stdout."""

from __future__ import annotations

import json
import sys

import pytest
import typer

from dataset.support.console import combined_exit_code, print_result, progress, run_app
from dataset.support.errors import InputError, MiaError, RefusedError
from dataset.support.system_libraries import LIBRARIES, advice, missing_packages


def run(monkeypatch: pytest.MonkeyPatch, error: BaseException | None, *args: str) -> int:
    app = typer.Typer()

    @app.command()
    def command(number: int = 0, json: bool = typer.Option(False, "--json")) -> None:
        if error is not None:
            raise error
        print_result({"number": number}, as_json=json, text=f"number {number}")

    monkeypatch.setattr(sys, "argv", ["prog", *args])
    with pytest.raises(SystemExit) as caught:
        run_app(app, "prog")
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_a_result_goes_to_stdout(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, None, "--number", "3") == 0
    assert capsys.readouterr().out == "number 3\n"


def test_bad_input_is_one_line_and_a_hint_on_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, InputError("no file x", "it is not there", "look elsewhere")) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == ["error: no file x: it is not there [bad-input]", "hint: look elsewhere"]


@pytest.mark.parametrize(
    ("error", "code"), [(RefusedError("no"), 3), (MiaError("x"), 2), (KeyboardInterrupt(), 130), (typer.Exit(3), 3)]
)
def test_exit_codes(monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int) -> None:
    assert run(monkeypatch, error) == code


def test_with_json_an_error_is_one_object(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, InputError("what", "why", "hint"), "--json") == 2
    assert json.loads(capsys.readouterr().out) == {
        "error": {"code": "bad-input", "what": "what", "why": "why", "hint": "hint"}
    }


def test_usage_errors_are_code_two_also_as_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, None, "--number", "three", "--json") == 2
    told = json.loads(capsys.readouterr().out)["error"]
    assert told["code"] == "usage"
    assert "--number" in told["what"]
    assert run(monkeypatch, None, "--nonsense") == 2
    assert "--nonsense" in capsys.readouterr().err


def test_a_bug_is_code_one_and_still_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, ZeroDivisionError("oops"), "--json") == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "bug"


def test_a_missing_shared_library_names_the_packages(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = ImportError("libGL.so.1: cannot open shared object file: No such file or directory")
    assert run(monkeypatch, error) == 2
    assert "libGL.so.1" in capsys.readouterr().err


def test_many_inputs_give_the_worst_code_first() -> None:
    assert combined_exit_code([0, 3, 2, 1]) == 1
    assert combined_exit_code([0, 3, 2]) == 2
    assert combined_exit_code([0, 3]) == 3
    assert combined_exit_code([]) == 0


def test_progress_counts(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("counting", 3) as advance:
        advance(1)
        advance(2)
    assert capsys.readouterr().out == ""


def test_missing_system_libraries_are_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def loads(library: str) -> bool:
        return library != "libGL.so.1"

    monkeypatch.setattr(sys, "platform", "linux")
    assert missing_packages(loads) == [LIBRARIES["libGL.so.1"]]
    assert "sudo apt install libgl1" in advice(loads)
    assert advice(lambda library: True) == "system libraries: all there"
