import math

import pytest

from tuwen.metrics.text import bleu, caption_scores, cider, exact_match, rouge_l, tokenize


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A dog, and a cat.", ["a", "dog", "and", "a", "cat"]),
        ("It doesn't fit the dog\u2019s bed!", ["it", "does", "n't", "fit", "the", "dog", "'s", "bed"]),
        ("a T-shirt - 3.5 m, 1,000 g", ["a", "t-shirt", "3.5", "m", "1,000", "g"]),
        ("“quoted” (or not) -- 50%", ["quoted", "or", "not", "50", "%"]),
        ("一个红色的圆，在左边。", ["一", "个", "红", "色", "的", "圆", "在", "左", "边"]),
        ("３个 3D图形 iPhone手机", ["3", "个", "3d", "图", "形", "iphone", "手", "机"]),
        ("カメラ 😀€", ["カ", "メ", "ラ", "😀", "€"]),
        ("हिन्दी قطٌّ", ["हिन्दी", "قطٌّ"]),
        ("snake_case 'tis", ["snake", "case", "tis"]),
        (" \t\n…。", []),
    ],
)
def test_tokenize(text, words):
    assert tokenize(text) == words


def test_exact_match_ignores_only_white_space():
    references = [["a red circle"], ["a red circle"], ["红色的圆", "圆"]]
    assert exact_match([" a red  circle\n", "A red circle", "圆"], references) == pytest.approx(2 / 3)


def test_bleu_clips_counts_papineni_2002():
    # Section 2.1, example 2: the modified unigram precision is 2/7; the bigrams give none.
    references = [["The cat is on the mat.", "There is a cat on the mat."]]
    scores = bleu(["the the the the the the the."], references)
    assert scores == [pytest.approx(2 / 7), 0.0, 0.0, 0.0]


def test_bleu_by_hand_with_brevity_penalty():
    # 1-grams 4/4, 2-grams 3/3, 3-grams 2/2, 4-grams 1/1; 4 words for 6: BP = exp(1 − 6/4).
    assert bleu(["a b c d"], [["a b c d e f"]]) == [pytest.approx(math.exp(-0.5))] * 4
    # Corpus counts, not the mean of sentences: (2 + 0) of (2 + 3) words match; both lengths are equal.
    assert bleu(["a b", "x y z"], [["a b"], ["c d e"]], order=1) == [pytest.approx(2 / 5)]
    # References of 2 and 6 words are equally near to 4 words: the shorter one counts, no penalty.
    assert bleu(["a b c d"], [["a b", "a b c d e f"]], order=1) == [1.0]


def test_rouge_l_by_hand():
    # LCS "police the gunman" = 3 of 4 and 4 words: P = R = F = 3/4 (Lin 2004, section 3.1).
    assert rouge_l(["police kill the gunman"], [["police ended the gunman"]]) == pytest.approx(3 / 4)
    # LCS 2: P = 2/2, R = 2/4, beta² = 1.44: F = 2.44 · 0.5 / (0.5 + 1.44).
    assert rouge_l(["police gunman"], [["police ended the gunman"]]) == pytest.approx(1.22 / 1.94)
    assert rouge_l(["一只狗", ""], [["一只猫"], ["猫"]]) == pytest.approx((2 / 3) / 2)


def test_cider_by_hand_for_unigrams():
    # Two items. "a" stands in both: idf 0. "cat", "dog", "big": idf log 2.
    references = [["a cat"], ["a big dog"]]
    one = cider(["a cat", "a big dog"], references, order=1)
    assert one == pytest.approx(10)
    # "a dog" for "a big dog": vectors (log 2) and (log 2, log 2): cosine 1/√2; one word shorter: exp(−1/72).
    half = cider(["a bird", "a dog"], references, order=1)
    assert half == pytest.approx(10 * (0 + math.exp(-1 / 72) / math.sqrt(2)) / 2)
    # Saying "dog" three times is clipped: (3 idf)·… counts min(3, 1)·1 over the norms √9·√2; equal lengths.
    clipped = cider(["a bird", "dog dog dog"], references, order=1)
    assert clipped == pytest.approx(10 * (1 / (3 * math.sqrt(2))) / 2)


def test_cider_averages_orders_and_references():
    references = [["a cat"], ["a big dog", "a wolf"]]
    # Item 2 equals its first reference: of orders 1 to 4, 4-grams do not exist: 3/4. The second shares nothing.
    # Item 1 equals its only reference, where orders 1 and 2 exist: 2/4.
    assert cider(["a cat", "a big dog"], references) == pytest.approx(10 * (2 / 4 + (3 / 4) / 2) / 2)


def test_scores_agree_with_the_coco_toolkit():
    # Values from pycocoevalcap 1.2 (Bleu, Rouge, Cider) on these very words.
    predictions = [
        "a red circle left of a small blue square",
        "two green stars",
        "a big yellow striped triangle on grass",
        "a dotted ring",
    ]
    references = [
        ["a red circle left of a big blue square", "a red circle is beside a blue square"],
        ["three green stars", "there are three small green stars"],
        ["a big yellow triangle with stripes on grass"],
        ["a dotted ring", "a ring with dots", "one dotted ring on sand"],
    ]
    assert bleu(predictions, references) == pytest.approx([0.82525899, 0.72506872, 0.59934971, 0.49843138], rel=1e-6)
    assert rouge_l(predictions, references) == pytest.approx(0.8365130789536837, rel=1e-9)
    assert cider(predictions, references) == pytest.approx(3.5614737047924483, rel=1e-9)


def test_chinese_counts_characters():
    one, two = bleu(["红色的大圆"], [["红色的小圆"]], order=2)
    assert (one, two) == (pytest.approx(4 / 5), pytest.approx(math.sqrt(4 / 5 * 2 / 4)))


def test_perfect_and_empty_captions():
    perfect = caption_scores(["a red circle here", "两个蓝色方块"], [["a red circle here"], ["两个蓝色方块"]])
    assert perfect == {
        "exact_match": 1.0, "bleu_1": 1.0, "bleu_2": 1.0, "bleu_3": 1.0, "bleu_4": 1.0,
        "rouge_l": 1.0, "cider": pytest.approx(10.0), "count": 2,
    }  # fmt: skip
    empty = caption_scores(["", "。"], [["a red circle here"], ["两个蓝色方块"]])
    assert {name: value for name, value in empty.items() if value} == {"count": 2}


def test_one_item_has_no_document_frequencies():
    assert cider(["a cat"], [["a cat"]]) == 0.0


@pytest.mark.parametrize(
    ("predictions", "references", "message"),
    [
        (["a"], [], "1 predictions for 0 sets"),
        ([], [], "0 predictions"),
        (["a"], [[]], "item 0: references must be a list"),
        (["a"], ["a cat"], "item 0: references must be a list"),
    ],
)
def test_what_cannot_be_scored_says_why(predictions, references, message):
    with pytest.raises(ValueError, match=message):
        exact_match(predictions, references)
