"""The command line answers at once, and errors reach it as messages."""

import resource
import subprocess
import sys
from importlib import import_module
from pkgutil import iter_modules
from typing import Annotated

import pytest
import typer

import tuwen
from tuwen import cli
from tuwen.cli import app
from tuwen.core.errors import DataError

HEAVY = ("torch", "transformers", "numpy", "datasets", "accelerate", "pydantic", "matplotlib", "PIL", "yaml")
HELP = f"""
import sys
from tuwen.cli.app import main
try:
    main(["--help"])
finally:
    print("heavy:", [name for name in {HEAVY} if name in sys.modules])
"""


def status(*words: str) -> object:
    """The exit status of a command that runs in this process."""
    with pytest.raises(SystemExit) as stopped:
        app.main(words)
    return stopped.value.code


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The command line has one more command, `fail`, which raises the error that the test names."""
    build = app.build_app

    def fail(words: Annotated[list[str] | None, typer.Argument()] = None) -> None:
        raise request.param

    def build_with_fail() -> typer.Typer:
        built = build()
        built.command("fail")(fail)
        return built

    monkeypatch.setattr(app, "build_app", build_with_fail)


def test_help_imports_nothing_heavy_and_answers_at_once() -> None:
    seconds = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert "Usage: tuwen" in done.stdout
        assert "heavy: []" in done.stdout
    assert min(seconds) < 0.6, "processor time; the clock would measure what else the machine does"


def test_every_file_is_a_command_with_help_under_a_heading() -> None:
    names = [info.name for info in iter_modules(cli.__path__) if info.name != "app" and info.name[0] != "_"]
    built = app.build_app()
    known = {command.name for command in built.registered_commands} | {group.name for group in built.registered_groups}
    assert {name.replace("_", "-") for name in names} == known
    for name in names:
        module = import_module(f"tuwen.cli.{name}")
        assert module.PANEL in app.PANELS
        described = module.command.info.help if isinstance(module.command, typer.Typer) else module.command.__doc__
        assert described


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert status("--version") == 0
    assert capsys.readouterr().out.startswith(f"tuwen {tuwen.__version__} (Python 3.")


@pytest.mark.parametrize("failing", [DataError("a.csv:3: no picture; add one")], indirect=True)
def test_an_error_is_its_message_alone(failing: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert status("fail") == 1
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "a.csv:3: no picture; add one\n")


@pytest.mark.parametrize("failing", [DataError("why")], indirect=True)
@pytest.mark.parametrize("words", [["--debug", "fail"], ["fail", "--debug"], ["fail", "a", "--debug", "b"]])
def test_debug_raises_at_any_position(failing: None, words: list[str]) -> None:
    with pytest.raises(DataError, match="why"):
        app.main(words)


@pytest.mark.parametrize("failing", [DataError("why")], indirect=True)
def test_debug_behind_two_dashes_is_a_word_like_any_other(failing: None) -> None:
    assert status("fail", "--", "--debug") == 1


@pytest.mark.parametrize("failing", [KeyboardInterrupt()], indirect=True)
def test_ctrl_c_is_quiet(failing: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert status("fail") == 130
    said = capsys.readouterr()
    assert (said.out + said.err).strip() == ""


@pytest.mark.parametrize("failing", [OSError(28, "No space left on device", "runs/log.jsonl")], indirect=True)
def test_what_the_system_refuses_is_a_message(failing: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert status("fail") == 1
    assert capsys.readouterr().err == "runs/log.jsonl: no space left on device (--debug shows where)\n"
    with pytest.raises(OSError, match="No space left"):
        app.main(["fail", "--debug"])


@pytest.mark.parametrize("failing", [ZeroDivisionError("a bug")], indirect=True)
def test_a_bug_keeps_its_traceback(failing: None) -> None:
    with pytest.raises(ZeroDivisionError, match="a bug"):
        app.main(["fail"])


def test_a_wrong_call_says_what_was_meant(capsys: pytest.CaptureFixture[str]) -> None:
    assert status("recip") == 2
    assert "Did you mean 'recipe'?" in capsys.readouterr().err


def test_tuwen_runs_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "tuwen", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("tuwen ")
