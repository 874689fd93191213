"""How tasks share samples: all at once, or one at a time in some proportion."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from tests import tiny
from tuwen.core.errors import RecipeError
from tuwen.core.rooms import build_part, validate
from tuwen.core.sample import Caption, Question, Sample, Source
from tuwen.recipe.build import build_system
from tuwen.recipe.encoding import Encoder
from tuwen.recipe.mixing import task_weights
from tuwen.recipe.schema import MixConfig, load_recipe
from tuwen.recipe.sources import build_data
from tuwen.recipe.survey import survey
from tuwen.tasks import Task, TaskContext

PICTURE = np.zeros((32, 32, 3), np.uint8)
ASKED = (Question("how many?", "one"),)
SAID = (Caption("a red circle"),)


class Samples(list[Sample]):
    """A source in memory."""


def kinds(both: int, asked: int, said: int) -> Samples:
    """So many samples with questions and captions, with questions alone, with captions alone."""
    of_all = [(ASKED, SAID)] * both + [(ASKED, ())] * asked + [((), SAID)] * said
    return Samples(
        Sample(str(number), PICTURE, captions=captions, questions=questions)
        for number, (questions, captions) in enumerate(of_all)
    )


def tasks() -> dict[str, Task]:
    context = TaskContext(tiny.tokenizer(), answers=("one",))
    specs: dict[str, dict[str, Any]] = {
        "vqa": {"kind": "vqa", "by": "head", "questions": 1},
        "retrieve": {"kind": "retrieve"},
        "classify": {"kind": "classify"},
    }
    return {name: build_part("tasks", spec, context) for name, spec in specs.items()}


def weights(samples: Samples, **settings: Any) -> dict[str, float]:
    learned = {name: task for name, task in tasks().items() if name != "classify"}
    assert isinstance(samples, Source)
    return dict(task_weights(validate(MixConfig, settings, "mix"), learned, survey(samples, 10_000)))


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, {}),
        ({"weights": "all"}, {}),
        ({"weights": "even"}, {"vqa": 1, "retrieve": 1}),
        ({"weights": "proportional"}, {"vqa": 90, "retrieve": 40}),
        ({"weights": "proportional", "temperature": 2}, {"vqa": 90**0.5, "retrieve": 40**0.5}),
        ({"weights": {"vqa": 1, "retrieve": 3.5}}, {"vqa": 1, "retrieve": 3.5}),
    ],
)
def test_weights(settings: dict[str, Any], wanted: dict[str, float]) -> None:
    assert weights(kinds(both=30, asked=60, said=10), **settings) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"weights": {"vqa": 1}}, r"a number for each task that is learned from, vqa, retrieve; 'retrieve' is missing"),
        ({"weights": {"vqa": 1, "retrieve": 1, "capton": 1}}, r"'capton' is none of them"),
        ({"weights": {"vqa": 0, "retrieve": 1}}, r"mix\.weights"),
        ({"weights": "even", "temperature": 3}, "temperature only acts on proportional weights"),
        ({"weights": "proportional", "temperature": 0.5}, r"mix\.temperature"),
    ],
)
def test_impossible_weights(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        weights(kinds(3, 3, 3), **settings)


def test_a_sample_is_learned_for_one_task_at_a_time() -> None:
    encode = Encoder(tasks(), tiny.IMAGES, tiny.tokenizer().pad, {"vqa": 3.0, "retrieve": 1.0})
    rng = np.random.default_rng(0)
    both, asked, said = kinds(1, 1, 1)
    streams = Counter(tuple(encode(both, rng).rows) for _ in range(400))
    assert streams.keys() == {("vqa",), ("retrieve",)}
    assert streams["vqa",] / 400 == pytest.approx(0.75, abs=0.06)
    assert all(tuple(encode(asked, rng).rows) == ("vqa",) for _ in range(10))
    assert all(tuple(encode(said, rng).rows) == ("retrieve",) for _ in range(10))
    assert set(Encoder(tasks(), tiny.IMAGES, tiny.tokenizer().pad)(both, rng).rows) == {"vqa", "retrieve"}


def test_a_recipe_that_mixes_its_tasks() -> None:
    small = ("data.train_scenes=40", "data.size=32", "image.size=32", "tokenizer.sample=100")
    drawn = ("mix.weights=proportional", "mix.temperature=2")
    for sets, together in ((small, 4), ((*small, *drawn), 1)):
        recipe = load_recipe(sets=[*sets, "train.batch_size=4"]).recipe
        data = build_data(recipe)
        system = build_system(recipe, data)
        loader = system.loader(data.train, workers=0)
        batch = next(loader.iterate()).batch
        rows = sum(len(text.image.unique()) for text in batch.texts.values())
        assert together * len(batch) >= rows >= len(batch) * (1 if together == 1 else 2)
