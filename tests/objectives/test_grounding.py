"""Grounding against a loop over the phrases in float64, values and gradients."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests import tiny
from tests.objectives.given import assert_same
from tuwen.core.batch import Batch, Phrases
from tuwen.core.errors import DataError, RecipeError
from tuwen.models.model import VisionLanguageModel

HEADS = {"phrases": {"reads": "fused", "classes": 26}}
TEXTS = [["a red circle", "the large disc on the left"], ["two things", "nothing"]]
CIRCLE, STAR = (0.1, 0.2, 0.5, 0.4), (0.5, 0.6, 0.7, 0.9)
NAMED: list[list[list[tuple[float, ...]] | None]] = [
    [[CIRCLE], [STAR]],  # one thing beside another
    [[STAR], []],  # one, and one that is not there
    [[CIRCLE, STAR], [CIRCLE]],  # two, and one of them
    [None, None],
]
"""Of each text's first and second phrase, the things; None where there is no such phrase."""


def batch() -> Batch:
    made = tiny.batch(TEXTS, stream="vqa")
    text = made.texts["vqa"]
    length = text.attention_mask.sum(1, keepdim=True)
    place = torch.arange(text.ids.shape[1])
    named = torch.tensor([[of is not None for of in row] for row in NAMED])
    of = ((place == 1) | (place == 2)) * named[:, :1] + 2 * ((place > 2) & (place < length)) * named[:, 1:]
    number = torch.tensor([[-1 if of is None else len(of) for of in row] for row in NAMED])
    boxes = torch.zeros(len(NAMED), 2, 2, 4)
    for row, phrase in ((row, phrase) for row in range(len(NAMED)) for phrase in range(2)):
        for thing, box in enumerate(NAMED[row][phrase] or []):
            boxes[row, phrase, thing] = torch.tensor(box)
    return replace(made, texts={"vqa": replace(text, phrases=Phrases(of.long(), number, boxes))})


def centred(box: tuple[float, ...]) -> Tensor:
    x0, y0, x1, y1 = torch.tensor(box, dtype=torch.float32).double()
    return torch.stack([(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0])


def cost(errors: Tensor) -> Tensor:
    """Half the square of an error up to 1, and its size less a half beyond; summed."""
    return torch.stack([e.square() / 2 if e.abs() < 1 else e.abs() - 0.5 for e in errors]).sum()


def by_hand(model: VisionLanguageModel, made: Batch, tolerance: float) -> Tensor:
    text = made.texts["vqa"]
    assert text.phrases is not None
    tokens = model(made).fused("vqa").tokens
    losses = []
    for row, named in enumerate(NAMED):
        first = named[0]
        for phrase, things in enumerate(named):
            if things is None or first is None:
                continue
            own = tokens[row, text.phrases.of[row] == phrase + 1]
            for token in own:
                told = model.head("phrases")(token)
                parts = [-told[:5].log_softmax(0)[len(things)]]
                for number, thing in enumerate(things):
                    parts.append(cost((told[5 + 4 * number : 9 + 4 * number] - centred(thing)) / tolerance))
                if phrase and len(things) == len(first) == 1:
                    (here, size), (there, other) = centred(things[0]).split(2), centred(first[0]).split(2)
                    offset = torch.cat([here - there, (size / other).log()])
                    parts.append(cost((told[21:25] - offset) / tolerance))
                if phrase:
                    parts.append(cost((told[25:] - (len(things) - len(first))) / (2 * tolerance)))
                losses.append(torch.stack(parts).sum() / len(own))
    return torch.stack(losses).sum()


@pytest.mark.parametrize("tolerance", [0.1, 1.0])
def test_it_is_the_loop(tolerance: float) -> None:
    model, made = tiny.model(heads=HEADS).double(), batch()
    objective = tiny.objective({"kind": "grounding", "tolerance": tolerance})
    loss, wanted = objective(model(made)), by_hand(model, made, tolerance)
    assert loss.sum.dtype == torch.float64
    assert objective.count(made) == float(loss.count) == 6
    assert_same(loss.sum, wanted, list(model.parameters()))


def test_what_is_told_rightly_costs_nothing_and_is_counted() -> None:
    """By hand: a head that always says `one thing, in this box`, with a logit of 3 against four of 0."""
    model, made = tiny.model(heads=HEADS), batch()
    (linear,) = (part for part in model.head("phrases").modules() if isinstance(part, torch.nn.Linear))
    with torch.no_grad():
        linear.weight.zero_()
        linear.bias.zero_()
        linear.bias[1] = 3
        linear.bias[5:9] = centred(CIRCLE)
    text = made.texts["vqa"]
    assert text.phrases is not None
    of = (text.phrases.of == 1) * (torch.arange(4) == 0)[:, None]
    alone = replace(text.phrases, of=of.long(), number=torch.tensor([[1, -1], [-1, -1], [-1, -1], [-1, -1]]))
    loss = tiny.objective({"kind": "grounding"})(model(replace(made, texts={"vqa": replace(text, phrases=alone)})))
    assert loss.sum.item() == pytest.approx(0.1816, abs=1e-4)  # log(1 + 4 / e³)
    assert (loss.parts["number"].item(), loss.parts["pointing"].item()) == (1, 1)


def test_texts_that_do_not_say_where_things_are_give_nothing() -> None:
    made, objective = tiny.batch(TEXTS, stream="vqa"), tiny.objective({"kind": "grounding"})
    assert objective.count(made) == 0
    with pytest.raises(DataError, match=r"'vqa' do not say which of their words name things"):
        objective(tiny.model(heads=HEADS)(made))


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ({"reads": "fused", "classes": 10}, r"model\.heads\.phrases: grounding reads 26 numbers; say `classes: 26`"),
        ({"reads": "text", "classes": 26}, r"model\.heads\.phrases: .* behind the fusion; say `reads: fused`"),
    ],
)
def test_a_head_that_does_not_fit_is_refused(head: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        tiny.objective({"kind": "grounding"})(tiny.model(heads={"phrases": head})(batch()))
