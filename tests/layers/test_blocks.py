"""Blocks are made of their parts as the formula says: norm before, residual around."""

import torch
import torch.nn.functional as F

from tuwen.layers.blocks import MLP, Block, CrossBlock, gelu
from tuwen.layers.ragged import Groups, Ragged


def test_the_mlp_is_two_maps_with_gelu_between() -> None:
    torch.manual_seed(0)
    mlp = MLP(4, ratio=2.5)
    assert mlp.up.out_features == 10
    x = torch.randn(3, 4)
    torch.testing.assert_close(mlp(x), F.gelu(x @ mlp.up.weight.T + mlp.up.bias) @ mlp.down.weight.T + mlp.down.bias)


def test_a_block_has_a_norm_before_and_a_residual_around_each_part() -> None:
    torch.manual_seed(0)
    block = Block(8, heads=2)
    x = torch.randn(2, 3, 8)
    middle = x + block.attention(F.layer_norm(x, (8,)))[0]
    torch.testing.assert_close(block(x), middle + block.mlp(F.layer_norm(middle, (8,))))


def test_a_cross_block_reads_itself_and_then_the_context() -> None:
    torch.manual_seed(0)
    block = CrossBlock(8, heads=2, context_width=5)
    x, context = torch.randn(2, 3, 8), torch.randn(2, 4, 5)
    seen = block.cross.project(context)
    first = x + block.attention(F.layer_norm(x, (8,)))[0]
    second = first + block.cross(F.layer_norm(first, (8,)), seen)
    layout = Ragged.of(torch.ones(2, 3, dtype=torch.bool), 8)
    found = layout.spread(block(layout.lay(x), seen, Groups.of(layout, 2)))
    torch.testing.assert_close(found, second + block.mlp(F.layer_norm(second, (8,))))


def test_a_block_of_zeros_changes_nothing() -> None:
    block = Block(8, heads=2)
    for part in (block.attention.out, block.mlp.down):
        torch.nn.init.zeros_(part.weight)
        torch.nn.init.zeros_(part.bias)
    x = torch.randn(2, 3, 8)
    assert torch.equal(block(x), x)


def test_steps_with_the_past_equal_one_pass() -> None:
    torch.manual_seed(0)
    block = Block(8, heads=2)
    x = torch.randn(2, 5, 8)
    causal = torch.ones(5, 5, dtype=torch.bool).tril()
    past, parts = None, []
    for number in range(5):
        part, past = block.step(x[:, number : number + 1], causal[number : number + 1, : number + 1], past)
        parts.append(part)
    torch.testing.assert_close(torch.cat(parts, 1), block(x, causal))


def test_gelu_by_tanh_is_the_same_with_and_without_gradients() -> None:
    x = torch.cat([torch.linspace(-12, 12, 1001), torch.tensor([-1e30, 1e30])])
    wanted = F.gelu(x.double(), approximate="tanh").float()
    torch.testing.assert_close(gelu(x, "tanh"), wanted, atol=2e-6, rtol=1e-6)
    torch.testing.assert_close(gelu(x.clone().requires_grad_(), "tanh").detach(), wanted, atol=2e-6, rtol=1e-6)
