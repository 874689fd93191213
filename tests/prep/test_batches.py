"""Rows to tensors, by hand."""

import numpy as np
import pytest
import torch

from tuwen.core.batch import PICTURE, Batch, Row, RowPhrases, TextBatch
from tuwen.core.errors import DataError
from tuwen.prep.batches import IGNORE, Encoded, Together, collate

PIXELS = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
PAD = 9


def sample(key: str, *rows: Row, stream: str = "words", target: int | None = None, seen: bool = True) -> Encoded:
    return Encoded(key, PIXELS if seen else None, {stream: list(rows)} if rows else {}, target)


def said(*ids: int, read: int = 1) -> Row:
    """A row of which all but the first few ids are learned."""
    return Row(list(ids), [number >= read for number in range(len(ids))])


def test_rows_are_padded_to_the_longest_of_their_stream() -> None:
    text = collate([sample("a", Row([1, 2, 3])), sample("b", Row([4]), Row([5, 6]))], PAD).texts["words"]
    assert text.ids.tolist() == [[1, 2, 3], [4, 9, 9], [5, 6, 9]]
    assert text.segments.tolist() == [[1, 1, 1], [1, 0, 0], [1, 1, 0]]
    assert text.attention_mask.tolist() == [[True] * 3, [True, False, False], [True, True, False]]
    assert text.image.tolist() == [0, 1, 1]
    assert text.loss_mask is None
    assert text.target is None
    assert text.rows_per_image is None


def test_packed_texts_of_a_picture_share_a_row() -> None:
    samples = [sample("a", said(1, 2), said(3, 4, 5, read=2)), sample("b", said(6, 7)), sample("c")]
    text = collate(samples, PAD, frozenset({"words"})).texts["words"]
    assert text.ids.tolist() == [[1, 2, 3, 4, 5], [6, 7, 9, 9, 9]]
    assert text.segments.tolist() == [[1, 1, 2, 2, 2], [1, 1, 0, 0, 0]]
    assert text.image.tolist() == [0, 1]
    assert text.loss_mask is not None
    assert text.loss_mask.int().tolist() == [[0, 1, 0, 0, 1], [0, 1, 0, 0, 0]]
    assert text.rows_per_image is None, "the third picture has no row"


@pytest.mark.parametrize(
    ("counts", "each"), [([1, 1, 1], 1), ([2, 2], 2), ([2, 1], None), ([1, 0, 1], None), ([0, 2], None), ([3], 3)]
)
def test_pictures_with_equally_many_texts_are_told(counts: list[int], each: int | None) -> None:
    samples = [sample(str(number), *[Row([1])] * count) for number, count in enumerate(counts)]
    assert collate(samples, PAD).texts["words"].rows_per_image == each


def test_pictures_keys_and_classes() -> None:
    batch = collate([sample("a", target=3), sample("b"), sample("c", target=0)], PAD)
    assert batch.pixels is not None
    assert batch.pixels.shape == (3, 2, 2, 3)
    assert batch.pixels.dtype == torch.uint8
    assert batch.keys == ("a", "b", "c")
    assert len(batch) == 3
    assert batch.target is not None
    assert batch.target.tolist() == [3, IGNORE, 0]
    assert collate([sample("a")], PAD).target is None


def test_rows_may_carry_a_class_and_a_loss_or_not() -> None:
    rows = [Row([1, 2], target=4), Row([3]), said(5, 6)]
    text = collate([sample("a", *rows)], PAD).texts["words"]
    assert text.target is not None
    assert text.target.tolist() == [4, IGNORE, IGNORE]
    assert text.loss_mask is not None
    assert text.loss_mask.tolist() == [[False, False], [False, False], [False, True]]


def test_streams_are_apart() -> None:
    batch = collate([sample("a", Row([1]), stream="one"), sample("b", Row([2, 3]), stream="two")], PAD)
    assert {name: (text.ids.tolist(), text.image.tolist()) for name, text in batch.texts.items()} == {
        "one": ([[1]], [0]),
        "two": ([[2, 3]], [1]),
    }


def test_texts_alone_have_no_picture() -> None:
    batch = collate([sample("a", Row([1]), seen=False), sample("b", Row([2]), seen=False)], PAD)
    assert batch.pixels is None
    assert batch.texts["words"].image.tolist() == [-1, -1]
    assert batch.texts["words"].rows_per_image is None


def test_some_samples_have_no_picture() -> None:
    """Rows name pictures by their place among the pictures, not among the samples."""
    samples = [
        sample("a", Row([1]), seen=False),
        sample("b", Row([2]), Row([3]), target=5),
        sample("c", Row([4, 4]), seen=False),
        sample("d"),
        sample("e", Row([6])),
    ]
    batch = collate(samples, PAD)
    assert batch.pixels is not None
    assert len(batch.pixels) == 3
    assert len(batch) == 5
    assert batch.texts["words"].ids[:, 0].tolist() == [1, 2, 3, 4, 6]
    assert batch.texts["words"].image.tolist() == [-1, 0, 0, -1, 2]
    assert batch.texts["words"].rows_per_image is None
    assert batch.target is not None
    assert batch.target.tolist() == [5, IGNORE, IGNORE]
    paired = collate([sample("a", Row([1])), sample("b", seen=False), sample("c", Row([2]))], PAD).texts["words"]
    assert (paired.image.tolist(), paired.rows_per_image) == ([0, 1], 1)
    packed = collate(samples, PAD, frozenset({"words"})).texts["words"]
    assert packed.ids.tolist() == [[2, 3], [6, PAD], [4, 4], [1, PAD]]
    assert packed.image.tolist() == [0, 2, -1, -1]


def test_tags_and_views() -> None:
    tagged = Encoded("a", PIXELS, tags=[1, 0, IGNORE], view=PIXELS[::-1])
    batch = collate([tagged, Encoded("b", PIXELS, view=PIXELS), Encoded("c")], PAD)
    assert batch.tags is not None
    assert batch.tags.tolist() == [[1, 0, IGNORE], [IGNORE] * 3]
    assert batch.views is not None
    assert batch.views.shape == (2, 2, 2, 3)
    assert batch.views[0].tolist() == PIXELS[::-1].tolist()
    with pytest.raises(DataError, match="a second view for all of its pictures or for none"):
        collate([tagged, Encoded("b", PIXELS)], PAD)


def test_phrases_that_name_things() -> None:
    """The second row has no phrase, and the second phrase of the third no token: the text was cut before it."""
    one, two = (0.25, 0.25, 0.5, 0.75), (0.125, 0.5, 1.0, 1.0)
    rows = [
        Row([1, 2, 3], phrases=RowPhrases([0, 2, 1], ((two, one), (two,)))),
        Row([4]),
        Row([5, 6], phrases=RowPhrases([0, 1], ((), (one,)))),
    ]
    phrases = collate([sample("a", *rows)], PAD).texts["words"].phrases
    assert phrases is not None
    assert phrases.of.tolist() == [[0, 2, 1], [0, 0, 0], [0, 1, 0]]
    assert phrases.number.tolist() == [[2, 1], [-1, -1], [0, -1]]
    none = [0.0] * 4
    assert phrases.boxes.tolist() == [[[list(one), list(two)], [list(two), none]], *[[[none] * 2] * 2] * 2]
    assert collate([sample("a", Row([4]))], PAD).texts["words"].phrases is None


def test_a_batch_moves_as_a_whole() -> None:
    rows = [Row([1, 2], [False, True], target=1, phrases=RowPhrases([1, 0], ((),)))]
    batch = collate([sample("a", *rows, target=2)], PAD).to("meta")
    assert isinstance(batch, Batch)
    text = batch.texts["words"]
    assert isinstance(text, TextBatch)
    assert text.rows_per_image == 1
    assert batch.keys == ("a",)
    assert text.phrases is not None
    tensors = [batch.pixels, batch.target, text.ids, text.segments, text.image, text.loss_mask, text.target]
    tensors += [text.phrases.of, text.phrases.number, text.phrases.boxes]
    assert all(tensor is not None and tensor.device.type == "meta" for tensor in tensors)


def test_samples_stand_together_in_texts() -> None:
    """Pictures are numbered among the pictures; how many stand together is drawn, but the same for the same samples."""
    samples = [sample(str(n), Row([PICTURE, n, n], [False, True, True])) for n in range(10, 50)]
    samples[3] = sample("13", Row([13, 13], [True, True]), seen=False)
    how = {"words": Together(1, 3, (7, 8))}
    text = collate(samples, PAD, together=how).texts["words"]
    assert text.slots is not None
    assert text.slots.tolist() == list(range(39))
    joined = [[token for token in row if token != PAD] for row in text.ids.tolist()]
    assert all(row[:2] == [7, 8] for row in joined)
    everything = [token for n in range(10, 50) for token in ([n, n] if n == 13 else [PICTURE, n, n])]
    assert [token for row in joined for token in row[2:]] == everything
    assert {row.count(PICTURE) for row in joined} <= {0, 1, 2, 3}
    assert len({len(row) for row in joined}) > 1
    assert text.segments.max() == 1
    assert text.loss_mask is not None
    assert text.loss_mask.sum() == 40 * 2
    again = collate(samples, PAD, together=how).texts["words"]
    assert torch.equal(again.ids, text.ids)


@pytest.mark.parametrize(("picture", "sizes"), [(1, [3, 3, 1]), (4, [2, 2, 2, 1]), (9, [1] * 7)])
def test_a_text_that_is_full_is_closed(picture: int, sizes: list[int]) -> None:
    """One id to begin with, and four words with each picture; of a picture's positions the first one's are free."""
    samples = [sample(str(n), Row([PICTURE, n, n, n, n], [False] + [True] * 4)) for n in range(10, 17)]
    how = Together(5, 5, (8,), room=15, picture=picture)
    text = collate(samples, PAD, together={"words": how}).texts["words"]
    assert (text.ids == PICTURE).sum(1).tolist() == sizes
    assert (text.ids[:, 0] == 8).all()
    assert text.slots is not None
    assert text.slots.tolist() == list(range(7))
    assert text.loss_mask is not None
    assert text.loss_mask.sum() == 7 * 4
    taken = (text.segments > 0).sum(1) + (text.ids == PICTURE).sum(1) * (picture - 1)
    assert taken.max() <= 15 + picture


def test_a_sample_that_is_longer_than_a_text_may_be_stands_alone() -> None:
    samples = [sample(str(n), said(PICTURE, *[n] * 9)) for n in (10, 11)]
    text = collate(samples, PAD, together={"words": Together(2, 2, (8,), room=4)}).texts["words"]
    assert text.ids.tolist() == [[8, PICTURE, *[10] * 9], [8, PICTURE, *[11] * 9]]
