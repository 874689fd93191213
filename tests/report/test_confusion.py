import numpy as np

from tuwen.metrics.classification import class_scores, confusion_matrix, matrix_scores
from tuwen.report.confusion import MOST_DRAWN, view
from tuwen.report.examples import Confusion


def test_shares_of_rows_and_the_commonest_confusions():
    matrix = confusion_matrix(
        ["cat", "dog", "dog", "dog", "cat"], ["cat", "cat", "cat", "dog", "dog"], ["cat", "dog", "owl"]
    )
    seen = view(Confusion(("cat", "dog", "owl"), tuple(map(tuple, matrix.tolist()))))
    assert [(cell.row, cell.column, cell.count) for cell in seen.cells] == [(0, 0, 1), (0, 1, 2), (1, 0, 1), (1, 1, 1)]
    assert [cell.share for cell in seen.cells] == [1 / 3, 2 / 3, 1 / 2, 1 / 2]
    assert seen.worst == (("cat", "dog", 2), ("dog", "cat", 1))
    assert seen.named


def test_a_large_matrix_is_listed_and_not_drawn():
    size = MOST_DRAWN + 1
    counts = np.eye(size, dtype=int)
    counts[3, 5] = 2
    seen = view(Confusion(tuple(map(str, range(size))), tuple(map(tuple, counts.tolist()))))
    assert seen.cells == ()
    assert seen.worst == (("3", "5", 2),)


def test_each_class_by_hand_the_worst_first():
    """Three cats, of which one was called so, and a dog that was called a cat; nobody is an owl."""
    seen = view(Confusion(("cat", "dog", "owl"), ((1, 2, 0), (1, 1, 0), (0, 0, 0))))
    assert [name for name, _ in seen.classes] == ["cat", "dog"]
    cat, dog = (scores for _, scores in seen.classes)
    assert (cat.precision, cat.recall, cat.support) == (1 / 2, 1 / 3, 3)
    assert cat.f1 == 2 * (1 / 2) * (1 / 3) / (1 / 2 + 1 / 3)
    assert (dog.precision, dog.recall, dog.f1, dog.support) == (1 / 3, 1 / 2, cat.f1, 2)


def test_what_a_matrix_says_of_a_class_is_what_the_pairs_say():
    rng = np.random.default_rng(0)
    predicted, actual = rng.integers(0, 5, 200).tolist(), rng.integers(0, 5, 200).tolist()
    of_matrix = matrix_scores(confusion_matrix(predicted, actual, range(5)))
    assert dict(enumerate(of_matrix)) == class_scores(predicted, actual)
