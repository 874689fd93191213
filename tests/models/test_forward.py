"""One pass for all who ask: each encoding is made once, and packing and sharing change no number."""

from collections import Counter
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from tests import tiny
from tuwen.core.batch import PICTURE, Batch, Row
from tuwen.core.errors import DataError, RecipeError
from tuwen.language import causal_mask, positions_in
from tuwen.models.forward import Forward
from tuwen.models.model import VisionLanguageModel
from tuwen.prep.batches import Encoded, Together, collate
from tuwen.recipe.step import Step

CLOSE = {"atol": 1e-5, "rtol": 1e-5}
HEADS = {
    "label": {"reads": "image", "classes": 4},
    "mood": {"reads": "text", "classes": 3, "hidden": 8, "dropout": 0.5},
    "match": {"reads": "fused", "classes": 2},
    "mask": {"reads": "fused", "classes": "vocabulary"},
}


def calls(model: VisionLanguageModel) -> Counter[str]:
    """How often each part is run from now on."""
    counts: Counter[str] = Counter()
    for name, part in model.named_children():
        part.register_forward_hook(lambda *_, name=name: counts.update([name]))
    return counts


def words(prompt: str, answer: str) -> Row:
    """A text to read and a text to say."""
    asked, said = tiny.tokenizer().prompt(prompt), tiny.tokenizer().answer(answer)
    return Row(asked + said, [False] * len(asked) + [True] * len(said))


def conversation(packed: bool) -> Batch:
    """Two scenes with three and one texts for the language model."""
    said = [
        [words("caption:", "a red circle"), words("how many?", "two"), words("描述：", "一个红色的圆形")],
        [words("caption:", "nothing at all")],
    ]
    samples = [
        Encoded(f"scene {number}", sample.image, {"words": rows})
        for number, (sample, rows) in enumerate(zip(tiny.scenes()["train"], said, strict=False))
    ]
    return collate(samples, tiny.tokenizer().pad, frozenset({"words"}) if packed else frozenset())


def test_several_objectives_share_every_encoding() -> None:
    model = tiny.model(heads=HEADS)
    counts = calls(model)
    specs = [
        {"kind": "contrastive"},
        {"kind": "sigmoid"},
        {"kind": "matching"},
        {"kind": "classification", "head": "label"},
    ]
    step = Step(model, {spec["kind"]: tiny.objective(spec) for spec in specs})
    batch = tiny.batch([["a"], ["b c"], ["d"]], target=[0, 1, 2])
    losses = step(batch)
    assert set(losses) == {"contrastive", "sigmoid", "matching", "classification"}
    assert counts["image_tower"] == counts["text_tower"] == 1
    assert counts["image_projection"] == counts["text_projection"] == 1


def test_each_property_is_computed_once_and_for_each_stream() -> None:
    model = tiny.model(heads=HEADS)
    counts = calls(model)
    made = tiny.batch([["a"], ["b"]])
    forward = model(replace(made, texts={"one": made.texts["retrieve"], "two": made.texts["retrieve"]}))
    for _ in range(2):
        for stream in ("one", "two"):
            assert forward.fused(stream) is forward.fused(stream)
            assert forward.text_embedding(stream) is forward.text_embedding(stream)
            assert forward.similarity(stream) is forward.similarity(stream)
            assert forward.logits("match", stream) is forward.logits("match", stream)
        assert forward.logits("label") is forward.logits("label")
    assert counts["image_tower"] == 1
    assert counts["text_tower"] == counts["fusion"] == 2


def test_embeddings_have_unit_length_and_similarity_is_their_cosine() -> None:
    forward = tiny.model()(tiny.batch([["a", "b"], ["c", "d"]]))
    texts, images = forward.text_embedding("retrieve"), forward.image_embedding
    torch.testing.assert_close(texts.norm(dim=1), torch.ones(4))
    torch.testing.assert_close(images.norm(dim=1), torch.ones(2))
    cosine = F.cosine_similarity(texts[:, None], images[None], dim=-1)
    torch.testing.assert_close(forward.similarity("retrieve"), cosine)


def test_similarity_is_float32_under_autocast() -> None:
    model, batch = tiny.model(), tiny.batch([["a"], ["b"]])
    with torch.autocast("cpu", torch.bfloat16):
        forward = model(batch)
        similarity, images = forward.similarity("retrieve"), forward.image_embedding
    assert similarity.dtype == images.dtype == torch.float32
    torch.testing.assert_close(similarity, forward.text_embedding("retrieve") @ images.T)


def test_the_temperature_begins_as_it_is_set_and_stops_at_a_hundredth() -> None:
    model, batch = tiny.model(temperature=0.05), tiny.batch([["a"]])
    assert model(batch).scale.item() == pytest.approx(20)
    assert model.logit_scale is not None
    model.logit_scale.data.fill_(9.0)
    scale = model.train()(batch).scale
    assert scale.item() == pytest.approx(100)
    scale.backward()
    assert model.logit_scale.grad == pytest.approx(100), "at its limit it can still be turned back"


def test_what_a_reader_asks_without_gradients_has_them_for_the_others() -> None:
    forward = tiny.model()(tiny.batch([["a"], ["b"]]))
    with torch.no_grad():
        assert forward.similarity("retrieve").requires_grad
        assert forward.fused("retrieve").pooled.requires_grad
    with torch.inference_mode():
        assert not tiny.model()(tiny.batch([["a"]])).fused("retrieve").pooled.requires_grad


def test_texts_that_share_a_picture_are_joined_as_if_each_had_its_own() -> None:
    model = tiny.model()
    shared = tiny.batch([["a", "b c d"], ["e", "f"]])
    text = shared.texts["retrieve"]
    assert text.rows_per_image == 2
    assert shared.pixels is not None
    apart = replace(
        shared,
        pixels=shared.pixels[text.image],
        texts={"retrieve": replace(text, image=torch.arange(4), rows_per_image=1)},
    )
    by_row = replace(shared, texts={"retrieve": replace(text, rows_per_image=None)})
    wanted = model(apart).fused("retrieve").pooled
    torch.testing.assert_close(model(shared).fused("retrieve").pooled, wanted, **CLOSE)
    torch.testing.assert_close(model(by_row).fused("retrieve").pooled, wanted, **CLOSE)


def test_chosen_pairs_are_those_of_a_batch_of_such_pairs() -> None:
    model = tiny.model()
    made = tiny.batch([["a b c"], ["d"], ["e f"]])
    found = model(made).fused_pairs("retrieve", torch.tensor([2, 0, 2]), torch.tensor([0, 1, 2])).pooled
    assert made.pixels is not None
    text = made.texts["retrieve"]
    for row, (number, picture) in enumerate([(2, 0), (0, 1), (2, 2)]):
        alone = replace(text, ids=text.ids[[number]], segments=text.segments[[number]], image=torch.tensor([0]))
        pair = Batch(made.pixels[[picture]], {"retrieve": replace(alone, rows_per_image=1)})
        torch.testing.assert_close(found[row : row + 1], model(pair).fused("retrieve").pooled, **CLOSE)


def test_rewritten_texts_are_read_as_texts_with_those_words() -> None:
    model = tiny.model()
    made, other = tiny.batch([["a b"], ["c d"]]), tiny.batch([["c d"], ["a b"]])
    forward = model(made)
    before = forward.text("retrieve").pooled
    ids = other.texts["retrieve"].ids
    assert ids.shape == made.texts["retrieve"].ids.shape
    read = forward.rewritten("retrieve", ids)
    torch.testing.assert_close(read.pooled, model(other).text("retrieve").pooled)
    torch.testing.assert_close(forward.joined("retrieve", read).pooled, model(other).fused("retrieve").pooled, **CLOSE)
    assert forward.text("retrieve").pooled is before


def by_text(batch: Batch) -> dict[tuple[int, ...], torch.Tensor]:
    """What a model predicts for each text of a batch, by the ids that it is to say."""
    text = batch.texts["words"]
    predicted = tiny.model()(batch).predictions("words")
    assert text.loss_mask is not None
    assert predicted.targets.tolist() == text.ids[text.loss_mask].tolist()
    assert predicted.rows.tolist() == text.loss_mask.nonzero()[:, 0].tolist()
    texts = predicted.rows * 100 + text.segments[text.loss_mask]
    here = [texts == number for number in texts.unique().tolist()]
    return {tuple(predicted.targets[of].tolist()): predicted.logits[of] for of in here}


def test_packed_texts_are_predicted_exactly_as_texts_in_rows_of_their_own() -> None:
    packed, apart = conversation(packed=True), conversation(packed=False)
    assert len(packed.texts["words"].ids) == 2
    assert len(apart.texts["words"].ids) == 4
    found, wanted = by_text(packed), by_text(apart)
    assert found.keys() == wanted.keys()
    assert len(found) == 4
    for said in found:
        torch.testing.assert_close(found[said], wanted[said], **CLOSE)


def test_texts_without_a_picture_fill_rows_and_know_nothing_of_each_other() -> None:
    texts = [
        words("a b c d e f", "g h i j k l m"),
        words("a", "b"),
        words("c d", "e"),
        words("", "f g h i"),
        words("n", "o"),
    ]
    samples = [Encoded(str(number), None, {"words": [row]}) for number, row in enumerate(texts)]
    packed, apart = (collate(samples, tiny.tokenizer().pad, streams) for streams in (frozenset({"words"}), frozenset()))
    assert len(apart.texts["words"].ids) == 5
    assert len(packed.texts["words"].ids) < 4
    assert packed.texts["words"].ids.shape[1] == max(len(row.ids) for row in texts)
    found, wanted = by_text(packed), by_text(apart)
    assert found.keys() == wanted.keys()
    for said in found:
        torch.testing.assert_close(found[said], wanted[said], **CLOSE)


def test_a_prediction_is_made_from_what_comes_before_it() -> None:
    """The first word of an answer is predicted at the last word of its prompt, behind the picture's prefix."""
    model = tiny.model()
    batch = conversation(packed=False)
    predicted = model(batch).predictions("words")
    text = batch.texts["words"]
    assert text.loss_mask is not None
    assert predicted.targets.tolist() == text.ids[text.loss_mask].tolist()

    cut = text.loss_mask.clone()
    first = cut[0].nonzero()[0].item()
    cut[0, first + 1 :] = False
    other = replace(text, ids=torch.where(torch.arange(cut.shape[1]) > first, 7, text.ids), loss_mask=cut)
    later = model(replace(batch, texts={"words": other})).predictions("words")
    torch.testing.assert_close(later.logits[0], predicted.logits[0], **CLOSE)


def test_a_row_longer_than_any_text_is_read() -> None:
    """A packed row may be longer than the language model's table of positions, and pads the others to its length."""
    model = tiny.model()
    many = [words(f"what is {number}?", "a very long answer of many words indeed") for number in range(12)]
    scenes = tiny.scenes()["train"]
    samples = [Encoded("many", scenes[0].image, {"words": many}), Encoded("one", scenes[1].image, {"words": many[:1]})]
    batch = collate(samples, tiny.tokenizer().pad, frozenset({"words"}))
    language = model.language
    assert language is not None
    assert batch.texts["words"].ids.shape[1] > language.max_length
    found = model(batch).predictions("words")
    alone = model(collate(samples[1:], tiny.tokenizer().pad, frozenset({"words"}))).predictions("words")
    torch.testing.assert_close(found.logits[found.rows == 1], alone.logits, **CLOSE)


def test_heads_read_what_they_say() -> None:
    model = tiny.model(heads=HEADS)
    forward = model(tiny.batch([["a", "b"], ["c", "d"]]))
    assert forward.logits("label").shape == (2, 4)
    assert forward.logits("mood", "retrieve").shape == (4, 3)
    assert forward.logits("match", "retrieve").shape == (4, 2)
    assert forward.logits("mask", "retrieve").shape == (4, len(tiny.tokenizer()))
    torch.testing.assert_close(forward.logits("label"), model.heads["label"](forward.image.pooled))
    torch.testing.assert_close(forward.logits("mood", "retrieve"), model.heads["mood"](forward.text("retrieve").pooled))
    assert [type(layer).__name__ for layer in model.heads["mood"]] == ["Dropout", "Linear", "GELU", "Linear"]
    assert model.heads["mood"][1].out_features == 8


@pytest.mark.parametrize(
    ("head", "stream", "message"),
    [
        ("label", "retrieve", "reads 'image', and is asked about the texts of 'retrieve'"),
        ("match", None, "reads 'fused', and is asked about the pictures"),
        ("lable", None, r"no head 'lable' \(its heads: label, match\): add it under model.heads"),
    ],
)
def test_a_head_that_is_asked_wrongly_says_so(head: str, stream: str | None, message: str) -> None:
    heads = {name: HEADS[name] for name in ("label", "match")}
    with pytest.raises(RecipeError, match=message):
        tiny.model(heads=heads)(tiny.batch([["a"]])).logits(head, stream)


def test_what_a_batch_has_not_is_said() -> None:
    model = tiny.model()
    with pytest.raises(DataError, match="no texts for 'caption' .there are: retrieve."):
        model(tiny.batch([["a"]])).text("caption")
    with pytest.raises(DataError, match="asks for pictures, but the batch has none"):
        _ = model(replace(tiny.batch([["a"]]), pixels=None)).image
    with pytest.raises(DataError, match="no position of the stream 'retrieve' carries a loss"):
        model(tiny.batch([["a"]])).predictions("retrieve")
    with pytest.raises(RecipeError, match="the stream 'words' packs texts for a language model"):
        model(conversation(packed=True)).text("words")


def test_a_forward_pass_keeps_its_batch_and_model() -> None:
    model, batch = tiny.model(), tiny.batch([["a"]])
    forward = model(batch)
    assert isinstance(forward, Forward)
    assert forward.batch is batch
    assert forward.model is model


def test_pictures_among_words_are_read_where_they_stand() -> None:
    """Three samples in two texts, against rows put together by hand, one token at a time."""
    model, tokenizer = tiny.model(), tiny.tokenizer()
    language = model.language
    assert language is not None
    texts = ["a red circle", "two", "一个红色的圆形"]
    samples = []
    for number, (sample, text) in enumerate(zip(tiny.scenes()["train"], texts, strict=False)):
        ids = tokenizer.encode(text)
        row = Row([*ids[:number], PICTURE, *ids[number:]], [False] * (number + 1) + [True] * (len(ids) - number))
        samples.append(Encoded(f"scene {number}", sample.image, {"story": [row]}))
    batch = collate(samples, tokenizer.pad, together={"story": Together(1, 2, (tokenizer.bos,))})
    text = batch.texts["story"]
    assert text.slots is not None
    assert text.slots.tolist() == [0, 1, 2]
    predicted = model(batch).predictions("story")

    prefixes = model.seen(model(batch).image)
    wanted, targets, number = [], [], 0
    for ids, learned in zip(text.ids.tolist(), text.loss_mask.tolist(), strict=True):  # type: ignore[union-attr]
        row: list[torch.Tensor] = []
        for token, learn in zip(ids, learned, strict=True):
            if learn:
                ones = torch.ones(1, len(row), dtype=torch.int64)
                hidden = language(torch.stack(row)[None], positions_in(ones), causal_mask(ones))
                wanted.append(language.logits(hidden[0, -1]))
                targets.append(token)
            row += list(prefixes[number]) if token == PICTURE else [language.embed(torch.tensor(token))]
            number += token == PICTURE
    assert predicted.targets.tolist() == targets
    torch.testing.assert_close(predicted.logits, torch.stack(wanted), atol=1e-4, rtol=1e-4)


def test_gradients_reach_the_tower_through_a_frozen_language_model() -> None:
    model = tiny.model(freeze=("language",)).train()
    assert model.language is not None
    assert model.image_tower is not None
    row = Row([PICTURE, 9, 8], [False, True, True])
    samples = [Encoded(str(n), tiny.scenes()["train"][n].image, {"story": [row]}) for n in range(3)]
    batch = collate(samples, tiny.tokenizer().pad, together={"story": Together(3, 3, (1,))})
    predicted = model(batch).predictions("story")
    F.cross_entropy(predicted.logits, predicted.targets).backward()
    assert all(parameter.grad is None for parameter in model.language.parameters())
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in model.image_tower.parameters())
