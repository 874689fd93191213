"""Two processes, and several batches, give the loss and the gradients of one batch with everything in it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests import tiny
from tests.objectives.given import Given, normal, texts_of
from tests.processes import in_processes
from tuwen.core.batch import Batch

WHOLE = {
    "a text each": texts_of(["a", "b", "c", "d"], [0, 1, 2, 3], 1),
    "the same text in both": texts_of(["a", "b", "a", "c", "a"], [0, 1, 1, 2, 3]),
    "uneven": texts_of(["a", "b", "c", "a"], [0, 0, 0, 3]),
    "the second has no text": texts_of(["a", "b", "c"], [0, 1, 1]),
    "the first has no text": texts_of(["a", "a", "c"], [2, 3, 3]),
}
PICTURES, CUT = 4, 2
KINDS = ("contrastive", "sigmoid")


def given(name: str) -> Given:
    text = WHOLE[name]
    return Given(text, normal(len(text.ids), 5), normal(PICTURES, 5, seed=1))


def share(whole: Given, rank: int) -> Given:
    """What one of two processes has: the pictures before or behind the cut, and their texts."""
    rows = (whole.text.image >= CUT) == bool(rank)
    pictures = slice(CUT, None) if rank else slice(0, CUT)
    text = replace(
        whole.text,
        ids=whole.text.ids[rows],
        segments=whole.text.segments[rows],
        image=whole.text.image[rows] - rank * CUT,
        rows_per_image=None,
    )
    return replace(whole, text=text, texts=leaf(whole.texts[rows]), images=leaf(whole.images[pictures]))


def leaf(values: Tensor) -> Tensor:
    return values.detach().requires_grad_()


def loss_and_gradients(kind: str, given: Given) -> dict[str, Any]:
    """As plain numbers, which can leave a process."""
    loss = tiny.objective({"kind": kind})(given)
    loss.sum.backward()
    gradients = [torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in given.leaves]
    return {"sum": loss.sum.item(), "count": loss.count.item(), "gradients": [each.tolist() for each in gradients]}


def in_one_of_two(rank: int) -> dict[tuple[str, str], dict[str, Any]]:
    return {(kind, name): loss_and_gradients(kind, share(given(name), rank)) for kind in KINDS for name in WHOLE}


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_two_processes_are_one_batch(tmp_path: Path) -> None:
    both = in_processes(2, in_one_of_two, tmp_path)
    for kind in KINDS:
        for name in WHOLE:
            whole = given(name)
            wanted = loss_and_gradients(kind, whole)
            first, second = (each[kind, name] for each in both)
            assert first["sum"] + second["sum"] == pytest.approx(wanted["sum"]), (kind, name)
            assert first["count"] + second["count"] == wanted["count"]
            texts, images, *scalars = wanted["gradients"]
            in_second = (whole.text.image >= CUT).tolist()
            rows = [iter(each["gradients"][0]) for each in (first, second)]
            close([next(rows[place]) for place in in_second], texts)
            close(first["gradients"][1] + second["gradients"][1], images)
            for number, scalar in enumerate(scalars, start=2):
                assert first["gradients"][number] + second["gradients"][number] == pytest.approx(scalar)


def close(found: list[list[float]], wanted: list[list[float]]) -> None:
    torch.testing.assert_close(torch.tensor(found, dtype=torch.float64), torch.tensor(wanted, dtype=torch.float64))


def with_nothing(rank: int) -> list[float]:
    """The second process's batch has neither texts nor pictures, and yet the first does not wait for ever."""
    model = tiny.model().train()
    batch = Batch() if rank else tiny.batch([["a b"], ["c"]])
    loss = tiny.objective({"kind": "contrastive"})(model(batch))
    loss.sum.backward()
    gradient = model.image_projection.weight.grad
    return [loss.sum.item(), 0.0 if gradient is None else gradient.norm().item()]


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_a_process_without_anything_takes_part(tmp_path: Path) -> None:
    alone = with_nothing(0)
    first, second = in_processes(2, with_nothing, tmp_path)
    assert first == pytest.approx(alone)
    assert second == [0, 0]


def test_texts_without_a_picture_are_not_asked_about() -> None:
    batch = tiny.batch([["a b"], ["c"], ["d"]])
    text = replace(batch.texts["retrieve"], image=torch.tensor([0, -1, 2]), rows_per_image=None)
    kept = replace(text, ids=text.ids[[0, 2]], segments=text.segments[[0, 2]], image=text.image[[0, 2]])
    for kind in KINDS:
        objective, model = tiny.objective({"kind": kind}), tiny.model()
        some, wanted = (objective(model(replace(batch, texts={"retrieve": each}))) for each in (text, kept))
        torch.testing.assert_close(some.sum, wanted.sum)
        assert objective.count(replace(batch, texts={"retrieve": text})) == float(some.count) == 2
