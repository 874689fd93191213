"""Packed linear layers compute what the layers compute, share the rest, and leave the module as it was."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tuwen.language import LanguageContext
from tuwen.language.gpt import Config, build
from tuwen.layers.attention import SelfAttention
from tuwen.layers.blocks import MLP
from tuwen.layers.onednn import Gelu, computes
from tuwen.layers.packed import PackedLinear, packed


@pytest.mark.parametrize("shape", [(1, 16), (7, 16), (2, 0, 16), (2, 3, 16)])
def test_a_packed_layer_computes_the_same(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    layer, x = nn.Linear(16, 24), torch.randn(shape)
    with torch.inference_mode():
        torch.testing.assert_close(packed(layer)(x), layer(x))


@pytest.mark.parametrize("gelu", ["none", "tanh"])
def test_a_packed_mlp_computes_the_same(gelu: Gelu) -> None:
    torch.manual_seed(0)
    mlp, x = MLP(16, gelu=gelu), torch.randn(5, 16)
    with torch.inference_mode():
        torch.testing.assert_close(packed(mlp)(x), mlp(x))


def test_packed_attention_lets_few_ask_without_keys_and_values(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    attention, x, asking = SelfAttention(8, heads=2), torch.randn(2, 9, 8), torch.tensor([[4], [0]])
    wanted, tokens = attention(x)[0][torch.arange(2)[:, None], asking], list[int]()
    compute = PackedLinear.forward
    monkeypatch.setattr(PackedLinear, "forward", lambda self, x: (tokens.append(x.shape[1]), compute(self, x))[1])
    with torch.inference_mode():
        torch.testing.assert_close(packed(attention).asked(x, asking), wanted)
    assert set(tokens) <= {1}


def test_it_computes_in_the_precision_of_autocast() -> None:
    torch.manual_seed(0)
    layer, x = nn.Linear(16, 24), torch.randn(5, 16)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        found, wanted = packed(layer)(x), layer(x)
    assert found.dtype == wanted.dtype == torch.bfloat16
    torch.testing.assert_close(found, wanted)


def test_a_packed_language_model_shares_its_other_weights_and_leaves_the_model_alone() -> None:
    language = build(Config(width=32, depth=2, heads=2), LanguageContext(50, 16)).eval()
    names = list(language.state_dict())
    with torch.inference_mode():
        made, hidden = packed(language), torch.randn(3, 32)
        torch.testing.assert_close(made.logits(hidden), language.logits(hidden))
    assert list(language.state_dict()) == names
    assert not any(isinstance(part, PackedLinear) for part in language.modules())
    assert made.norm.weight is language.norm.weight


def test_a_layer_that_does_more_than_a_linear_one_stays() -> None:
    class Adapted(nn.Linear):
        pass

    both = packed(nn.Sequential(Adapted(4, 4), nn.Linear(4, 4)))
    assert [type(part) for part in both] == [Adapted, PackedLinear if computes(torch.float32) else nn.Linear]
