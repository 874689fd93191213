"""`tuwen quickstart` ends with commands to try, and they work."""

import shlex
import sys
from pathlib import Path

import pytest

from tuwen.cli._training import program
from tuwen.cli.app import main

SMALL = ("data.kind=scenes", "data.train_scenes=60", "data.test_scenes=8", "tokenizer.sample=200", "evaluate.samples=6")
SHORT = ("train.minutes=null", "train.steps=2", "train.batch_size=4", "train.precision=fp32")


def run(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 0
    return capsys.readouterr().out


def test_the_commands_that_it_prints_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    sets = [word for setting in (*SMALL, *SHORT) for word in ("--set", setting)]
    said = run(capsys, "quickstart", "--out", "my runs/quick", *sets)
    lines = said.partition("Now try")[2].partition("With your own")[0].splitlines()[1:]
    commands = [shlex.split(line) for line in lines if line.strip()]
    assert len(commands) == 4
    start = len(shlex.split(program()))
    said = [run(capsys, *command[start:]) for command in commands]
    assert len(said[2].splitlines()) == 2, "an answer to each question"
    assert said[3].strip() in ("a red circle", "a blue square", "a green star")


@pytest.mark.parametrize(
    ("path", "interpreter", "expected"),
    [
        ("{here}/.venv/bin", "{here}/.venv/bin/python", "tuwen"),
        ("/nowhere", "{here}/.venv/bin/python", ".venv/bin/tuwen"),
        ("/nowhere", "{here}/bare/bin/python", "{here}/bare/bin/python -m tuwen"),
    ],
    ids=["activated", "not activated", "no script"],
)
def test_the_program_is_called_as_the_shell_finds_it(
    path: str, interpreter: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / ".venv" / "bin" / "tuwen"
    script.parent.mkdir(parents=True)
    script.touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", path.format(here=tmp_path))
    monkeypatch.setattr(sys, "executable", interpreter.format(here=tmp_path))
    assert program() == expected.format(here=tmp_path)
