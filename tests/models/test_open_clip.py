"""Weights with open_clip's names give the logits of a model that is built as open_clip builds it."""

from collections import OrderedDict

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuwen.core.batch import Batch, TextBatch
from tuwen.core.errors import CheckpointError
from tuwen.models.config import ModelConfig, ModelContext
from tuwen.models.model import VisionLanguageModel
from tuwen.models.open_clip import from_open_clip, model_settings

SIZE, PATCH, VOCABULARY, LENGTH = 16, 4, 40, 12
IMAGE, TEXT, EMBEDDING = (24, 3), (16, 2), 8
"""Widths and heads."""


class ResidualBlock(nn.Module):
    """With PyTorch's own attention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        parts = {"c_fc": nn.Linear(width, 4 * width), "gelu": nn.GELU(), "c_proj": nn.Linear(4 * width, width)}
        self.mlp = nn.Sequential(OrderedDict(parts))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        normed = self.ln_1(x)
        x = x + self.attn(normed, normed, normed, need_weights=False, attn_mask=mask)[0]
        return x + self.mlp(self.ln_2(x))


def transformer(width: int, heads: int) -> nn.Module:
    holder = nn.Module()
    holder.resblocks = nn.ModuleList([ResidualBlock(width, heads) for _ in range(2)])
    return holder


class Visual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        width, heads = IMAGE
        self.conv1 = nn.Conv2d(3, width, PATCH, PATCH, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(width))
        self.positional_embedding = nn.Parameter(torch.randn((SIZE // PATCH) ** 2 + 1, width))
        self.ln_pre, self.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
        self.transformer = transformer(width, heads)
        self.proj = nn.Parameter(torch.randn(width, EMBEDDING))

    def forward(self, pixels: Tensor) -> Tensor:
        patches = self.conv1(pixels).flatten(2).transpose(1, 2)
        first = self.class_embedding.expand(len(patches), 1, -1)
        x = self.ln_pre(torch.cat([first, patches], 1) + self.positional_embedding)
        for block in self.transformer.resblocks:
            x = block(x)
        return self.ln_post(x[:, 0]) @ self.proj


class Clip(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        width, heads = TEXT
        self.visual = Visual()
        self.transformer = transformer(width, heads)
        self.token_embedding = nn.Embedding(VOCABULARY, width)
        self.positional_embedding = nn.Parameter(torch.randn(LENGTH, width))
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.randn(width, EMBEDDING))
        self.logit_scale = nn.Parameter(torch.tensor(2.0))
        self.register_buffer("attn_mask", torch.full((LENGTH, LENGTH), -torch.inf).triu(1), persistent=False)

    def forward(self, pixels: Tensor, ids: Tensor) -> Tensor:
        x = self.token_embedding(ids) + self.positional_embedding
        for block in self.transformer.resblocks:
            x = block(x, self.attn_mask)
        last = self.ln_final(x)[torch.arange(len(ids)), ids.argmax(1)] @ self.text_projection
        images = F.normalize(self.visual(pixels), dim=-1)
        return self.logit_scale.exp() * F.normalize(last, dim=-1) @ images.T


def texts() -> Tensor:
    """Padded to the full length with zeros; the end has the highest id, as in CLIP."""
    rows = [[38, 5, 9, 39], [38, 7, 39], [38, 3, 4, 5, 6, 7, 8, 39]]
    return torch.tensor([row + [0] * (LENGTH - len(row)) for row in rows])


def imported(clip: Clip, state: dict[str, Tensor]) -> VisionLanguageModel:
    settings = model_settings(state, heads=(IMAGE[1], TEXT[1]))
    context = ModelContext(SIZE, (0.5,) * 3, (0.25,) * 3, VOCABULARY, LENGTH, {})
    model = VisionLanguageModel(ModelConfig(**settings), context)
    model.load_state_dict(from_open_clip(state))
    return model.eval()


def test_the_logits_are_the_same() -> None:
    torch.manual_seed(0)
    clip = Clip()
    model = imported(clip, clip.state_dict())
    pixels = torch.randint(0, 256, (4, SIZE, SIZE, 3), dtype=torch.uint8)
    ids = texts()
    segments = (ids > 0).long()
    shown = int(segments.sum(1).max())
    text = TextBatch(ids[:, :shown], segments[:, :shown], torch.zeros(len(ids), dtype=torch.int64))
    forward = model(Batch(pixels=pixels, texts={"retrieve": text}))
    wanted = clip((pixels.permute(0, 3, 1, 2) / 255 - 0.5) / 0.25, ids)
    torch.testing.assert_close(forward.scale * forward.similarity("retrieve"), wanted, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("without", "extra"), [("visual.proj", None), (None, "visual.attnpool.positional_embedding")])
def test_other_architectures_are_refused(without: str | None, extra: str | None) -> None:
    state = dict(Clip().state_dict())
    if without:
        del state[without]
    if extra:
        state[extra] = torch.zeros(1)
    with pytest.raises(CheckpointError, match=f"the model has (no )?{without or extra}"):
        from_open_clip(state)
