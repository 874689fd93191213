import numpy as np
import pytest

from tuwen.metrics.classification import (
    KindAccuracy,
    accuracy,
    accuracy_by_kind,
    class_scores,
    classification_scores,
    confusion_matrix,
    macro_f1,
    majority_floor,
    micro_f1,
    multilabel_floors,
    multilabel_scores,
    question_floor,
    wilson_interval,
)

ACTUAL = ["cat", "cat", "cat", "dog", "dog", "bird"]
CALLED = ["cat", "cat", "dog", "dog", "cat", "fish"]


def test_accuracy_and_confusion_by_hand():
    assert accuracy(CALLED, ACTUAL) == 3 / 6
    assert confusion_matrix(CALLED, ACTUAL, ["cat", "dog", "bird", "fish"]).tolist() == [
        [2, 1, 0, 0],
        [1, 1, 0, 0],
        [0, 0, 0, 1],
        [0, 0, 0, 0],
    ]


def test_class_scores_by_hand():
    scores = class_scores(CALLED, ACTUAL)
    assert list(scores) == ["cat", "dog", "bird", "fish"]
    assert scores["cat"].precision == 2 / 3
    assert scores["cat"].recall == 2 / 3
    assert scores["dog"].precision == 1 / 2
    assert scores["dog"].support == 2
    assert (scores["bird"].precision, scores["bird"].recall, scores["bird"].f1) == (0.0, 0.0, 0.0)
    assert (scores["fish"].recall, scores["fish"].support) == (0.0, 0)
    assert macro_f1(CALLED, ACTUAL) == pytest.approx((2 / 3 + 1 / 2) / 4)


def test_micro_f1_is_accuracy_until_the_model_declines():
    assert micro_f1(CALLED, ACTUAL) == pytest.approx(accuracy(CALLED, ACTUAL))
    # One right of one answered, two asked: precision 1, recall 1/2.
    assert micro_f1(["cat", None], ["cat", "dog"]) == pytest.approx(2 / 3)


def test_summary_has_floor_and_size():
    scores = classification_scores(CALLED, ACTUAL)
    assert scores["floor"] == majority_floor(ACTUAL) == 1 / 2
    assert scores["count"] == 6
    assert scores["macro_precision"] == pytest.approx((2 / 3 + 1 / 2) / 4)
    assert scores["macro_recall"] == pytest.approx((2 / 3 + 1 / 2) / 4)


def test_kinds_have_their_own_floors():
    kinds = accuracy_by_kind(
        predicted=["yes", "yes", "no", "2", "3"],
        actual=["yes", "yes", "yes", "2", "4"],
        kinds=["existence", "existence", "existence", "count", "count"],
    )
    assert kinds == {"count": KindAccuracy(1, 2, 0.5), "existence": KindAccuracy(2, 3, 1.0)}
    assert kinds["existence"].accuracy == 2 / 3
    assert kinds["existence"].interval == wilson_interval(2, 3)


def test_question_floor_answers_from_the_table_of_training():
    train = [("what colour?", "red"), ("what colour?", "red"), ("what colour?", "blue"), ("how many?", "2")]
    test = [("what colour?", "red"), ("what colour?", "blue"), ("how many?", "2"), ("is there?", "red")]
    # red, red, 2, and for the question never asked the commonest answer: red.
    assert question_floor(train, test) == 3 / 4
    with pytest.raises(ValueError, match="training questions"):
        question_floor([], test)


def test_wilson_interval_of_the_textbook():
    # Newcombe (1998), Statistics in Medicine 17, table I: 81 of 263 and 15 of 148, score method.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson_interval(29, 29)[1] == 1.0
    low, high = wilson_interval(5, 10)
    assert wilson_interval(5, 10, confidence=0.99)[0] < low < 0.5 < high


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: accuracy(["a"], ["a", "b"]), "1 predictions for 2 answers"),
        (lambda: accuracy([], []), "nothing to score"),
        (lambda: confusion_matrix(["x"], ["a"], ["a"]), r"not among the labels: \['x'\]"),
        (lambda: wilson_interval(3, 2), "3 right of 2"),
        (lambda: wilson_interval(0, 0), "0 right of 0"),
        (lambda: majority_floor([]), "at least one answer"),
    ],
)
def test_what_cannot_be_scored_says_why(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_many_labels_by_hand():
    """Four pictures, three classes of which the last neither occurs nor is guessed."""
    actual = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0], [1, 0, 0]], bool)
    predicted = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0]], bool)
    found = multilabel_scores(predicted, actual)
    assert found == {
        "exact_match": 1 / 4,
        "accuracy": 9 / 12,
        "micro_f1": 2 * 2 / (3 + 4),
        "macro_f1": (2 * 2 / (2 + 3) + 0) / 2,
    }
    nothing = np.zeros((2, 2), bool)
    assert multilabel_scores(nothing, nothing) == {"exact_match": 1, "accuracy": 1, "micro_f1": 0, "macro_f1": 0}
    with pytest.raises(ValueError, match="predictions"):
        multilabel_scores(nothing, actual)


def test_no_constant_answer_gets_more_than_the_floors() -> None:
    rng = np.random.default_rng(0)
    for shares in ((0.3, 0.1, 0.6, 0.0), (0.9, 0.8, 0.2, 0.5), (0.0, 0.0, 0.1, 0.0)):
        actual = rng.random((40, 4)) < np.array(shares)
        constants = [
            np.broadcast_to([bool(number >> place & 1) for place in range(4)], (40, 4)) for number in range(16)
        ]
        found = [multilabel_scores(constant, actual) for constant in constants]
        for name, floor in multilabel_floors(actual).items():
            assert floor == pytest.approx(max(scores[name.removesuffix("_floor")] for scores in found)), name
