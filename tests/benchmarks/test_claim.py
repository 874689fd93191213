"""The line that every claim ends with."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

PATH = Path(__file__).parents[2] / "benchmarks" / "claims" / "_claim.py"
SPEC = importlib.util.spec_from_file_location("_claim", PATH)
assert SPEC is not None
assert SPEC.loader is not None
CLAIM = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(CLAIM)


def test_a_claim_that_holds_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    values = {"tasks": {"caption": {"exact_match": 0.96}}, "bitwise_equal": True, "名": 3}
    asked = {"tasks.caption.exact_match": ">= 0.95", "bitwise_equal": "== true"}
    CLAIM.report("quickstart", values, asked, 12.34)
    line = capsys.readouterr().out.splitlines()[-1]
    assert json.loads(line) == {"claim": "quickstart", "values": values, "asked": asked, "holds": True, "seconds": 12.3}


def test_a_claim_that_does_not_hold_exits_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        CLAIM.report("rate", {"rate": 2999}, {"rate": ">= 3000"}, 1)
    assert exit.value.code == 1
    assert json.loads(capsys.readouterr().out)["holds"] is False


@pytest.mark.parametrize(
    ("value", "condition", "meets"),
    [
        (0.95, ">= 0.95", True),
        (0.9499, ">= 0.95", False),
        (300, "<= 300", True),
        (300, "< 300", False),
        (3, "> 2", True),
        (False, "== true", False),
        (float("nan"), ">= 0", False),
    ],
)
def test_conditions(value: object, condition: str, meets: bool) -> None:
    assert CLAIM.meets(value, condition) is meets


def test_what_was_not_measured_cannot_be_asked_for() -> None:
    with pytest.raises(KeyError, match=r"tasks\.vqa\.accuracy is asked for but was not measured"):
        CLAIM.report("x", {"tasks": {"vqa": {}}}, {"tasks.vqa.accuracy": ">= 0.97"}, 1)
    with pytest.raises(ValueError, match="cannot read the condition"):
        CLAIM.report("x", {"rate": 1}, {"rate": "at least 3"}, 1)


def test_a_piece_that_is_kept_is_measured_once(tmp_path: Path) -> None:
    folders: list[Path] = []

    def measure(folder: Path) -> dict[str, int]:
        folders.append(folder)
        folder.mkdir(parents=True)
        (folder / "half").write_text("written")
        return {"rate": len(folders)}

    first = CLAIM.piece(tmp_path, "steps: 1", measure)
    assert first["rate"] == 1
    assert first["seconds"] >= 0
    assert CLAIM.piece(tmp_path, "steps: 1", measure) == first, "as it was, with its seconds"
    assert CLAIM.piece(tmp_path, "steps: 2", measure)["rate"] == 2, "another recipe is another piece"
    (folders[0] / "measured.json").unlink()
    assert CLAIM.piece(tmp_path, "steps: 1", measure)["rate"] == 3, "one that was cut is measured anew"
    assert CLAIM.piece(None, "steps: 1", measure)["rate"] == 4
    assert not folders[-1].exists()
