"""Whatever stands in `objectives` says beforehand what it counts, and gives a loss that can be learned from."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from tests import tiny
from tests.conformance.checks import CLOSE, settings
from tuwen.core.batch import Batch, Phrases, TextBatch
from tuwen.core.loss import Loss
from tuwen.core.rooms import names
from tuwen.models.model import VisionLanguageModel
from tuwen.objectives import Objective, Term

KINDS = names("objectives")
TEXTS = [["a red circle", "the large disc on the left"], ["two things", "一个蓝色的方形"], ["b", "c d e"], ["f", "g"]]


@pytest.fixture(params=KINDS)
def objective(request: pytest.FixtureRequest) -> Objective[Any]:
    return tiny.objective(settings("objectives", request.param))


def terms(objective: Objective[Any]) -> list[Term[Any]]:
    return [term for _, term in objective.terms("it").values()]


def batch(objective: Objective[Any]) -> Batch:
    """Four pictures with two texts each, in every stream that the terms read, with all that they may carry."""
    made = tiny.batch(TEXTS, target=[0, 1, None, 3])
    text = made.texts["retrieve"]
    loss_mask = text.attention_mask & (torch.arange(text.ids.shape[1]) > 1)
    whole = replace(text, loss_mask=loss_mask, target=torch.tensor([0, 1, -100, 1, 0, 1, 0, 1]), phrases=phrases(text))
    streams = {getattr(term.config, "stream", None) for term in terms(objective)} - {None}
    assert made.pixels is not None
    return replace(
        made,
        texts={stream: whole for stream in streams if stream is not None},
        tags=torch.tensor([[1, 0, 1], [0, 0, 1], [-100, -100, -100], [1, 1, -100]]),
        views=made.pixels.flip(2),
    )


def phrases(text: TextBatch) -> Phrases:
    """The first word of every text names a thing, and in every other text the rest of the words two."""
    place = torch.arange(text.ids.shape[1])
    of = (place == 1) + 2 * ((place > 1) & text.attention_mask & (torch.arange(len(text.ids)) % 2 == 0)[:, None])
    number = torch.stack([torch.ones(len(of), dtype=torch.int64), torch.where(of.amax(1) == 2, 2, -1)], 1)
    box = torch.tensor([0.1, 0.2, 0.5, 0.4]) + torch.linspace(0, 0.3, len(of))[:, None]
    one, two = torch.stack([box, torch.zeros_like(box)], 1), torch.stack([box, box + 0.1], 1)
    return Phrases(of, number, torch.stack([one, two], 1))


def model(objective: Objective[Any]) -> VisionLanguageModel:
    """A model with the heads that the terms ask for."""
    heads = {getattr(term.config, setting): head for term in terms(objective) for setting, head in term.heads.items()}
    return tiny.model(heads=heads)


def losses(objective: Objective[Any], model: VisionLanguageModel, batch: Batch, seed: int = 0) -> list[Loss]:
    torch.manual_seed(seed)
    forward = model(batch)
    return [term(forward) for term in terms(objective)]


def test_the_count_is_known_beforehand(objective: Objective[Any]) -> None:
    made = batch(objective)
    found = losses(objective, model(objective), made)
    assert objective.count(made) == sum(float(loss.count) for loss in found) > 0
    for term, loss in zip(terms(objective), found, strict=True):
        assert term.count(made) == float(loss.count)


def test_a_batch_without_what_it_reads_counts_nothing(objective: Objective[Any]) -> None:
    made = tiny.batch([["a"], ["b"]], stream="of another")
    assert objective.count(made) == 0
    assert objective.count(Batch()) == 0


def test_the_loss_is_a_finite_scalar_with_parts_to_plot(objective: Objective[Any]) -> None:
    for loss in losses(objective, model(objective), batch(objective)):
        assert loss.sum.shape == ()
        assert loss.sum.isfinite()
        assert loss.sum > 0
        assert all(part.isfinite() and not part.requires_grad and part.shape == () for part in loss.parts.values())


def test_the_encoders_and_the_heads_that_it_names_learn(objective: Objective[Any]) -> None:
    whole = model(objective).train()
    for term, loss in zip(terms(objective), losses(objective, whole, batch(objective)), strict=True):
        whole.zero_grad()
        loss.mean.backward()
        touched = {
            name.partition(".")[0] for name, p in whole.named_parameters() if p.grad is not None and p.grad.any()
        }
        assert touched & {"image_tower", "text_tower", "language"}
        for setting in term.heads:
            head = whole.heads[getattr(term.config, setting)]
            assert all(p.grad is not None and p.grad.any() for p in head.parameters())
        for name, weight in whole.named_parameters():
            assert weight.grad is None or weight.grad.isfinite().all(), name


def test_whoever_asks_first_all_get_the_same_gradients(objective: Objective[Any]) -> None:
    """A pass that another reader has looked at without gradients is as good as a new one."""
    whole, made = model(objective), batch(objective)

    def gradients(peep: bool) -> list[torch.Tensor | None]:
        whole.zero_grad()
        torch.manual_seed(0)
        forward = whole(made)
        if peep:
            with torch.no_grad():
                for term in terms(objective):
                    torch.manual_seed(0)
                    term(forward)
        torch.manual_seed(0)
        torch.stack([term(forward).sum for term in terms(objective)]).sum().backward()
        return [parameter.grad for parameter in whole.parameters()]

    for alone, shared in zip(gradients(peep=False), gradients(peep=True), strict=True):
        assert (alone is None) == (shared is None)
        assert alone is None or torch.equal(alone, shared)


def test_randomness_comes_from_pytorchs_generator(objective: Objective[Any]) -> None:
    whole, made = model(objective), batch(objective)
    one, same = (losses(objective, whole, made, seed=5) for _ in range(2))
    assert all(torch.equal(first.sum, second.sum) for first, second in zip(one, same, strict=True))


def is_random(objective: Objective[Any], whole: VisionLanguageModel, made: Batch) -> bool:
    sums = {tuple(float(loss.sum.detach()) for loss in losses(objective, whole, made, seed)) for seed in range(4)}
    return len(sums) > 1


def wider(text: TextBatch, by: int) -> TextBatch:
    """The same texts with more padding."""
    pad = torch.nn.functional.pad
    return replace(
        text,
        ids=pad(text.ids, (0, by), value=tiny.tokenizer().pad),
        segments=pad(text.segments, (0, by)),
        loss_mask=None if text.loss_mask is None else pad(text.loss_mask, (0, by)),
        phrases=None if text.phrases is None else replace(text.phrases, of=pad(text.phrases.of, (0, by))),
    )


def reordered(made: Batch, order: list[int]) -> Batch:
    """The same pictures, each with its two texts, in another order."""
    assert made.pixels is not None
    assert made.target is not None
    assert made.tags is not None
    assert made.views is not None
    rows = torch.tensor([2 * picture + text for picture in order for text in (0, 1)])

    def change(text: TextBatch) -> TextBatch:
        assert text.loss_mask is not None
        assert text.target is not None
        assert text.phrases is not None
        return replace(
            text,
            ids=text.ids[rows],
            segments=text.segments[rows],
            loss_mask=text.loss_mask[rows],
            target=text.target[rows],
            phrases=text.phrases.map(lambda tensor: tensor[rows]),
        )

    texts = {name: change(text) for name, text in made.texts.items()}
    pictures = {name: getattr(made, name)[order] for name in ("pixels", "target", "tags", "views")}
    return replace(made, **pictures, texts=texts)


def test_padding_and_the_order_of_the_samples_do_not_matter(objective: Objective[Any]) -> None:
    """For random objectives the counts do not."""
    whole, made = model(objective), batch(objective)
    padded = replace(made, texts={name: wider(text, 5) for name, text in made.texts.items()})
    shuffled = reordered(made, [2, 0, 3, 1])
    assert objective.count(made) == objective.count(padded) == objective.count(shuffled)
    if not is_random(objective, whole, made):
        for other in (padded, shuffled):
            for before, after in zip(losses(objective, whole, made), losses(objective, whole, other), strict=True):
                torch.testing.assert_close(after.sum, before.sum, **CLOSE)
