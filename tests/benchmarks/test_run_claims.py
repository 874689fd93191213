"""The runner of claims passes on what a script prints, and writes down what it measured."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest
import torch

PATH = Path(__file__).parents[2] / "benchmarks" / "run_claims.py"
SPEC = importlib.util.spec_from_file_location("run_claims", PATH)
assert SPEC is not None
assert SPEC.loader is not None
RUNNER = importlib.util.module_from_spec(SPEC)
sys.modules["run_claims"] = RUNNER
SPEC.loader.exec_module(RUNNER)

GOOD = {"claim": "good", "values": {"tasks": {"rate": 4321.5, "r1": 0.98765}, "n": 1200, "same": True}, "seconds": 3.0}
GOOD |= {"asked": {"tasks.r1": ">= 0.9"}, "holds": True}
BAD = {"claim": "bad", "values": {"rate": 1}, "asked": {"rate": ">= 2"}, "holds": False, "seconds": 1}


@pytest.fixture
def claims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(RUNNER, "CLAIMS", tmp_path)
    monkeypatch.setattr(RUNNER, "TABLE", tmp_path / "claims.md")
    monkeypatch.setattr(RUNNER, "KEPT", tmp_path / "claims.json")
    monkeypatch.setattr(RUNNER, "machine", lambda: "a machine")
    (tmp_path / "_helper.py").write_text("raise SystemExit(9)")
    (tmp_path / "good.py").write_text(f"print('working')\nprint({json.dumps(GOOD)!r})\n")
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *names: str) -> int:
    monkeypatch.setattr(sys, "argv", ["run_claims.py", *names])
    return int(RUNNER.main())


def test_one_claim_prints_its_line_last_and_writes_nothing(
    claims: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "good") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == GOOD
    assert not (claims / "claims.md").exists()


def test_options_reach_the_script(
    claims: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (claims / "told.py").write_text(f"import json, sys\nprint(json.dumps({GOOD!r} | {{'argv': sys.argv}}))\n")
    assert run(monkeypatch, "told", "--", "--out", "runs/told") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["argv"][1:] == ["--out", "runs/told"]


def test_all_claims_become_a_table(claims: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (claims / "bad.py").write_text(f"print({json.dumps(BAD)!r})\nraise SystemExit(1)\n")
    (claims / "crash.py").write_text("print('half way')\nraise SystemExit(3)\n")
    assert run(monkeypatch) == 1
    page = (claims / "claims.md").read_text(encoding="utf-8")
    assert "Measured on a machine." in page
    rows = [line for line in page.splitlines() if line.startswith("|")][2:]
    rows = [re.sub(r"\d{4}-\d\d-\d\d", "today", row) for row in rows]
    assert re.sub(r"\d+ \| today", "s | today", rows.pop(1)) == (
        "| crash |  |  | ended with status 3 before it measured anything | **no** | s | today |"
    )
    assert rows == [
        "| bad | rate | >= 2 | 1 | **no** | 1 | today |",
        "| good | tasks.r1 | >= 0.9 | 0.9877 | yes | 3 | today |",
        "|  | tasks.rate |  | 4,322 |  |  |  |",
        "|  | n |  | 1,200 |  |  |  |",
        "|  | same |  | true |  |  |  |",
    ]


def test_a_recorded_claim_takes_the_place_of_its_older_result(claims: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (claims / "bad.py").write_text(f"print({json.dumps(BAD)!r})\n")
    run(monkeypatch)
    (claims / "bad.py").write_text(f"print({json.dumps(BAD | {'values': {'rate': 2}, 'holds': True})!r})\n")
    monkeypatch.setattr(RUNNER, "machine", lambda: "another machine")
    assert run(monkeypatch, "--record", "bad") == 0
    page = (claims / "claims.md").read_text(encoding="utf-8")
    assert page.index("Measured on a machine.") < page.index("| good |") < page.index("Measured on another machine.")
    assert "| bad | rate | >= 2 | 2 | yes | 1 |" in page
    assert "| bad | rate | >= 2 | 1 |" not in page


def test_an_unknown_claim_is_answered_with_the_names(
    claims: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        run(monkeypatch, "god")
    assert stopped.value.code == 2
    assert "there is no claim god; there are good" in capsys.readouterr().err


def test_the_machine_is_described() -> None:
    described = RUNNER.machine()
    assert f"PyTorch {torch.__version__}" in described
    assert "AMX" in described
