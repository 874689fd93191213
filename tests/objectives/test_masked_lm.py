"""Which tokens are hidden, how, and what guessing them costs."""

import pytest
import torch

from tests import tiny
from tuwen.core.batch import Batch, TextBatch
from tuwen.core.errors import RecipeError
from tuwen.objectives.masked_lm import MaskedLM
from tuwen.prep.tokens import SPECIAL

TEXTS = [["a red circle and a blue square"], ["一个红色的圆形"], ["x"], [""]]
READS_TEXT = {"mask": {"reads": "text", "classes": "vocabulary"}}
READS_BOTH = {"mask": {"reads": "fused", "classes": "vocabulary"}}


def masked_lm(**settings: object) -> MaskedLM:
    found = tiny.objective({"kind": "masked_lm", **settings})
    assert isinstance(found, MaskedLM)
    return found


def long_text(rows: int, length: int) -> TextBatch:
    """Ordinary tokens between `<bos>` and `<eos>`."""
    ids = torch.randint(len(SPECIAL), len(tiny.tokenizer()), (rows, length), generator=torch.Generator().manual_seed(0))
    ids[:, 0], ids[:, -1] = tiny.tokenizer().bos, tiny.tokenizer().eos
    return TextBatch(ids, torch.ones_like(ids), torch.arange(rows))


@pytest.mark.parametrize("share", [0.01, 0.15, 0.5, 1.0])
def test_so_many_tokens_of_each_text_are_chosen_and_never_a_special_one(share: float) -> None:
    batch, objective = tiny.batch(TEXTS), masked_lm(share=share)
    text = batch.texts["retrieve"]
    words = [[int(token) for token in row if token >= len(SPECIAL)] for row in text.ids]
    quota = [min(len(row), max(1, round(share * len(row)))) for row in words]
    assert quota[-1] == 0
    for seed in range(10):
        torch.manual_seed(seed)
        chosen = objective.choose(text)
        assert chosen.sum(1).tolist() == quota
        assert (text.ids[chosen] >= len(SPECIAL)).all()
    assert objective.count(batch) == sum(quota)


def test_what_stands_behind_the_end_is_never_chosen() -> None:
    objective, text = masked_lm(), tiny.batch(TEXTS).texts["retrieve"]
    other = TextBatch(torch.where(text.attention_mask, text.ids, 99), text.segments, text.image)
    for seed in range(10):
        torch.manual_seed(seed)
        assert not objective.choose(other)[~text.attention_mask].any()


def test_every_token_is_chosen_as_often_as_any_other() -> None:
    objective, text = masked_lm(), long_text(1, 42)
    torch.manual_seed(0)
    often = torch.stack([objective.choose(text)[0] for _ in range(2_000)]).float().mean(0)
    assert often[0] == often[-1] == 0
    assert often.sum().item() == pytest.approx(6)
    torch.testing.assert_close(often[1:-1], torch.full((40,), 0.15), atol=0.03, rtol=0)


def test_of_the_chosen_80_percent_are_masked_10_random_10_kept() -> None:
    objective, text = masked_lm(), long_text(500, 102)
    torch.manual_seed(0)
    chosen = objective.choose(text)
    ids = objective._hide(text.ids, chosen)
    assert torch.equal(ids[~chosen], text.ids[~chosen])
    after, before = ids[chosen], text.ids[chosen]
    count = len(before)
    assert count == 500 * 15
    masked = after == tiny.tokenizer().mask
    kept = after == before
    random = ~masked & ~kept
    assert masked.sum().item() / count == pytest.approx(0.8, abs=0.02)
    assert kept.sum().item() / count == pytest.approx(0.1, abs=0.015)
    assert random.sum().item() / count == pytest.approx(0.1, abs=0.015)
    assert (after[random] >= len(SPECIAL)).all()
    assert len(after[random].unique()) > 200


@pytest.mark.parametrize("heads", [READS_TEXT, READS_BOTH])
def test_the_loss_is_that_of_the_hidden_words_at_their_places(heads: dict[str, object]) -> None:
    model, batch, objective = tiny.model(heads=heads), tiny.batch(TEXTS), masked_lm()
    torch.manual_seed(7)
    loss = objective(model(batch))

    torch.manual_seed(7)
    text = batch.texts["retrieve"]
    chosen = objective.choose(text)
    hidden = Batch(batch.pixels, {"retrieve": TextBatch(objective._hide(text.ids, chosen), text.segments, text.image)})
    forward = model(hidden)
    tokens = (forward.text("retrieve") if heads is READS_TEXT else forward.fused("retrieve")).tokens
    guesses = model.heads["mask"](tokens)
    wanted = sum(-guesses[row, place].log_softmax(-1)[text.ids[row, place]] for row, place in chosen.nonzero().tolist())
    assert isinstance(wanted, torch.Tensor)
    torch.testing.assert_close(loss.sum, wanted, atol=1e-4, rtol=1e-5)
    assert float(loss.count) == objective.count(batch) == chosen.sum().item()
    right = (guesses[chosen].argmax(-1) == text.ids[chosen]).float().mean()
    torch.testing.assert_close(loss.parts["accuracy"], right)
    weights = list(model.parameters())
    for ours, theirs in zip(
        torch.autograd.grad(loss.sum, weights, allow_unused=True),
        torch.autograd.grad(wanted, weights, allow_unused=True),
        strict=True,
    ):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_the_text_that_others_read_stays_whole() -> None:
    model, batch = tiny.model(heads=READS_TEXT), tiny.batch(TEXTS)
    forward = model(batch)
    masked_lm()(forward)
    torch.testing.assert_close(forward.text("retrieve").pooled, model(batch).text("retrieve").pooled)


@pytest.mark.parametrize(("heads", "helps"), [(READS_TEXT, False), (READS_BOTH, True)])
def test_the_picture_helps_where_the_head_reads_it(heads: dict[str, object], helps: bool) -> None:
    model, batch = tiny.model(heads=heads), tiny.batch(TEXTS)
    assert batch.pixels is not None

    def loss(pixels: torch.Tensor) -> float:
        torch.manual_seed(0)
        return masked_lm()(model(Batch(pixels, batch.texts))).sum.item()

    assert (loss(batch.pixels) != loss(batch.pixels.flip(0))) is helps


@pytest.mark.parametrize("fusion", ["add", "mean", "concat"])
def test_a_fusion_without_a_vector_for_each_token_is_refused(fusion: str) -> None:
    model = tiny.model(fusion={"kind": fusion}, heads=READS_BOTH)
    with pytest.raises(RecipeError, match="no vector for each token: use cross_attention, or a head that reads text"):
        masked_lm()(model(tiny.batch(TEXTS)))
