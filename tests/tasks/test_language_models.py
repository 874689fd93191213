"""What the tasks of pretraining on text measure, against loops."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests import tiny
from tuwen.core.batch import Row
from tuwen.core.rooms import build_part
from tuwen.core.sample import Caption, Sample
from tuwen.language import causal_mask, positions_in
from tuwen.prep.batches import Encoded
from tuwen.prep.tokens import Tokenizer
from tuwen.report.examples import Examples
from tuwen.tasks import Task, TaskContext

TEXTS = ["a red circle", "two things, one of them blue", "一个红色的圆形", "x" * 300]
SAMPLES = [Sample(text, captions=(Caption(text, whole=number != 1),)) for number, text in enumerate(TEXTS)]


def task(kind: str) -> Task:
    return build_part("tasks", {"kind": kind}, TaskContext(tiny.tokenizer()))


def test_rows_end_where_their_text_does() -> None:
    tokenizer = tiny.tokenizer()
    rows = [task("causal_lm").encode(sample, None)[0] for sample in SAMPLES]  # type: ignore[arg-type]
    assert all(row.ids[0] == tokenizer.bos for row in rows)
    assert [row.ids[-1] == tokenizer.eos for row in rows] == [True, False, True, False]
    assert len(rows[3].ids) == tokenizer.max_length - 1
    assert all(row.loss_mask == [False] + [True] * (len(row.ids) - 1) for row in rows)


@pytest.mark.parametrize(("before", "behind"), [((), ()), ((1,), ()), ((), (2,)), ((3, 1), (4,))])
def test_rows_begin_and_end_whatever_a_tokenizer_puts_around_a_text(
    before: tuple[int, ...], behind: tuple[int, ...]
) -> None:
    """As GPT-2's (nothing), Llama's (no end) and T5's (no beginning), and one whose marks are others than the end."""
    plain = tiny.tokenizer()
    tokenizer = Tokenizer(plain.backend, 12, replace(plain.marks, before=before, behind=behind))
    asked = build_part("tasks", {"kind": "causal_lm"}, TaskContext(tokenizer))
    begins = before or (tokenizer.eos,)
    room = 12 - len(begins) - 1

    def row(text: str, whole: bool = True) -> Row:
        (found,) = asked.encode(Sample("", captions=(Caption(text, whole=whole),)), None)
        assert found.loss_mask == [False] * len(begins) + [True] * (len(found.ids) - len(begins))
        assert found.ids[: len(begins)] == list(begins)
        return found

    words = tokenizer.encode("a red circle")
    assert row("a red circle").ids == [*begins, *words, tokenizer.eos]
    assert row("a red circle", whole=False).ids == [*begins, *words]
    one = next(text for text in ("a", "red") if len(tokenizer.encode(text)) == 1)
    fits = " ".join([one] * room)
    assert row(fits).ids == [*begins, *tokenizer.encode(fits), tokenizer.eos]
    assert row(f"{fits} {one}").ids == row(fits).ids[:-1]


@torch.inference_mode()
def test_nats_a_character_by_a_loop_over_tokens() -> None:
    model = tiny.model(image=None, text=None, fusion=None, embedding=None)
    assert model.language is not None
    asked, tokenizer = task("causal_lm"), tiny.tokenizer()
    nats, tokens, characters = 0.0, 0, 0
    for sample in SAMPLES:
        ids = asked.encode(sample, None)[0].ids  # type: ignore[arg-type]
        for place in range(1, len(ids)):
            ones = torch.ones(1, place, dtype=torch.int64)
            embeddings = model.language.embed(torch.tensor([ids[:place]]))
            hidden = model.language(embeddings, positions_in(ones), causal_mask(ones))[0, -1]
            nats -= model.language.logits(hidden).log_softmax(-1)[ids[place]].item()
        tokens += len(ids) - 1
        characters += len(tokenizer.decode(ids))
    found = asked.evaluate(tiny.predictor(model, batch_size=3), SAMPLES, SAMPLES[:2], Examples().split("tasks"))
    assert found["nats_per_character"] == pytest.approx(nats / characters, rel=1e-4)
    assert found["perplexity"] == pytest.approx(math.exp(nats / tokens), rel=1e-4)
    assert found["count"] == 4


def test_frequency_alone_by_hand() -> None:
    """Training has a, a, b. Of a and b, with one more of each: a 3/5, b 2/5."""
    training, unseen = (Sample(text, captions=(Caption(text),)) for text in ("aab", "ab"))
    model = tiny.model(image=None, text=None, fusion=None, embedding=None)
    found = task("causal_lm").evaluate(tiny.predictor(model), [unseen], [training], Examples().split("tasks"))
    assert found["nats_per_character_unigram_floor"] == pytest.approx(-(math.log(3 / 5) + math.log(2 / 5)) / 2)
    without = task("causal_lm").evaluate(tiny.predictor(model), [unseen], [], Examples().split("tasks"))
    assert without == {name: value for name, value in found.items() if "floor" not in name}


def test_hidden_tokens_are_guessed_by_the_head() -> None:
    """A model whose head always says one token is right as often as that token was hidden."""
    model = tiny.model(heads={"mask": {"reads": "text", "classes": "vocabulary"}})
    tokenizer = tiny.tokenizer()
    words = [Caption(" ".join(["circle"] * 7 + ["red"] * 3)) for _ in range(40)]
    samples = [Sample(str(number), captions=(word,)) for number, word in enumerate(words)]
    circle, red = tokenizer.encode("circle red")
    with torch.no_grad():
        last = model.heads["mask"][-1]
        last.weight.zero_()
        last.bias.zero_()
        last.bias[circle] = 9.0
    found = task("masked_lm").evaluate(tiny.predictor(model), samples, samples, Examples().split("tasks"))
    assert found["count"] == 40 * 2
    assert found["masked_accuracy"] == found["masked_accuracy_majority_floor"]
    assert 0.55 < found["masked_accuracy"] < 0.85
    total = math.log(math.exp(9) + len(tokenizer) - 1)
    share = found["masked_accuracy"]
    assert math.log(found["masked_perplexity"]) == pytest.approx(total - 9 * share, rel=1e-5)
    assert Counter(tokenizer.encode(words[0].text)) == {circle: 7, red: 3}
    without = task("masked_lm").evaluate(tiny.predictor(model), samples, [], Examples().split("tasks"))
    assert without == {name: value for name, value in found.items() if "floor" not in name}


def test_a_head_that_reads_both_is_judged_with_the_pictures() -> None:
    """Against the forward pass of each text with its picture; a text without one is left out."""
    model = tiny.model(heads={"mask": {"reads": "fused", "classes": "vocabulary"}})
    predictor, masked = tiny.predictor(model), task("masked_lm")
    rng = np.random.default_rng(1)
    samples = [
        replace(sample, image=rng.integers(0, 255, (32, 32, 3), dtype=np.uint8) if number else None)
        for number, sample in enumerate(SAMPLES[:3])
    ]
    found = masked.evaluate(predictor, samples, [], Examples().split("tasks"))
    tokenizer, rng, nats, count = tiny.tokenizer(), np.random.default_rng(0), 0.0, 0
    for sample in samples[1:]:
        (row,) = masked.encode(sample, rng)
        places = masked._choose(row.ids, rng)  # type: ignore[attr-defined]
        ids = [tokenizer.mask if place in places else token for place, token in enumerate(row.ids)]
        assert sample.image is not None
        with predictor.inference():
            forward = predictor.forward([Encoded("", predictor.prepare(sample.image), {"one": [Row(ids)]})])  # type: ignore[arg-type]
            guesses = model.heads["mask"](forward.fused("one").tokens)[0].log_softmax(-1)
        nats -= sum(float(guesses[place, row.ids[place]]) for place in places)
        count += len(places)
    assert found["count"] == count
    assert found["masked_perplexity"] == pytest.approx(math.exp(nats / count), rel=1e-4)
