"""What `initialise` says of variances is measured."""

import pytest
import torch
from torch import Tensor, nn

from tuwen.layers.blocks import Block
from tuwen.layers.init import initialise


def spread(x: Tensor) -> float:
    """The standard deviation."""
    return float(x.detach().std())


@pytest.mark.parametrize(("inputs", "outputs"), [(64, 256), (256, 64), (128, 128)])
def test_a_linear_layer_keeps_unit_variance(inputs: int, outputs: int) -> None:
    torch.manual_seed(0)
    layer = nn.Sequential(nn.Linear(inputs, outputs))
    initialise(layer, depth=4)
    assert spread(layer(torch.randn(512, inputs))) == pytest.approx(1, rel=0.05)
    assert not layer[0].bias.any()


def test_an_embedding_gives_logits_of_unit_variance_where_it_is_tied() -> None:
    torch.manual_seed(0)
    table = nn.Embedding(500, 128)
    initialise(table, depth=1)
    hidden = torch.randn(300, 128)
    assert spread(hidden @ table.weight.T) == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize("depth", [1, 4, 16])
def test_the_stream_grows_by_the_same_whatever_the_depth(depth: int) -> None:
    torch.manual_seed(0)
    blocks = nn.Sequential(*(Block(96, heads=4) for _ in range(depth)))
    initialise(blocks, depth)
    x = torch.randn(4, 32, 96)
    assert 1.0 < spread(blocks(x)) < 1.5


def test_only_what_writes_to_the_stream_is_scaled_down() -> None:
    torch.manual_seed(0)
    block = Block(256, heads=4)
    initialise(block, depth=8)
    scaled = {
        name for name, part in block.named_modules() if isinstance(part, nn.Linear) and spread(part.weight) < 0.02
    }
    assert scaled == {"attention.out", "mlp.down"}
    assert spread(block.attention.out.weight) == pytest.approx((256 * 16) ** -0.5, rel=0.05)
    assert spread(block.mlp.down.weight) == pytest.approx((1024 * 16) ** -0.5, rel=0.05)
