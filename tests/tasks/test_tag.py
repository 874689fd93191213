"""Any number of classes a picture: from a table's column to figures."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from tests import tiny
from tuwen.core.errors import RecipeError
from tuwen.core.rooms import build_part
from tuwen.core.sample import Caption, Sample
from tuwen.recipe.run import pretrain
from tuwen.recipe.schema import load_recipe
from tuwen.report.examples import Examples
from tuwen.tasks import TaskContext

TAGS = ("blue", "green", "red")


def task(**settings: Any) -> Any:
    return build_part("tasks", {"kind": "tag", **settings}, TaskContext(tiny.tokenizer(), tags=TAGS))


def test_targets_are_a_yes_or_no_for_each_tag_of_training() -> None:
    asked = task()
    assert asked.tags(Sample("x", tags=("red", "blue"))) == [1, 0, 1]
    assert asked.tags(Sample("x", tags=("unheard of",))) == [0, 0, 0]
    assert asked.tags(Sample("x", tags=())) == [0, 0, 0]
    assert asked.tags(Sample("x")) is None
    assert asked.finds(Sample("x", tags=()))
    assert not asked.finds(Sample("x", label="red"))


def test_rows_only_where_the_head_reads_texts() -> None:
    rng = np.random.default_rng(0)
    sample = Sample("x", captions=(Caption("a text"),), tags=("red",))
    assert task().encode(sample, rng) == []
    assert [row.ids for row in task(with_text=True).encode(sample, rng)] == [tiny.tokenizer().read("a text")]
    assert task(with_text=True).encode(Sample("x", captions=sample.captions), rng) == []


def test_figures_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = tiny.predictor(tiny.model())
    logits = torch.tensor([[-1.0, -2, 3], [4, -1, -1], [-1, -1, -1]])
    monkeypatch.setattr(predictor, "logits", lambda head, pictures, texts=None: logits)
    picture = np.zeros((8, 8, 3), np.uint8)
    truths = [("red",), ("blue", "red"), ("owl",)]
    page = Examples().split("tasks")
    found = task().evaluate(predictor, [Sample(str(n), picture, tags=t) for n, t in enumerate(truths)], [], page)
    assert found == pytest.approx(
        {
            "exact_match": 1 / 3,
            "accuracy": 10 / 12,
            "micro_f1": 2 * 2 / (2 + 4),
            "macro_f1": (1 + 2 / 3 + 0) / 3,
            "exact_match_floor": 1 / 3,
            "accuracy_floor": (2 / 3 + 1 + 2 / 3 + 2 / 3) / 4,
            "micro_f1_floor": 2 * 4 / (9 + 4),
            "macro_f1_floor": (1 / 2 + 1 / 2 + 4 / 5) / 3,
            "count": 3,
        }
    )
    assert {name: tally.right for name, tally in page.tallies["tag_by_name"].items()} == {
        "blue": 3,
        "green": 3,
        "owl": 2,
        "red": 2,
    }
    assert [example.right for example in page.classes].count(True) == 1


def test_from_a_table_to_a_model_that_knows_colours(tmp_path: Path) -> None:
    """Pictures of one or two coloured halves; the tags are the colours in them."""
    rng = np.random.default_rng(0)
    lines = []
    colours = {"red": (250, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 250)}
    for number in range(60):
        halves = [str(name) for name in rng.choice(list(colours), 2)]
        pixels = np.zeros((16, 16, 3), np.uint8)
        pixels[:, :8], pixels[:, 8:] = colours[halves[0]], colours[halves[1]]
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        tags = sorted(set(halves)) if number % 2 else ", ".join(sorted(set(halves)))
        lines.append({"image": f"{number}.png", "colours": tags})
    (tmp_path / "table.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    recipe = tmp_path / "tags.yaml"
    recipe.write_text(
        f"""
data:
  {{kind: folder, path: {tmp_path}, captions: table.jsonl, tags_column: colours, caption_columns: [], validation: 0.3}}
image: {{size: 16}}
model:
  image: {{kind: cnn, stem: 4, channels: [16], blocks: [1]}}
  heads: {{tags: {{reads: image, classes: tags}}}}
tasks: {{tag: {{}}}}
objectives: {{multilabel: {{}}}}
train: {{steps: 40, batch_size: 16, learning_rate: 0.02, precision: fp32, workers: 0, compile: false, weight_decay: 0}}
""",
        encoding="utf-8",
    )
    finished = pretrain(load_recipe(recipe), tmp_path / "run")
    figures = finished.metrics["tasks"]["tag"]
    assert figures["micro_f1"] > 0.9 > figures["micro_f1_floor"]
    assert finished.system.vocabulary["tags"] == TAGS


def test_tags_that_no_objective_reads_are_refused(tmp_path: Path) -> None:
    for number in range(8):
        Image.new("RGB", (16, 16), (30 * number, 0, 0)).save(tmp_path / f"{number}.png")
    rows = [{"image": f"{number}.png", "tags": ["red"]} for number in range(8)]
    (tmp_path / "table.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    data = {"kind": "folder", "path": str(tmp_path), "captions": "table.jsonl", "tags_column": "tags"}
    recipe = {
        "data": {**data, "caption_columns": []},
        "image": {"size": 16, "view": {}},
        "model": {
            "image": {"kind": "cnn", "stem": 4, "channels": [8], "blocks": [1]},
            "heads": {"view": {"reads": "image", "classes": 8, "hidden": 8}},
        },
        "tasks": {"tag": {}},
        "objectives": {"two_view": {}},
        "train": {"steps": 1, "batch_size": 2},
    }
    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    with pytest.raises(RecipeError, match=r"tasks\.tag: no position would carry a loss"):
        pretrain(load_recipe(file), tmp_path / "run")
