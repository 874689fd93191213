"""Linear layers with many rows compute what PyTorch's do, gradients too."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuwen.layers import linear as linear_module
from tuwen.layers.linear import Linear, linear, outputs
from tuwen.layers.onednn import computes

FEW = {torch.float32: 1, torch.bfloat16: 1}


@pytest.fixture(autouse=True, params=[False, True])
def _every_product_is_large(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Whatever processor this is: with and without convolutions."""
    monkeypatch.setattr(linear_module, "MANY", FEW)
    monkeypatch.setattr(linear_module, "has_matrix_units", lambda: request.param)


def gradients(found: Tensor, *of: Tensor) -> list[Tensor]:
    """Of a sum in which each number has another weight."""
    towards = torch.linspace(-1, 1, found.numel(), dtype=found.dtype).view_as(found)
    return list(torch.autograd.grad(found, of, towards))


@pytest.mark.parametrize("shape", [(7, 16), (3, 5, 16), (1, 9, 16), (2, 3, 4, 16)])
@pytest.mark.parametrize("out", [8, 48])
@pytest.mark.parametrize("bias", [True, False])
def test_it_computes_the_same(shape: tuple[int, ...], out: int, bias: bool) -> None:
    torch.manual_seed(0)
    layer, x = Linear(16, out, bias=bias), torch.randn(shape, requires_grad=True)
    given = [x, *layer.parameters()]
    found, wanted = layer(x), F.linear(x, layer.weight, layer.bias)
    assert ("_Product" in type(found.grad_fn).__name__) == computes(torch.float32)
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(gradients(found, *given), gradients(wanted, *given))


@pytest.mark.parametrize("shape", [(7, 16), (3, 5, 16)])
@pytest.mark.parametrize("out", [8, 48])
def test_it_computes_in_bf16_under_autocast_as_pytorch_does(shape: tuple[int, ...], out: int) -> None:
    """Rounded inputs, products added up in float32, a rounded result; the gradients of weights in their precision."""
    torch.manual_seed(0)
    layer, x = Linear(16, out), torch.randn(shape, requires_grad=True)
    given = [x, layer.weight, layer.bias]
    with torch.autocast("cpu", torch.bfloat16):
        found, wanted = layer(x), F.linear(x, layer.weight, layer.bias)
    assert found.dtype == wanted.dtype == torch.bfloat16
    torch.testing.assert_close(found, wanted, atol=0.02, rtol=0.01)
    for own, theirs in zip(gradients(found, *given), gradients(wanted, *given), strict=True):
        assert own.dtype == torch.float32
        torch.testing.assert_close(own, theirs, atol=0.02, rtol=0.02)


@pytest.mark.parametrize("kept", ["weight", "bias"])
def test_what_is_frozen_has_no_gradient(kept: str) -> None:
    torch.manual_seed(0)
    layer, x = Linear(16, 48), torch.randn(3, 5, 16, requires_grad=True)
    layer.get_parameter(kept).requires_grad_(False)
    with torch.autocast("cpu", torch.bfloat16):
        layer(x).sum().backward()
    assert layer.get_parameter(kept).grad is None
    assert x.grad is not None
    assert {name for name, part in layer.named_parameters() if part.grad is not None} == {"weight", "bias"} - {kept}


def test_a_gradient_that_is_one_number_everywhere() -> None:
    """A sum's gradient is a single number that is shown many times, which has no layout of its own."""
    layer, x = Linear(4, 12), torch.randn(2, 3, 4)
    with torch.autocast("cpu", torch.bfloat16):
        layer(x).sum().backward()
    assert layer.bias.grad is not None
    assert layer.bias.grad.tolist() == [6.0] * 12


@pytest.mark.parametrize("bias", [True, False])
def test_some_outputs_alone(bias: bool) -> None:
    torch.manual_seed(0)
    layer, x = Linear(16, 48, bias=bias), torch.randn(3, 5, 16)
    torch.testing.assert_close(outputs(layer, x, 16, 32), layer(x)[..., 16:32])
    other = nn.Sequential(layer)
    torch.testing.assert_close(outputs(other, x, 16, 32), layer(x)[..., 16:32])


def test_other_precisions_are_pytorchs_own() -> None:
    weight, x = torch.randn(3, 4, dtype=torch.float64), torch.randn(5, 4, dtype=torch.float64)
    torch.testing.assert_close(linear(x, weight, None), x @ weight.T, rtol=0, atol=1e-15)
