"""The source: contract, splits, determinism, settings."""

from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from itertools import product
from random import Random

import numpy as np
import pytest

from tuwen.core.errors import RecipeError
from tuwen.core.rooms import build_part, names
from tuwen.core.sample import Sample, Source
from tuwen.data.scenes import COLOURS, LANGUAGES, SHAPES, Config, Scenes, build, class_names, class_prompts


@pytest.fixture(scope="module")
def splits() -> dict[str, Scenes]:
    return build(Config())


def same(one: Sample, other: Sample) -> bool:
    texts = all(
        getattr(one, name) == getattr(other, name) for name in ("key", "captions", "questions", "label", "boxes")
    )
    return texts and np.array_equal(one.image, other.image)


def digest(source: Scenes, count: int) -> str:
    found = hashlib.sha256()
    for index in range(count):
        sample = source[index]
        found.update(sample.image.tobytes())
        found.update(repr((sample.key, sample.captions, sample.questions, sample.label, sample.boxes)).encode())
    return found.hexdigest()


def test_it_is_a_part_and_a_source(splits: dict[str, Scenes]) -> None:
    assert "scenes" in names("data")
    assert list(splits) == ["train", "test", "held_out"]
    assert all(isinstance(source, Source) for source in splits.values())
    assert len(splits["train"]) == 1_000_000
    assert len(splits["test"]) == len(splits["held_out"]) == 2_000


@pytest.mark.parametrize("size", [32, 64, 97, 224])
def test_pictures_have_the_size_asked_for(size: int) -> None:
    image = build(Config(size=size))["train"][3].image
    assert image.shape == (size, size, 3)
    assert image.dtype == np.uint8
    assert image.flags["C_CONTIGUOUS"]


def test_a_scene_is_a_function_of_its_number(splits: dict[str, Scenes]) -> None:
    for name, source in splits.items():
        again = build(Config())[name]
        assert all(same(source[index], again[index]) for index in (7, 0, 3, 7))
        assert source[5].key == f"scenes/{name}/5"
        assert same(source[5], pickle.loads(pickle.dumps(source))[5])


def test_another_process_draws_the_same(splits: dict[str, Scenes]) -> None:
    code = (
        "import hashlib\nfrom tuwen.data.scenes import Config, build\nsource = build(Config())['train']\n"
        "found = hashlib.sha256()\n"
        "for index in range(20):\n"
        "    sample = source[index]\n"
        "    found.update(sample.image.tobytes())\n"
        "    texts = (sample.key, sample.captions, sample.questions, sample.label, sample.boxes)\n"
        "    found.update(repr(texts).encode())\n"
        "print(found.hexdigest())"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == digest(splits["train"], 20)


def test_seeds_and_splits_draw_different_scenes(splits: dict[str, Scenes]) -> None:
    other = build(Config(seed=1))
    drawn = [source.scene(index) for source in (*splits.values(), *other.values()) for index in range(50)]
    assert len(set(drawn)) == len(drawn)
    assert other["train"].held_out_pairs != splits["train"].held_out_pairs


def test_texts_do_not_change_the_scene() -> None:
    plain = build(Config(paraphrases=0, questions=0, languages=("zh",)))["train"]
    rich = build(Config(paraphrases=3, questions=5))["train"]
    assert all(plain.scene(index) == rich.scene(index) for index in range(30))
    assert all(np.array_equal(plain[index].image, rich[index].image) for index in range(5))


def test_reading_past_the_end_ends(splits: dict[str, Scenes]) -> None:
    short = build(Config(train_scenes=3))["train"]
    assert [sample.key for sample in short] == [f"scenes/train/{index}" for index in range(3)]
    for index in (3, -1):
        with pytest.raises(IndexError, match="there are 3"):
            short[index]


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("holdout", [1 / 6, 0.2, 0.5])
def test_held_out_pairs_leave_every_colour_and_shape_many_partners(seed: int, holdout: float) -> None:
    pairs = build(Config(seed=seed, holdout=holdout))["train"].held_out_pairs
    assert len(pairs) >= holdout * len(COLOURS) * len(SHAPES)
    assert pairs <= set(product(COLOURS, SHAPES))
    for values, at in ((COLOURS, 0), (SHAPES, 1)):
        lost = Counter(pair[at] for pair in pairs)
        spread = [lost[value] for value in values]
        assert max(spread) - min(spread) <= 1


def test_splits_keep_to_their_pairs(splits: dict[str, Scenes]) -> None:
    held_out = splits["train"].held_out_pairs
    for name in ("train", "test"):
        shown = {thing.pair for index in range(1500) for thing in splits[name].scene(index).things}
        assert shown == set(product(COLOURS, SHAPES)) - held_out
    shown = set()
    for index in range(1500):
        pairs = {thing.pair for thing in splits["held_out"].scene(index).things}
        assert pairs & held_out
        shown |= pairs
    assert shown == set(product(COLOURS, SHAPES))


def test_nothing_held_out_is_no_such_split() -> None:
    splits = build(Config(holdout=0))
    assert list(splits) == ["train", "test"]
    assert splits["train"].held_out_pairs == frozenset()
    assert {thing.pair for index in range(2000) for thing in splits["train"].scene(index).things} == set(
        product(COLOURS, SHAPES)
    )


def test_attributes_are_spread_evenly(splits: dict[str, Scenes]) -> None:
    scenes = [splits["train"].scene(index) for index in range(6000)]
    numbers = Counter(len(scene.things) for scene in scenes)
    assert sorted(numbers) == [1, 2, 3]
    assert all(0.3 < number / 6000 < 0.37 for number in numbers.values())
    for which, values in enumerate((2, len(COLOURS), 4, len(SHAPES))):
        found = Counter(thing.attributes[which] for scene in scenes for thing in scene.things)
        assert len(found) == values
        assert all(0.8 < number * values / found.total() < 1.2 for number in found.values())


def test_one_to_four_things(splits: dict[str, Scenes]) -> None:
    source = build(Config(objects=(4, 4)))["train"]
    assert all(len(source.scene(index).things) == 4 for index in range(50))
    assert all(len(build(Config(objects=(1, 1)))["held_out"].scene(index).things) == 1 for index in range(50))


def test_texts_come_as_asked_for() -> None:
    for languages in (("en",), ("zh",), ("zh", "en")):
        sample = build(Config(languages=languages, paraphrases=2, questions=3))["train"][4]
        assert [caption.language for caption in sample.captions if caption.canonical] == list(languages)
        assert Counter(caption.language for caption in sample.captions) == dict.fromkeys(languages, 3)
        assert Counter(question.language for question in sample.questions) == dict.fromkeys(languages, 3)
    silent = build(Config(paraphrases=0, questions=0))["train"][4]
    assert all(caption.canonical for caption in silent.captions)
    assert silent.questions == ()


def test_a_single_thing_has_a_class(splits: dict[str, Scenes]) -> None:
    english, chinese = class_names("en"), class_names("zh")
    assert len(set(english)) == len(set(chinese)) == len(COLOURS) * len(SHAPES)
    assert chinese[english.index("red circle")] == "红色的圆形"
    assert class_prompts("en")[english.index("orange star")] == "an orange star"
    assert class_prompts("zh")[english.index("red circle")] == "一个红色的圆形"
    labelled = 0
    for index in range(200):
        sample, things = splits["train"][index], splits["train"].scene(index).things
        assert (sample.label is None) == (len(things) > 1)
        if sample.label:
            assert sample.label == f"{things[0].attributes.colour} {things[0].attributes.shape}"
            assert sample.label in english
            labelled += 1
    assert labelled > 40


def test_a_changed_scene_can_be_shown_and_told(splits: dict[str, Scenes]) -> None:
    source = splits["train"]
    scene = next(scene for scene in map(source.scene, range(100)) if len(scene.things) == 2)
    left, right = scene.things
    swapped = replace(scene, things=(right.moved(left.x - right.x, 0), left.moved(right.x - left.x, 0)))
    sample = source.sample("swapped", swapped, Random(0))
    assert sample.key == "swapped"
    assert sample.captions[0].text == LANGUAGES["en"].caption((right, left))
    assert not np.array_equal(sample.image, source.render(scene))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"objects": [3, 1]}, "data.objects: give the fewest things first"),
        ({"objects": [1, 9]}, "data.objects.1: input should be less than or equal to 4"),
        ({"languages": ["fr"]}, "data.languages.0"),
        ({"languages": ["en", "en"]}, "name each language once"),
        ({"holdout": 0.9}, "data.holdout"),
        ({"size": 8}, "data.size"),
        ({"sise": 8}, "Did you mean 'size'"),
    ],
)
def test_bad_settings_are_explained(settings: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message.replace(".", r"\.")):
        build_part("data", {"kind": "scenes", **settings}, where="data")
