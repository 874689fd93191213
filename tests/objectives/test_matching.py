"""True pairs, and false ones that are never true; on few pairs, where chance has no choice, by hand."""

from collections import Counter
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from tests import tiny
from tuwen.core.batch import Batch
from tuwen.core.errors import RecipeError
from tuwen.models.model import VisionLanguageModel
from tuwen.objectives._pairs import positives
from tuwen.objectives.matching import Matching, _draw

HEADS = {"match": {"reads": "fused", "classes": 2}}


def matching(**settings: object) -> Matching:
    found = tiny.objective({"kind": "matching", **settings})
    assert isinstance(found, Matching)
    return found


def pair_logits(model: VisionLanguageModel, batch: Batch, row: int, picture: int) -> torch.Tensor:
    """Of one text with one picture, alone in a batch."""
    text = batch.texts["retrieve"]
    assert batch.pixels is not None
    one = replace(text, ids=text.ids[[row]], segments=text.segments[[row]], image=torch.tensor([0]), rows_per_image=1)
    return model(Batch(batch.pixels[[picture]], {"retrieve": one})).logits("match", "retrieve")[0]


def test_with_two_pairs_the_wrong_ones_are_certain() -> None:
    model = tiny.model(heads=HEADS).double()
    batch = tiny.batch([["a b"], ["c"]])
    asked = [((0, 0), 1), ((1, 1), 1), ((0, 1), 0), ((1, 0), 0), ((1, 0), 0), ((0, 1), 0)]
    found = matching()(model(batch))
    wanted = sum(
        F.cross_entropy(pair_logits(model, batch, *pair)[None], torch.tensor([answer])) for pair, answer in asked
    )
    assert isinstance(wanted, torch.Tensor)
    torch.testing.assert_close(found.mean.double(), wanted / 6, atol=1e-6, rtol=1e-6)
    weights = [parameter for parameter in model.parameters() if parameter.requires_grad]
    ours = torch.autograd.grad(found.mean, weights, allow_unused=True)
    theirs = torch.autograd.grad(wanted / 6, weights, allow_unused=True)
    for mine, hand in zip(ours, theirs, strict=True):
        assert (mine is None) == (hand is None)
        if mine is not None:
            torch.testing.assert_close(mine, hand, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(
    "texts",
    [
        [["a"], ["b"], ["c"], ["d"]],
        [["a", "b"], ["c", "d"], ["a", "e"], ["f", "c"]],
        [["a"], ["a"], ["a"], ["b"]],
        [["a"], [], ["b", "c", "d"], ["a"]],
    ],
)
def test_a_wrong_pair_is_never_a_right_one(texts: list[list[str]]) -> None:
    model, batch = tiny.model(heads=HEADS), tiny.batch(texts)
    text = batch.texts["retrieve"]
    right = positives(text, 4)
    objective = matching()
    for seed in range(20):
        torch.manual_seed(seed)
        picture, other, usable = objective._hard_negatives(model(batch))
        assert usable.all()
        assert not right[torch.arange(len(right)), picture].any()
        assert not right[other, text.image].any()


def test_what_has_no_partner_is_no_wrong_partner() -> None:
    """A picture without a text, and a text without a picture: nobody said that they do not fit."""
    model, batch = tiny.model(heads=HEADS), tiny.batch([["a"], [], ["b"], ["c"]])
    text = batch.texts["retrieve"]
    unpaired = replace(batch, texts={"retrieve": replace(text, image=torch.tensor([0, 2, -1]), rows_per_image=None)})
    objective = matching()
    assert objective.count(unpaired) == 2
    for seed in range(20):
        torch.manual_seed(seed)
        picture, other, usable = objective._hard_negatives(model(unpaired))
        assert usable.tolist() == [True, True, False]
        assert picture[:2].tolist() == [2, 0]
        assert other[:2].tolist() == [1, 0]
    torch.manual_seed(0)
    paired = objective(model(tiny.batch([["a"], [], ["b"]])))
    torch.testing.assert_close(objective(model(unpaired)).mean, paired.mean)


@pytest.mark.parametrize("texts", [[["a"]], [["a"], ["a"], ["a"]], [["a", "b", "c"]], [["a", "a"], ["a", "a"]]])
def test_where_no_pair_is_wrong_only_true_ones_are_asked(texts: list[list[str]]) -> None:
    model, batch = tiny.model(heads=HEADS).train(), tiny.batch(texts)
    loss = matching()(model(batch))
    rows = len(batch.texts["retrieve"].ids)
    own = model(batch).logits("match", "retrieve")
    wanted = F.cross_entropy(own, torch.ones(rows, dtype=torch.int64), reduction="sum") / 3
    torch.testing.assert_close(loss.sum, wanted)
    assert float(loss.count) == rows
    assert loss.parts["accuracy"].item() == pytest.approx((own.argmax(-1) == 1).float().mean().item())
    loss.mean.backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_only_a_share_is_asked_and_the_others_still_serve_as_wrong_ones() -> None:
    model = tiny.model(heads=HEADS)
    batch = tiny.batch([["a"], ["b"], ["c"], ["d"], ["e"]])
    seen: list[int] = []
    model.heads["match"].register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0])))
    for share, asked in [(0.2, 1), (0.21, 2), (0.5, 3), (1.0, 5)]:
        objective = matching(share=share)
        assert objective.count(batch) == asked
        assert float(objective(model(batch)).count) == asked
        assert seen.pop() == 3 * asked
    first = matching(share=0.2)
    drawn: Counter[int] = Counter()
    for seed in range(60):
        torch.manual_seed(seed)
        drawn.update(first._hard_negatives(model(batch))[1][:1].tolist())
    assert set(drawn) == {1, 2, 3, 4}


def test_wrong_ones_are_drawn_in_proportion_to_their_softmax() -> None:
    torch.manual_seed(0)
    logits = torch.tensor([[0.0, 1.0, float("-inf"), 2.0]]).expand(20_000, -1)
    drawn = _draw(logits, torch.ones(20_000, dtype=torch.bool))
    shares = drawn.bincount(minlength=4) / 20_000
    torch.testing.assert_close(shares, logits[0].softmax(-1), atol=0.01, rtol=0)
    assert shares[2] == 0


def test_the_towers_learn_though_the_wrong_pairs_are_drawn_without_gradients() -> None:
    """Alone, and whether it comes before or after another objective that reads the same encodings."""
    model, batch = tiny.model(heads=HEADS), tiny.batch([["a"], ["b"], ["c"]])
    contrastive = tiny.objective({"kind": "contrastive"})

    def gradients(*objectives: object) -> dict[str, torch.Tensor]:
        model.zero_grad()
        forward = model(batch)
        losses = {}
        for objective in objectives:
            torch.manual_seed(0)
            assert callable(objective)
            losses[objective] = objective(forward).mean
        torch.stack([losses[objective] for objective in sorted(losses, key=id)]).sum().backward()
        return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}

    alone = gradients(matching())
    assert {name.partition(".")[0] for name in alone} == {"image_tower", "text_tower", "fusion", "heads"}
    objective = matching()
    before, after = gradients(objective, contrastive), gradients(contrastive, objective)
    assert before.keys() == after.keys() > alone.keys()
    for name in before:
        torch.testing.assert_close(before[name], after[name])


def test_without_a_space_to_compare_in_it_says_so() -> None:
    model = tiny.model(embedding=None, heads=HEADS)
    with pytest.raises(RecipeError, match=r"set model\.embedding"):
        matching()(model(tiny.batch([["a"], ["b"]])))
