import numpy as np

from tuwen.metrics.classification import confusion_matrix
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
