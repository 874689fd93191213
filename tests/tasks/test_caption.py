"""Captions: what is learned, decoded back, and figures worked out by hand."""

import numpy as np
import pytest

from tests import tiny
from tests.tasks.oracle import Oracle, context, scene, text_of
from tuwen.core.rooms import build_part
from tuwen.core.sample import Caption, Sample
from tuwen.metrics.text import cider
from tuwen.report.examples import SplitExamples, Tally
from tuwen.tasks import WORDS
from tuwen.tasks.caption import CaptionTask, by_languages, wanted

EN, ZH = Caption("a red circle", "en", canonical=True), Caption("一个红色的圆形", "zh", canonical=True)
LOOSE = Caption("a disc that is red", "en")


def task(**settings: object) -> CaptionTask:
    found = build_part("tasks", {"kind": "caption", **settings}, context())
    assert isinstance(found, CaptionTask)
    return found


@pytest.mark.parametrize(
    ("caption", "prompt"), [(EN, "caption:"), (ZH, "描述："), (Caption("ein Kreis", "de"), "caption:")]
)
def test_the_prompt_is_read_and_the_caption_is_learned(caption: Caption, prompt: str) -> None:
    (row,) = task().encode(scene(1, captions=(caption,)), np.random.default_rng(0))
    assert row.loss_mask is not None
    read = [token for token, learned in zip(row.ids, row.loss_mask, strict=True) if not learned]
    said = [token for token, learned in zip(row.ids, row.loss_mask, strict=True) if learned]
    assert row.ids == read + said, "what is said comes after what is read"
    assert text_of(read) == f"<bos> {prompt}<sep>"
    assert text_of(said) == f" {caption.text}<eos>"
    assert row.target is None
    assert task().stream == WORDS


def test_canonical_captions_are_wanted_where_there_are_some() -> None:
    assert wanted(scene(1, captions=(LOOSE, EN))) == [EN]
    assert wanted(scene(1, captions=(LOOSE,))) == [LOOSE]
    rows = task(texts=4).encode(scene(1, captions=(LOOSE, EN, ZH)), np.random.default_rng(0))
    assert sorted(tiny.tokenizer().decode(row.ids) for row in rows) == sorted(
        2 * ["caption: a red circle", "描述： 一个红色的圆形"]
    )


def test_a_long_caption_is_cut_to_the_longest_text_and_does_not_end_there() -> None:
    (row,) = task().encode(scene(1, captions=(Caption("many words " * 100, "en"),)), np.random.default_rng(0))
    longest = tiny.tokenizer().max_length
    assert row.loss_mask is not None
    assert sum(row.loss_mask) == longest
    assert tiny.tokenizer().eos not in row.ids
    whole = tiny.tokenizer().encode("many words " * 100)
    fitting = tiny.tokenizer().decode(whole[: longest - 1])
    assert tiny.tokenizer().answer(fitting) == [*whole[: longest - 1], tiny.tokenizer().eos]


def test_figures_by_hand() -> None:
    samples = [
        scene(1, captions=(EN, ZH)),
        scene(2, captions=(Caption("a blue square", "en", True), Caption("a square in blue", "en", True), LOOSE)),
        scene(3, captions=(Caption("a green star", "en", True),)),
        scene(4, captions=(EN,)),
        Sample("no picture", captions=(EN,)),
    ]
    says = {
        ("caption:", 1): "a red circle",
        ("描述：", 1): "一个红色的方形",
        ("caption:", 2): "a square in blue",
        ("caption:", 3): "a green circle",
        ("caption:", 4): "a red circle",
    }
    page = SplitExamples()
    figures = task().evaluate(Oracle(says, otherwise="a green star"), samples, [], page)
    assert figures["count"] == 5
    assert figures["exact_match"] == pytest.approx(3 / 5)
    assert figures["blind_floor"] == pytest.approx(1 / 5), "a blank picture is always a green star"
    assert page.tallies["caption_by_language"] == {"en": Tally(3, 4), "zh": Tally(0, 1)}
    assert [(example.prediction, example.reference, example.right) for example in page.captions] == [  # by turns
        ("一个红色的方形", "一个红色的圆形", False),
        ("a green circle", "a green star", False),
        ("a red circle", "a red circle", True),
        ("a square in blue", "a blue square", True),
        ("a red circle", "a red circle", True),
    ]


def test_a_caption_that_the_tokenizer_changes_can_still_be_right() -> None:
    """Composed characters and space at the ends: the model can only say what its tokenizer can."""
    sample = scene(1, captions=(Caption(" un cafe\u0301 ", "fr", True),))
    page = SplitExamples()
    figures = task().evaluate(Oracle({("caption:", 1): "un café"}), [sample], [], page)
    assert figures["exact_match"] == 1
    assert page.tallies["caption_by_language"] == {"fr": Tally(1, 1)}


def test_samples_stand_under_each_language_of_their_wanted_captions() -> None:
    both, one = scene(1, captions=(EN, ZH)), scene(2, captions=(Caption("x", "zh"), Caption("y", "zh")))
    assert by_languages([both, one, Sample("no picture", captions=(EN,))]) == {"en": [both], "zh": [both, one]}


def test_a_caption_is_asked_for_in_the_language() -> None:
    oracle = Oracle({("caption:", 1): "a red circle", ("描述：", 1): "一个红色的圆形"})
    shown = [scene(1).image]
    assert task().predict(oracle, shown, "en") == ["a red circle"]  # type: ignore[arg-type]
    assert task().predict(oracle, shown, "zh") == ["一个红色的圆形"]  # type: ignore[arg-type]


def test_each_language_is_a_corpus_of_its_own() -> None:
    """In a common one, words of all texts of a language would look rare."""
    english = [scene(number, captions=(Caption(f"a {word} star", "en"),)) for number, word in enumerate(["red", "big"])]
    chinese = [
        scene(number, captions=(Caption(f"一个{word}星", "zh"),)) for number, word in enumerate("红大黑", start=2)
    ]
    says = {("caption:", 0): "a red star", ("caption:", 1): "a red star", ("描述：", 2): "一个红星"}
    figures = task().evaluate(Oracle(says), [*english, *chinese], [], SplitExamples())
    one = cider(["a red star"] * 2, [["a red star"], ["a big star"]])
    other = cider(["一个红星", "nothing", "nothing"], [["一个红星"], ["一个大星"], ["一个黑星"]])
    assert figures["cider"] == pytest.approx((2 * one + 3 * other) / 5)
