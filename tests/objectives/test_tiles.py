"""Sums over all pairs tile by tile, against the whole matrix in float64."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from tests.objectives.given import assert_same, normal
from tuwen.objectives import _tiles
from tuwen.objectives._tiles import log_sum_exps, softplus_sum

SCALE = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
BIAS = torch.tensor(-1.0, dtype=torch.float64, requires_grad=True)


@pytest.fixture(params=[(1, 1), (3, 8), (8, 3), (7, 7), (4, 4)], ids=str)
def embedded(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[Tensor, Tensor]:
    """Texts and pictures that fill no, one or several tiles."""
    monkeypatch.setattr(_tiles, "SIDE", 4)
    texts, images = request.param
    return normal(texts, 5), normal(images, 5, seed=1)


@pytest.mark.parametrize("exponent", [0.0, 1e3], ids=["wide range", "narrow range"])
def test_log_sum_exps_are_those_of_the_matrix(
    embedded: tuple[Tensor, Tensor], exponent: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_tiles, "EXPONENT", exponent)
    texts, images = embedded
    logits = SCALE * texts @ images.T
    weights = normal(len(texts), seed=2).detach(), normal(len(images), seed=3).detach()
    rows, columns, nearest = log_sum_exps(texts, images, SCALE)
    found = rows @ weights[0] + columns @ weights[1]
    wanted = logits.logsumexp(1) @ weights[0] + logits.logsumexp(0) @ weights[1]
    assert_same(found, wanted, [texts, images, SCALE])
    assert torch.equal(nearest, logits.argmax(1))


def test_the_softplus_sum_is_that_of_the_matrix(embedded: tuple[Tensor, Tensor]) -> None:
    texts, images = embedded
    wanted = F.softplus(SCALE * texts @ images.T + BIAS).sum()
    assert_same(softplus_sum(texts, images, SCALE, BIAS), wanted, [texts, images, SCALE, BIAS])


def test_large_logits_do_not_overflow() -> None:
    texts, images = torch.eye(3), torch.eye(3)
    rows, columns, _ = log_sum_exps(texts, images, torch.tensor(1000.0))
    assert torch.equal(rows, torch.full((3,), 1000.0))
    assert torch.equal(columns, rows)


def test_no_texts_is_a_sum_of_nothing() -> None:
    rows, columns, nearest = log_sum_exps(torch.zeros(0, 4), torch.ones(3, 4), torch.tensor(1.0))
    assert rows.shape == nearest.shape == (0,)
    assert torch.equal(columns, torch.full((3,), -torch.inf))


def test_under_autocast_the_logits_stay_exact() -> None:
    texts, images, scale = normal(6, 5).detach().float(), normal(7, 5, seed=1).detach().float(), torch.tensor(30.0)
    with torch.autocast("cpu", torch.bfloat16):
        rows, *_ = log_sum_exps(texts, images, scale)
    torch.testing.assert_close(rows, (scale * texts @ images.T).logsumexp(1))


class Largest(TorchDispatchMode):
    """The most numbers that any result of an operation has."""

    numbers = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        if isinstance(out, Tensor):
            self.numbers = max(self.numbers, out.numel())
        return out


@pytest.mark.parametrize("loss", ["log_sum_exps", "softplus"])
def test_the_matrix_is_never_made(loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_tiles, "SIDE", 4)
    texts, images = normal(64, 2), normal(48, 2, seed=1)
    with Largest() as largest:
        if loss == "softplus":
            total = softplus_sum(texts, images, SCALE, BIAS)
        else:
            total = torch.cat(log_sum_exps(texts, images, SCALE)[:2]).sum()
        total.backward()
    assert largest.numbers == 64 * 2, "nothing is larger than the embeddings themselves"
