"""The page about speed says what the claims measured, and shows it."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

FOLDER = Path(__file__).parents[2] / "benchmarks"
SPEC = importlib.util.spec_from_file_location("bench", FOLDER / "bench.py")
assert SPEC is not None
assert SPEC.loader is not None
sys.path.insert(0, str(FOLDER))
BENCH = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(BENCH)
sys.path.remove(str(FOLDER))


def entry(values: dict[str, Any], asked: dict[str, str], **changes: Any) -> dict[str, Any]:
    usual = {"holds": True, "seconds": 3.0, "error": "", "machine": "a machine", "date": "2026-01-02"}
    return {"values": values, "asked": asked, **usual, **changes}


RATES = {"tokens_a_second.transformers.median": 700, "tokens_a_second.transformers.min": 650.5}
RATES |= {"tokens_a_second.transformers.max": 720, "tokens_a_second.ours.median": 1503.0}
RATES |= {"tokens_a_second.ours.min": 1400.0, "tokens_a_second.ours.max": 1600.0}
KEPT = {
    "generation": entry({"ratio": 2.15, "same_words": True, **RATES}, {"ratio": ">= 2", "same_words": "== true"}),
    "padding": entry({"wasted": 0.07}, {"wasted": "< 0.05"}, holds=False),
    "cpu_step": entry({}, {}, holds=False, error="ended with status 1 before it measured anything"),
    "quickstart": entry({"accuracy": 0.9}, {"accuracy": ">= 0.9"}),
}


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, file in (("RESULTS", "results.json"), ("PAGE", "README.md"), ("RATIOS", "a.png"), ("RATES", "b.png")):
        monkeypatch.setattr(BENCH, name, tmp_path / file)
    monkeypatch.setattr(BENCH, "KEPT", tmp_path / "claims.json")
    monkeypatch.setattr(BENCH, "ON_A_GPU", tmp_path / "gpu.json")
    (tmp_path / "claims.json").write_text(json.dumps(KEPT))
    BENCH.write(BENCH.SPEED)
    return tmp_path


def test_the_page_has_a_row_for_each_claim_about_speed(page: Path) -> None:
    text = (page / "README.md").read_text(encoding="utf-8")
    assert "| generation | ratio >= 2; same_words == true | ratio 2.15; same_words true | yes |" in text
    assert "| padding | wasted < 0.05 | wasted 0.07 | **no** |" in text
    assert "| cpu_step |  | ended with status 1 before it measured anything | **no** |" in text
    assert "quickstart" not in text
    assert list(json.loads((page / "results.json").read_text())) == ["cpu_step", "padding", "generation"]


def test_the_page_says_what_a_gpu_gave_or_that_there_was_none(page: Path) -> None:
    assert "Not measured: none was at hand" in (page / "README.md").read_text(encoding="utf-8")
    found = {"card": "a card", "ratio": 1.42, "utilisation": 0.511, "asked": {"ratio": 1.3, "utilisation": 0.45}}
    (page / "gpu.json").write_text(json.dumps(found))
    BENCH.write(BENCH.SPEED)
    text = (page / "README.md").read_text(encoding="utf-8")
    assert "On a card: 1.42 times its pairs a second (asked: 1.3), and 51% of a large" in text
    assert "Not measured" not in text


def test_the_page_has_the_spread_of_each_way_and_what_was_held_equal(page: Path) -> None:
    text = (page / "README.md").read_text(encoding="utf-8")
    assert "| generation | tokens a second | transformers | 700 | 650.5 | 720 |" in text
    assert "|  |  | ours | 1503.0 | 1400.0 | 1600.0 |" in text
    assert "- **generation**: Captions for 512 pictures" in text


def test_charts_have_a_bar_for_each_way(page: Path) -> None:
    """Ours and the others' in their colours, and where a ratio should reach."""
    for file, colours in (("a.png", (BENCH.OURS, BENCH.ASKED)), ("b.png", (BENCH.OURS, BENCH.OTHERS))):
        with Image.open(page / file) as image:
            shown = {f"#{r:02x}{g:02x}{b:02x}" for _, (r, g, b, _) in image.getcolors(2**20) or ()}
        assert set(colours) <= shown


def test_every_claim_about_speed_has_its_script() -> None:
    assert [name for name in BENCH.SPEED if not (BENCH.CLAIMS / f"{name}.py").is_file()] == []
