import numpy as np
import pytest
import torch

from tuwen.core.errors import TuwenError
from tuwen.metrics.ranking import median_rank, recall_at_k, relevant_by_key, retrieval_scores, right_ranks


def slow_ranks(queries, gallery, relevant):
    """The definition, one score at a time, for vectors without near ties."""
    ranks = []
    for query, right in zip(queries.double(), relevant, strict=True):
        scores = [float(query @ item) for item in gallery.double()]
        best = max(scores[index] for index in right)
        ranks.append(1 + sum(score >= best for index, score in enumerate(scores) if index not in right))
    return ranks


def test_ranks_by_hand():
    gallery = torch.eye(3)
    queries = torch.tensor([[0.9, 0.1, 0.0], [0.9, 0.1, 0.0], [0.9, 0.1, 0.0]])
    assert right_ranks(queries, gallery, [[0], [1], [2]]) == [1, 2, 3]


@pytest.mark.parametrize("scores_at_once", [1, 40 * 7, 2**25])
def test_chunks_do_not_change_the_slow_and_obvious_ranks(scores_at_once):
    torch.manual_seed(0)
    queries, gallery = torch.randn(23, 8), torch.randn(40, 8)
    relevant = [{int(i) for i in torch.randint(40, (1 + row % 3,))} for row in range(23)]
    assert right_ranks(queries, gallery, relevant, scores_at_once) == slow_ranks(queries, gallery, relevant)


def test_the_best_placed_right_item_counts_and_the_others_are_not_in_its_way():
    gallery = torch.tensor([[4.0], [3.0], [2.0], [1.0]])
    assert right_ranks(torch.ones(1, 1), gallery, [[1, 3]]) == [2]
    assert right_ranks(torch.ones(1, 1), gallery, [[0, 1, 2, 3]]) == [1]


@pytest.mark.parametrize("size", [5, 7, 100])
def test_ties_are_pessimistic_so_a_collapsed_model_ranks_last(size):
    torch.manual_seed(0)
    same = torch.randn(256).expand(size, 256)
    queries = torch.randn(3, 256)
    assert right_ranks(queries, same, [[0], [size // 2], [size - 1, 0]]) == [size, size, size - 1]


def test_duplicates_that_are_right_too_do_not_tie():
    gallery = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    keys = [{"a cat"}, {"a cat"}, {"a dog"}]
    relevant = relevant_by_key([{"a cat"}, {"a dog"}], keys)
    assert relevant == [[0, 1], [2]]
    assert right_ranks(torch.eye(2), gallery, relevant) == [1, 1]


def test_numpy_and_half_precision_are_welcome():
    assert right_ranks(np.eye(2, dtype=np.float64), np.eye(2, dtype=np.float64), [[0], [1]]) == [1, 1]
    assert right_ranks(torch.eye(2, dtype=torch.bfloat16), torch.eye(2, dtype=torch.bfloat16), [[1], [1]]) == [2, 1]


def test_recall_and_median_by_hand():
    ranks = [1, 1, 2, 5, 6, 40]
    assert recall_at_k(ranks, 1) == 2 / 6
    assert recall_at_k(ranks, 5) == 4 / 6
    assert median_rank(ranks) == 3.5
    assert median_rank([3, 1, 9]) == 3.0
    assert recall_at_k([], 5) == 0.0
    with pytest.raises(ValueError, match="at least one query"):
        median_rank([])


def test_both_directions_with_several_captions_and_a_shared_one():
    # Pictures 0 and 1 both fit "red"; picture 1 is "big" too; "blue" is picture 2's.
    images = torch.tensor([[1.0, 0.0, 0.0], [0.8, 0.6, 0.0], [0.0, 0.0, 1.0]])
    texts = torch.tensor([[1.0, 0.0, 0.0], [0.9, 0.1, 0.0], [0.0, 0.0, 1.0]])
    scores = retrieval_scores(images, texts, [{"red"}, {"red", "big"}, {"blue"}], ["red", "big", "blue"])
    assert scores["image_to_text_r1"] == 1.0
    # "big" is nearer to picture 0, which is wrong for it; it finds picture 1 second.
    assert scores["text_to_image_r1"] == pytest.approx(2 / 3)
    assert scores["text_to_image_r5"] == 1.0
    assert scores["text_to_image_median_rank"] == 1.0
    assert scores["candidates"] == 3
    assert scores["chance_floor"] == pytest.approx(4 / 9)


def test_repeated_texts_do_not_make_more_candidates():
    vectors = torch.eye(3)
    assert retrieval_scores(vectors, vectors, [{"a"}, {"a"}, {"b"}], ["a", "a", "b"])["candidates"] == 2


def test_chance_is_the_floor_for_random_vectors():
    generator = torch.Generator().manual_seed(0)
    images, texts = (torch.randn(400, 16, generator=generator) for _ in range(2))
    keys = [str(index // 20) for index in range(400)]
    scores = retrieval_scores(images, texts, [{key} for key in keys], keys)
    assert scores["chance_floor"] == pytest.approx(0.05)
    assert scores["image_to_text_r1"] == pytest.approx(0.05, abs=0.035)


def test_what_cannot_be_ranked_says_why():
    eye = torch.eye(2)
    with pytest.raises(TuwenError, match=r"embedding of query 1 is not finite .* diverged"):
        right_ranks(torch.tensor([[1.0, 0.0], [torch.nan, 0.0]]), eye, [[0], [1]])
    with pytest.raises(ValueError, match="query 1 has no right item"):
        right_ranks(eye, eye, [[0], []])
    with pytest.raises(ValueError, match="in a gallery of 2"):
        right_ranks(eye, eye, [[0], [2]])
    with pytest.raises(ValueError, match="do not fit together"):
        right_ranks(eye, torch.eye(3), [[0], [1]])
    with pytest.raises(ValueError, match=r"\[N, D\]"):
        right_ranks(torch.zeros(0, 2), eye, [])
    with pytest.raises(ValueError, match="2 pictures with 1 sets of keys"):
        retrieval_scores(eye, eye, [{"a"}], ["a", "b"])
