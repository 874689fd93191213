"""Prompts of few shots, and figures of a writer that answers by rules."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests import checkpoints, tiny
from tests.tasks.oracle import picture
from tuwen.core.batch import PICTURE
from tuwen.core.rooms import build_part
from tuwen.core.sample import Caption, Question, Sample
from tuwen.models.generate import Decoding
from tuwen.models.predictor import Predictor
from tuwen.models.prompts import Prompt, Writer, Written
from tuwen.prep.batches import Encoded, collate
from tuwen.prep.pretrained_tokens import pretrained_tokenizer
from tuwen.report.examples import Examples
from tuwen.tasks import Task, TaskContext

KINDS = ["circle", "star", "cross", "heart", "square"]
SAMPLES = [
    Sample(
        f"{kind} {number}",
        image=picture(10 * place + number + 1),
        captions=(Caption(f"a {kind}", "en", canonical=True),),
        questions=(Question("what is it?", kind, language="en"), Question("这是什么？", "圆形", language="zh")),
        label=kind,
    )
    for number in range(7)
    for place, kind in enumerate(KINDS)
]


def kind_of(part: object) -> str:
    """What a picture shows; nothing, for a grey one."""
    number = int(np.asarray(part)[0, 0, 0]) - 1
    return KINDS[number // 10] if number < 50 and number % 10 < 7 else "nothing"


def task(kind: str, **settings: Any) -> Task:
    return build_part("tasks", {"kind": kind, **settings}, TaskContext(tiny.tokenizer()))


@pytest.fixture
def rule(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Prompt], str]], list[Prompt]]:
    """Let every writer say what a rule makes of its prompt; the list receives the prompts."""

    def follow(say: Callable[[Prompt], str]) -> list[Prompt]:
        seen: list[Prompt] = []

        def generate(self: Writer, prompts: Sequence[Prompt], how: Decoding, stop: Sequence[str] = ()) -> list[Written]:
            seen.extend(prompts)
            return [Written(say(prompt).split(stop[0])[0] if stop else say(prompt), 0.0, 1, True) for prompt in prompts]

        monkeypatch.setattr(Writer, "generate", generate)
        monkeypatch.setattr(Writer, "length", lambda self, prompt: 1)
        return seen

    return follow


def predictor() -> Predictor:
    return tiny.predictor(
        tiny.model(language={"kind": "gpt", "width": 24, "depth": 1, "heads": 2}, prefix={"tokens": 1})
    )


def look_up(prompt: Prompt) -> str:
    """The word that was told of a picture like the last one; what it shows, where no word is told."""
    asked = [part for part in prompt if not isinstance(part, str)]
    if not asked:
        return "dax"
    last = kind_of(asked[-1])
    if prompt[-1] == "shows":
        return f"a {last}. and more"
    told = {kind_of(one): str(two) for one, two in pairwise(prompt[:-2]) if not isinstance(one, str)}
    return told[last].removeprefix("this is a ") if len(asked) > 1 and last != "nothing" else "?"


def test_who_looks_at_the_pictures_binds_and_who_cannot_does_not(rule: Any) -> None:
    seen = rule(look_up)
    page = Examples().split("tasks")
    short = {"ways": [2, 3], "shots": [0, 1], "episodes": 40, "words": ["dax", "wug", "fep"], "behind": 2}
    found = task("fast_binding", **short).evaluate(predictor(), SAMPLES, SAMPLES, page)
    assert found["2_way_1_shot"] == found["3_way_1_shot"] == 1
    assert found["2_way_0_shot"] == found["2_way_1_shot_blind_floor"] == 0
    assert found["named_alone"] == found["named_in_company"] == 1
    assert 0 < found["2_way_1_shot_in_words"] < 1
    assert page.tallies["fast_binding"]["3_way_1_shot"].right == 40
    sizes = {sum(not isinstance(part, str) for part in prompt) for prompt in seen}
    assert sizes == {0, 1, 3, 4}, (
        "the words alone; one picture; two or three told with one asked, two before a named one"
    )


def test_the_page_shows_prompts_with_their_pictures_in_place(rule: Any) -> None:
    """A wrong word comes with how likely each of the episode's words was."""
    rule(lambda prompt: "dax." if len(prompt) > 2 else "?")
    page = Examples().split("tasks")
    found = task("fast_binding", ways=[2], shots=[1], episodes=12, words=["dax", "wug", "fep"]).evaluate(
        predictor(), SAMPLES, SAMPLES, page
    )
    assert 0 < found["2_way_1_shot"] < 1
    assert len({one.right for one in page.prompts}) == 2
    for one in page.prompts:
        assert [piece.picture is None for piece in one.pieces] == [False, True] * 3
        assert one.pieces[-1].words == "this is a"
        assert one.right == (one.answer == "dax") == (one.prediction == "dax") == (not one.scores)
        assert one.right or one.answer in {word for word, _ in one.scores}
        assert [score for _, score in one.scores] == sorted((score for _, score in one.scores), reverse=True)


def test_an_episode_by_hand(rule: Any) -> None:
    """Every kind that is told has another word and as many pictures as shots, none of them the one that is asked."""
    seen = rule(look_up)
    asked = task("fast_binding", ways=[3], shots=[2], repeats=2, episodes=10, words=["dax", "wug", "fep"])
    found = asked.evaluate(predictor(), SAMPLES, SAMPLES, Examples().split("tasks"))
    assert found["3_way_2_shot"] == 1
    prompts = [prompt for prompt in seen if sum(not isinstance(part, str) for part in prompt) == 13]
    told = [prompt for prompt in prompts if all(kind_of(p) != "nothing" for p in prompt if not isinstance(p, str))]
    assert len(told) == 10
    for prompt in told:
        pictures, words = prompt[:-2:2], prompt[1:-2:2]
        assert prompt[-1] == "this is a"
        shown = [int(np.asarray(part)[0, 0, 0]) for part in pictures]
        assert len(set(shown)) == 6
        assert all(shown.count(number) == 2 for number in shown)
        assert int(np.asarray(prompt[-2])[0, 0, 0]) not in shown
        meanings = {(kind_of(part), word) for part, word in zip(pictures, words, strict=True)}
        assert len(meanings) == len({word for _, word in meanings}) == 3


def test_training_tells_captions_behind_their_pictures() -> None:
    tokenizer = tiny.tokenizer()
    asked = task("fast_binding", sentences=["shows {caption}."], together=[2, 4])
    (row,) = asked.encode(SAMPLES[0], np.random.default_rng(0))
    assert row.ids == [PICTURE, *tokenizer.encode("shows"), *tokenizer.encode("a circle.")]
    said = len(tokenizer.encode("a circle."))
    assert row.loss_mask == [False] * (len(row.ids) - said) + [True] * said
    assert asked.together is not None
    assert (asked.together.fewest, asked.together.most, asked.together.start) == (2, 4, (tokenizer.bos,))


def test_captions_that_are_too_long_are_cut_and_every_text_can_be_read() -> None:
    """With learned positions there is nothing to read beyond the language model's length."""
    tokenizer = tiny.tokenizer()
    asked = task("fast_binding", together=[5, 8])
    texts = [f"a {kind} " * 60 if number == 2 else f"a {kind}" for number, kind in enumerate(KINDS * 2)]
    shown = [
        Sample(str(number), image=picture(number), captions=(Caption(text, "en"),)) for number, text in enumerate(texts)
    ]
    rows = [asked.encode(sample, np.random.default_rng(0))[0] for sample in shown]
    assert sum(rows[2].loss_mask or ()) == tokenizer.max_length
    assert asked.together is not None
    seen = predictor()
    for length in (1, 4):
        model = tiny.model(language={"kind": "gpt", "width": 24, "depth": 1, "heads": 2}, prefix={"tokens": length})
        samples = [Encoded(str(n), seen.prepare(picture(n)), {"words": [row]}) for n, row in enumerate(rows)]
        how = replace(asked.together, picture=length)
        batch = collate(samples, tokenizer.pad, together={"words": how})
        with torch.inference_mode():
            found = model(batch).predictions("words")
        assert len(found.targets) == sum(sum(row.loss_mask or ()) for row in rows)


def test_samples_that_are_not_alike_cannot_be_bound() -> None:
    alone = [Sample(str(n), image=picture(n), captions=(Caption("a", "en"),), label=str(n)) for n in range(4)]
    found = task("fast_binding", shots=[1], ways=[2]).evaluate(predictor(), alone, [], Examples().split("tasks"))
    assert "2_way_1_shot" not in found
    assert "named_alone" in found


def test_prompts_that_are_too_long_are_left_out() -> None:
    page = Examples().split("tasks")
    found = task("fast_binding", shots=[1, 5], ways=[5], episodes=4).evaluate(predictor(), SAMPLES, SAMPLES, page)
    assert "5_way_5_shot" not in found
    (note,) = page.notes
    assert note.startswith(
        "not judged, because the prompts are longer than the 81 tokens that the language model reads"
    )
    assert ", 5_way_5_shot, 5_way_5_shot_in_words; train with a higher tokenizer.max_length, or" in note


def test_questions_are_asked_after_examples(rule: Any) -> None:

    def answer(prompt: Prompt) -> str:
        """What the last picture shows, or the caption in its place says."""
        shown = prompt[-2]
        return f"{shown.removeprefix('a ') if isinstance(shown, str) else kind_of(shown)}. more"

    seen = rule(answer)
    page = Examples().split("tasks")
    asked = task("few_shot_vqa", shots=[0, 2], questions=20)
    found = asked.evaluate(predictor(), SAMPLES, SAMPLES[:10], page)
    assert found["0_shot_accuracy"] == found["2_shot_accuracy"] == 1
    assert found["0_shot_accuracy_in_words"] == found["2_shot_accuracy_in_words"] == 1
    assert found["0_shot_accuracy_blind_floor"] == 0
    assert found["count"] == 20
    assert found["majority_floor"] == pytest.approx(4 / 20)
    first = next(prompt for prompt in seen if len(prompt) == 6 and not isinstance(prompt[0], str))
    assert [isinstance(part, str) for part in first] == [False, True] * 3
    example = f"question: what is it? answer: {kind_of(first[0])}."
    assert first[1] == example
    assert first[-1] == "question: what is it? answer:"
    assert page.answers
    assert asked.encode(SAMPLES[0], np.random.default_rng(0)) == []
    alone = asked.evaluate(predictor(), SAMPLES, [], page)
    assert alone == {name: value for name, value in found.items() if not name.startswith("2_shot")}


def test_a_question_is_read_as_the_beginning_of_what_was_told(tmp_path: Path) -> None:
    """Many tokens begin with their space: it belongs to the word, and not to what stands before."""
    checkpoints.gpt2(tmp_path)
    tokenizer = pretrained_tokenizer(str(tmp_path), None)
    spec = {"kind": "fast_binding", "sentences": ["shows {caption}."], "together": [1, 1]}
    (row,) = build_part("tasks", spec, TaskContext(tokenizer)).encode(SAMPLES[0], np.random.default_rng(0))
    assert row.ids == [PICTURE, *tokenizer.piece("shows a circle.")]
    assert row.loss_mask == [False] * (1 + len(tokenizer.piece("shows"))) + [True] * len(tokenizer.piece(" a circle."))
