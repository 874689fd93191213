"""A run folder as training and evaluation leave it, made up: real scenes, invented predictions."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import pytest

from tuwen.data.scenes import Config, Scenes, build
from tuwen.report.examples import (
    AnswerExample,
    CaptionExample,
    ClassExample,
    Confusion,
    Examples,
    FoundPictures,
    FoundTexts,
    SplitExamples,
    Tally,
)

RECIPE = """\
# What is trained, and on what.
seed: 0
data:
  kind: scenes
  size: 64
  objects: [1, 3]   # fewest and most
model:
  image: {kind: vit, depth: 6, width: 192, patch: 8}
  text: {kind: transformer, depth: 4}
objectives:
  - {kind: contrastive, weight: 1.0}
  - {kind: captioning, weight: 1.0}
"""

METRICS = {
    "train_seconds": 291.6,
    "pairs_per_second": 412.3,
    "parameters": 2_310_144,
    "tasks": {
        "caption": {"exact_match": 0.966, "cider": 9.71, "bleu_4": 0.981, "rouge_l": 0.988, "count": 1000,
                    "blind_floor": 0.004},
        "vqa": {"accuracy": 0.9785, "floor": 0.6104, "question_only_floor": 0.6104, "majority_floor": 0.311,
                "count": 2000},
        "retrieve": {"image_to_text_r1": 0.971, "text_to_image_r1": 0.964, "image_to_text_r5": 0.998,
                     "text_to_image_r5": 0.999, "image_to_text_median_rank": 1, "candidates": 962},
        "classify": {"zero_shot_accuracy": 0.991, "floor": 1 / 80, "count": 500},
    },
    "held_out": {
        "caption": {"exact_match": 0.741, "cider": 8.02, "bleu_4": 0.903, "rouge_l": 0.94, "count": 1000,
                    "blind_floor": 0.001},
        "vqa": {"accuracy": 0.9335, "floor": 0.5987, "question_only_floor": 0.5987, "majority_floor": 0.305,
                "count": 2000},
        "retrieve": {"image_to_text_r1": 0.882, "text_to_image_r1": 0.871, "image_to_text_r5": 0.989,
                     "text_to_image_r5": 0.985, "image_to_text_median_rank": 1, "candidates": 981},
        "classify": {"zero_shot_accuracy": 0.914, "floor": 1 / 80, "count": 500},
    },
    "asked": {
        "tasks": {"caption": {"exact_match": 0.95}, "vqa": {"accuracy": 0.97}, "classify": {"zero_shot_accuracy": 0.98},
                  "retrieve": {"image_to_text_r1": 0.95, "text_to_image_r1": 0.95}},
        "held_out": {"caption": {"exact_match": 0.75}, "vqa": {"accuracy": 0.92},
                     "classify": {"zero_shot_accuracy": 0.9},
                     "retrieve": {"image_to_text_r1": 0.85, "text_to_image_r1": 0.85}},
    },
    "machine": {"processor": "Intel Xeon Platinum 8488C", "cores": 2, "memory": "24 GB", "precision": "bf16",
                "torch": "2.13.0"},
}  # fmt: skip

SWAPS = [("red", "pink"), ("purple", "blue"), ("striped", "dotted"), ("large", "small"), ("heart", "star"),
         ("红色", "粉色"), ("紫色", "蓝色"), ("条纹", "圆点"), ("大的", "小的"), ("心形", "五角星")]  # fmt: skip


def make_run(folder: Path, size: int = 4, logged: int = 60) -> Path:
    """Write a run: `size` examples of each sort and split, `logged` lines of log."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.json").write_text(json.dumps(METRICS), encoding="utf-8")
    (folder / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    (folder / "log.jsonl").write_text(
        "".join(_log_line(line, line / logged) for line in range(logged)), encoding="utf-8"
    )
    splits = build(Config(test_scenes=max(200, 20 * size)))
    examples = Examples({"tasks": _split(splits["test"], size), "held_out": _split(splits["held_out"], size)})
    examples.save(folder)
    return folder


def _log_line(index: int, progress: float) -> str:
    rng = random.Random(index)
    losses = {
        name: start * math.exp(-progress * speed) * rng.uniform(0.85, 1.15) + floor * rng.uniform(0.7, 1.3)
        for name, start, speed, floor in (
            ("contrastive", 4.8, 4, 0.05), ("matching", 0.69, 3, 0.04), ("captioning", 5.1, 5, 0.11),
            ("vqa", 3.2, 4, 0.08),
        )
    }  # fmt: skip
    entry = {
        "step": 10 * (index + 1),
        "seconds": 2.4 * (index + 1),
        "loss": sum(losses.values()),
        "losses": losses,
        "parts": {"contrastive/accuracy": 1 - math.exp(-5 * progress)},
        "gradient_norm": rng.lognormvariate(-0.5, 0.3),
        "learning_rate": 1e-3 * min(1, 20 * progress) * (1 + math.cos(math.pi * progress)) / 2,
        "samples_per_second": rng.gauss(412, 9),
        "waiting": abs(rng.gauss(0.011, 0.004)),
    }
    return json.dumps(entry) + "\n"


def _split(source: Scenes, size: int) -> SplitExamples:
    rng = random.Random(0)
    samples = [source[index] for index in range(max(200, 20 * size))]
    split = SplitExamples()
    for sample in samples:
        for caption in sample.captions:
            wrong = next(
                ((caption.text.replace(a, b, 1), a) for a, b in SWAPS if a in caption.text and rng.random() < 0.3), None
            )
            if caption.canonical and sum(one.right == (not wrong) for one in split.captions) < size:
                text, failed = (wrong[0], ("colour",)) if wrong else (caption.text, ())
                split.captions.append(CaptionExample(sample.image, text, caption.text, not wrong, failed))
        for question in sample.questions:
            right = rng.random() > 0.4
            guess = (
                question.answer
                if right
                else {"yes": "no", "是": "否", "否": "是", "no": "yes"}.get(question.answer, "2")
            )
            if guess != question.answer or sum(one.right for one in split.answers) < size:
                split.answers.append(
                    AnswerExample(sample.image, question.text, guess, question.answer, right, question.kind)
                )
        if sample.label and sum(one.right for one in split.classes) < size:
            split.classes.append(ClassExample(sample.image, sample.label, sample.label, True))
    split.answers = split.answers[: 2 * size]
    for index in range(size):
        few = rng.sample(samples, 5)
        place = 1 if index % 3 else index % 7 + 1
        correct = tuple(position == place - 1 for position in range(5))
        query = few[min(place, 5) - 1]
        texts = tuple(one.captions[index % 2].text for one in few)
        split.found_pictures.append(
            FoundPictures(query.captions[index % 2].text, tuple(one.image for one in few), correct, place)
        )
        split.found_texts.append(FoundTexts(query.image, texts, correct, place))
    split.tallies = {
        "vqa_by_kind": {"existence": Tally(190, 200, 0.5), "count": Tally(183, 200), "shape": Tally(200, 200)},
        "caption_by_attribute": {"shape": Tally(1980, 2000), "colour": Tally(1900, 2000), "size": Tally(1931, 2000)},
    }  # fmt: skip
    names = sorted({one.label for one in samples if one.label})[:20]
    counts = tuple(
        tuple(25 if a == b else int(rng.random() < 0.05) * rng.randint(1, 6) for b in range(len(names)))
        for a in range(len(names))
    )
    split.confusion = Confusion(tuple(names), counts)
    return split


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up run, for reading only."""
    return make_run(tmp_path_factory.mktemp("runs") / "made-up")
