"""The table of a sweep, by hand."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from tuwen.report.sweep import Run, Sweep, spread, title

FIGURES = ("tasks.vqa.accuracy", "held_out.retrieve.text_to_image_median_rank")


def run(label: str, seed: int, accuracy: float, rank: float, parameters: int = 1200) -> Run:
    facts = {"parameters": parameters, "pairs_per_second": 80.0 + seed, "train_seconds": 3.0}
    return Run((label,), seed, f"{label}-{seed}", dict(zip(FIGURES, (accuracy, rank), strict=True)),
               {FIGURES[0]: 0.25}, facts)  # fmt: skip


@pytest.fixture
def sweep() -> Sweep:
    failed = Run(("mean",), 1, "mean-1", {}, {}, {}, "out of memory")
    runs = (run("add", 0, 0.5, 3), run("add", 1, 0.6, 5, 1500), run("mean", 0, 0.7, 2), failed)
    return Sweep(("fusion",), FIGURES, runs, planned=6)


def test_the_mean_and_the_spread_are_over_the_seeds() -> None:
    assert spread([]) is None
    assert spread([2.0]) == (2.0, None)
    assert spread([1.0, 2.0, 3.0]) == (2.0, 1.0)


def test_the_table(sweep: Sweep) -> None:
    lines = sweep.markdown().splitlines()
    assert lines[0] == (
        "| fusion | Question answering, Unseen: Accuracy | Retrieval, Held out: Text → picture, median rank "
        "| parameters | pairs/s | seeds |"
    )
    assert lines[2] == "| add | 55.0 % ± 7.1 | 4 ± 1.414 | 1,200 – 1,500 | 80 | 2 |"
    assert lines[3] == "| mean | 70.0 % | 2 | 1,200 | 80 | 1 of 2 |"
    assert lines[4] == "| *floor* | 25.0 % |  |  |  |  |"
    assert lines[6:] == ["- failed: mean, seed 1: out of memory", "- 2 of 6 runs are still to come"]


def test_the_same_as_data(sweep: Sweep, tmp_path: Path) -> None:
    sweep.save(tmp_path)
    assert not (tmp_path / "sweep.png").exists(), "runs are still to come"
    replace(sweep, planned=4).save(tmp_path)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "sweep.csv").read_text())))
    assert [(row["fusion"], row["seed"], row["tasks.vqa.accuracy"], row["error"]) for row in rows] == [
        ("add", "0", "0.5", ""), ("add", "1", "0.6", ""), ("mean", "0", "0.7", ""), ("mean", "1", "", "out of memory"),
    ]  # fmt: skip
    content = json.loads((tmp_path / "sweep.json").read_text())
    assert content["cells"][0]["figures"]["tasks.vqa.accuracy"] == {"mean": 0.55, "sd": pytest.approx(0.0707, abs=1e-4)}
    assert content["runs"][3]["error"] == "out of memory"
    with Image.open(tmp_path / "sweep.png") as image:
        assert image.size[0] > 500
        assert len(image.convert("RGB").getcolors(2**20) or []) > 10, "something is drawn"


def test_nothing_is_drawn_of_failures_alone(sweep: Sweep, tmp_path: Path) -> None:
    Sweep(("fusion",), (), sweep.runs[-1:], 1).save(tmp_path)
    assert not (tmp_path / "sweep.png").exists()
    assert "out of memory" in (tmp_path / "sweep.md").read_text()


def test_a_figure_in_words() -> None:
    assert title("tasks.vqa_by_kind.relation").en == "Answers by kind of question, Unseen: spatial relation"
    assert title("held_out.caption.exact_match").zh == "看图说话, 留出组合: 逐字一致"
