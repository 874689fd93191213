"""Scaled dot-product attention (Vaswani et al. 2017, arXiv:1706.03762, eq. 1) and its multi-head module.

Shapes: B rows, H heads, N queries, M keys, D width, d = D / H.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, einsum, nn

from tuwen.core.precision import precise
from tuwen.layers.key_values import KeyValues
from tuwen.layers.linear import Linear, outputs
from tuwen.layers.packed import PackedLinear
from tuwen.layers.pooling import last_pool
from tuwen.layers.ragged import Bucket, Groups, Ragged
from tuwen.layers.rotary import Rotation

SHORT = 64
"""On a CPU, buckets of rows of up to so many tokens are attended to in float32. Hardly two of them are of one size, and
for each new size a bf16 product has a kernel made, which takes longer than all of its work."""

LESS = 0.5
"""Keys and values are left out where that leaves at most so many of the operations: small products are slower ones."""


def attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """`softmax(Q Kᵀ / √d) V` over the keys, for each query.

    On a CPU the plain products are used: the backward pass of PyTorch's fused kernel is slower there by far at the
    lengths of pictures and captions. Elsewhere the fused kernel is.

    Args:
        query: `[B, H, N, d]`.
        key, value: `[B, H, M, d]`.
        mask: bool, broadcastable to `[B, H, N, M]`; True where the query may see the key. Each query must see a key.

    Returns:
        `[B, H, N, d]`.
    """
    if query.device.type != "cpu":
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-2, -1)
    if mask is not None:  # added: filling would copy the scores' gradients too
        scores = scores + scores.new_zeros(mask.shape).masked_fill_(~mask, float("-inf"))
    return scores.softmax(-1).to(value.dtype) @ value


def attention_by(layer: nn.Module, first: int, query: Tensor, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
    """Attention to tokens whose keys, and behind them values, a linear layer gives in its outputs from `first` on.

    Where few ask, neither is computed: `q·(K x + c) = (Kᵀ q)·x + q·c`, of which softmax does not see the last, for it
    is the same for all x; and `Σ p (V x + b) = V (Σ p x) + b` (DeepSeek-V2, arXiv:2405.04434, section 2.1.2).

    Args:
        layer: C numbers → H d for keys and H d for values, and others that are not used.
        first: the first output for keys.
        query: `[B, H, Q, d]`.
        tokens: `[B, M, C]`.
        mask: as in `attention`.

    Returns:
        `[B, Q, H d]`.
    """
    _, heads, asked, each = query.shape
    length, context = tokens.shape[1:]
    last = first + 2 * heads * each
    few = asked * context * (each + length) <= LESS * length * each * (context + asked)
    # An adapter, or a weight in few bits, is more than what these two are.
    if not few or not (type(layer) is Linear or type(layer) is PackedLinear):
        key, value = _split(outputs(layer, tokens, first, last), 2, heads)
        return _joined(attention(query, key, value, mask))
    key, value = layer.weight[first:last].view(2, heads, each, context)
    mixed = _by_weights(query, tokens, key, value, mask)
    return mixed if layer.bias is None else mixed + layer.bias[(first + last) // 2 : last].to(mixed.dtype)


def _by_weights(query: Tensor, tokens: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    """key, value: `[H, d, C]`, what makes them of tokens; the rest as in `attention_by`."""
    rows, heads, asked, each = query.shape
    reading = einsum("bhqd,hdc->bhqc", query * each**-0.5, key).flatten(1, 2)
    # The product has the tokens first: their gradients then lie as those of the other product.
    scores = (tokens @ reading.transpose(1, 2)).transpose(1, 2).view(rows, heads, asked, tokens.shape[1])
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    seen = einsum("bhqm,bmc->bhqc", scores.softmax(-1).to(tokens.dtype), tokens)
    return einsum("bhqc,hdc->bqhd", seen, value).flatten(2)


class SelfAttention(nn.Module):
    """Multi-head attention of a sequence to itself."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = Linear(width, 3 * width)
        self.out = Linear(width, width)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        past: KeyValues | None = None,
        rotation: Rotation | None = None,
        asking: Tensor | None = None,
    ) -> tuple[Tensor, KeyValues]:
        """Let every token read those that it may see.

        Args:
            x: `[B, N, D]`.
            mask: as in `attention`.
            past: what was read before.
            rotation: of the tokens in `x`, where positions are told by rotation.
            asking: `[B, Q]` int64, the only tokens of each row that read, then N is Q in what returns; None for all.

        Returns:
            `[B, N, D]`, and the past with these tokens.
        """
        query, key, value = _heads(self.qkv(x), self.heads) if asking is None else self._query_key_value(x, asking)
        if rotation is not None:
            query, key = (rotation if asking is None else rotation.at(asking))(query), rotation(key)
        if asking is not None:
            mask = _of_asking(mask, asking, x.shape[1])
        now = KeyValues(key, value) if past is None else past.extend(key, value)
        return self.out(_joined(attention(query, now.key, now.value, mask))), now

    def asked(self, x: Tensor, asking: Tensor, mask: Tensor | None = None, rotation: Rotation | None = None) -> Tensor:
        """As `forward` with `asking`, where nobody reads on. `[B, N, D]` → `[B, Q, D]`."""
        if rotation is not None:
            return self(x, mask, None, rotation, asking)[0]
        return self.out(
            attention_by(self.qkv, x.shape[-1], self._query(x, asking), x, _of_asking(mask, asking, x.shape[1]))
        )

    def ragged(self, x: Tensor, layout: Ragged) -> Tensor:
        """Let every token read those of its row. `[1, T, D]` → `[1, T, D]`."""
        return self.out(layout.within_rows(self.qkv(x), self._mix))

    def ends(self, x: Tensor, layout: Ragged) -> Tensor:
        """The same for the last token of each row alone. `[1, T, D]` → `[R, D]`."""
        width = x.shape[-1]
        last = torch.cat([last_pool(part, bucket.mask) for part, bucket in layout.each(x)])
        asking = outputs(self.qkv, last, 0, width).unsqueeze(1)
        queries = torch.split(asking, [bucket.rows for bucket in layout.buckets])
        read = layout.each(outputs(self.qkv, x, width, 3 * width))
        mixed = [self._mix_ends(query, *part) for query, part in zip(queries, read, strict=True)]
        return self.out(layout.reordered(torch.cat(mixed)[:, 0]))

    def _mix(self, qkv: Tensor, bucket: Bucket) -> Tensor:
        """`[n, l, 3 D]` → `[n, l, D]`."""
        with _exact_where_short(qkv, bucket) as exact:
            return _joined(attention(*_heads(exact(qkv), self.heads), bucket.seen))

    def _mix_ends(self, query: Tensor, key_value: Tensor, bucket: Bucket) -> Tensor:
        """`[n, 1, D]` and `[n, l, 2 D]` → `[n, 1, D]`."""
        with _exact_where_short(query, bucket) as exact:
            (asking,) = _split(exact(query), 1, self.heads)
            key, value = _split(exact(key_value), 2, self.heads)
            return _joined(attention(asking, key, value, bucket.there))

    def _query(self, x: Tensor, asking: Tensor) -> Tensor:
        """Of some tokens alone, `[B, H, Q, d]`."""
        (query,) = _split(outputs(self.qkv, pick(x, asking), 0, x.shape[-1]), 1, self.heads)
        return query

    def _query_key_value(self, x: Tensor, asking: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries of some tokens alone, and the keys and values of all."""
        width = x.shape[-1]
        key, value = _split(outputs(self.qkv, x, width, 3 * width), 2, self.heads)
        return self._query(x, asking), key, value


class CrossAttention(nn.Module):
    """Multi-head attention of one sequence (text) to another (a picture's patches).

    Several texts may read the same picture: the picture's keys and values are computed once.
    """

    def __init__(self, width: int, heads: int, context_width: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = Linear(width, width)
        self.key_value = Linear(context_width, 2 * width)
        self.out = Linear(width, width)

    def project(self, context: Tensor) -> KeyValues:
        """The context's keys and values. `[P, M, C]` → two of `[P, H, M, d]`."""
        key, value = _split(self.key_value(context), 2, self.heads)
        return KeyValues(key, value)

    def forward(self, x: Tensor, context: KeyValues, mask: Tensor | None = None) -> Tensor:
        """Let `x` read `context`.

        Args:
            x: `[R, N, D]`. With R = P·K, rows r·K ... r·K + K - 1 read context row r.
            context: `[P, H, M, d]` keys and values, from `project`.
            mask: `[P, M]` bool, the keys that are there; None where all are.

        Returns:
            `[R, N, D]`.
        """
        rows, length, width = x.shape
        pictures = len(context.key)
        query = self.query(x).view(pictures, rows // pictures * length, width)
        return self.out(self._read(query, context, mask).view_as(x))

    def ragged(self, x: Tensor, context: KeyValues, groups: Groups, mask: Tensor | None = None) -> Tensor:
        """Let the tokens of each group read its context. `[1, T, D]` → `[1, T, D]`; mask as in `forward`."""
        return self.out(groups.within(self.query(x), partial(self._read, context=context, mask=mask)))

    def by_few(self, x: Tensor, context: Tensor, mask: Tensor | None = None) -> Tensor:
        """As `forward`, where few read a context that nobody else does. `[B, N, D]` and `[B, M, C]` → `[B, N, D]`."""
        (query,) = _split(self.query(x), 1, self.heads)
        return self.out(attention_by(self.key_value, 0, query, context, None if mask is None else mask[:, None, None]))

    def _read(self, query: Tensor, context: KeyValues, mask: Tensor | None) -> Tensor:
        """`[P, N, D]` → the same, each row of queries from its row of the context."""
        rows, length, width = query.shape
        heads = query.view(rows, length, self.heads, width // self.heads).transpose(1, 2).contiguous()
        return _joined(attention(heads, context.key, context.value, None if mask is None else mask[:, None, None]))


def pick(tokens: Tensor, asking: Tensor) -> Tensor:
    """Some tokens of each row. `[..., N, D]` and int64 `[..., Q]` → `[..., Q, D]`."""
    before = asking.shape[:-1]
    starts = torch.arange(before.numel(), device=tokens.device).view(before) * tokens.shape[-2]
    # Whole rows: the gradient of `gather` goes number by number.
    found = tokens.flatten(0, -2).index_select(0, (starts.unsqueeze(-1) + asking).flatten())
    return found.view(*asking.shape, tokens.shape[-1])


@contextmanager
def _exact_where_short(x: Tensor, bucket: Bucket) -> Iterator[Callable[[Tensor], Tensor]]:
    """See `SHORT`. Gives what is to be done to what is attended to."""
    if x.device.type != "cpu" or bucket.length > SHORT or not torch.is_autocast_enabled("cpu"):
        yield lambda each: each
        return
    with torch.autocast("cpu", enabled=False):
        yield precise


def _of_asking(mask: Tensor | None, asking: Tensor, length: int) -> Tensor | None:
    """What some of N = `length` tokens see, `[B, 1 or H, Q, M]`, of a mask that is broadcastable to `[B, H, N, M]`."""
    if mask is None:
        return None
    full = mask[(None,) * (4 - mask.dim())].expand(len(asking), -1, length, -1)
    return pick(full, asking.unsqueeze(1).expand(-1, full.shape[1], -1))


def _heads(qkv: Tensor, heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """`[B, N, 3 D]` → queries, keys and values, `[B, H, N, d]` each."""
    query, key, value = _split(qkv, 3, heads)
    return query, key, value


def _split(parts: Tensor, count: int, heads: int) -> tuple[Tensor, ...]:
    """`[B, N, count D]` → so many of `[B, H, N, d]`."""
    rows, length, width = parts.shape
    each = parts.view(rows, length, count, heads, width // (count * heads))  # not -1: there may be no row
    return each.permute(2, 0, 3, 1, 4).contiguous().unbind(0)


def _joined(heads: Tensor) -> Tensor:
    """`[B, H, N, d]` → `[B, N, D]`."""
    return heads.transpose(1, 2).flatten(2)
