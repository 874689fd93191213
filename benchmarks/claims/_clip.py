"""One contrastive training step, by open_clip and by us: the same architecture, weights, pictures, captions, precision.

open_clip runs its model, its loss and a plain PyTorch loop with fused AdamW; we run the imported weights in ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
Step = Callable[[int], torch.Tensor]
Rate = Callable[[int], float]
"""The learning rate of each step."""

POSITIONS, VOCABULARY, START, END = 77, 49408, 49406, 49407
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
RATE, BETAS, EPS, DECAY = 5e-4, (0.9, 0.98), 1e-6, 0.2
HEAD = 64
"""Width of an attention head."""


@dataclass(frozen=True, slots=True)
class Setup:
    """A model and its batches. image, text: width and depth; both have heads of 64."""

    size: int
    patch: int
    image: tuple[int, int]
    text: tuple[int, int]
    embedding: int
    batch: int
    device: str = "cpu"
    compiled: bool = False

    @property
    def heads(self) -> tuple[int, int]:
        """Of the image and of the text tower."""
        return self.image[0] // HEAD, self.text[0] // HEAD


def make_batch(setup: Setup, seed: int) -> Batch:
    """Smooth random pictures `[B, S, S, 3]` uint8, ids `[B, 77]` and their lengths, 6 to 18."""
    generator = torch.Generator().manual_seed(seed)
    coarse = 255 * torch.rand(setup.batch, 3, 6, 6, generator=generator)
    fine = F.interpolate(coarse, (setup.size, setup.size), mode="bilinear")
    pixels = fine.permute(0, 2, 3, 1).contiguous().to(torch.uint8)
    lengths = torch.randint(6, 19, (setup.batch,), generator=generator)
    ids = torch.randint(1, START, (setup.batch, POSITIONS), generator=generator)
    place = torch.arange(POSITIONS)
    ids[:, 0] = START
    ids = torch.where(place == lengths[:, None] - 1, END, torch.where(place < lengths[:, None], ids, 0))
    return pixels, ids, lengths


def their_model(setup: Setup) -> Any:
    """As open_clip's configuration files describe models."""
    import open_clip

    vision = {"image_size": setup.size, "patch_size": setup.patch, "width": setup.image[0], "layers": setup.image[1]}
    sizes = {"width": setup.text[0], "layers": setup.text[1], "heads": setup.heads[1]}
    text = {"context_length": POSITIONS, "vocab_size": VOCABULARY, **sizes}
    return open_clip.CLIP(embed_dim=setup.embedding, vision_cfg=vision, text_cfg=text).to(setup.device)


def constant(rate: float) -> Rate:
    """The same in every step."""
    return lambda step: rate


def their_step(setup: Setup, clip: Any, batches: Sequence[Batch], rate: Rate) -> Step:
    """Its model and loss, as its training loop uses them."""
    import open_clip

    loss = open_clip.ClipLoss()
    plain = [p for p in clip.parameters() if p.ndim < 2]
    decaying = [p for p in clip.parameters() if p.ndim >= 2]
    groups = [{"params": plain, "weight_decay": 0.0}, {"params": decaying, "weight_decay": DECAY}]
    optimizer = torch.optim.AdamW(groups, lr=RATE, betas=BETAS, eps=EPS, fused=True)
    clip.train()
    model = torch.compile(clip) if setup.compiled else clip
    made = [(normalised(pixels), ids) for pixels, ids, _ in batches]

    def step(number: int) -> torch.Tensor:
        pixels, ids = (each.to(setup.device, non_blocking=True) for each in made[number % len(made)])
        for group in optimizer.param_groups:
            group["lr"] = rate(number)
        optimizer.zero_grad()
        with torch.autocast(setup.device, torch.bfloat16):
            total: torch.Tensor = loss(*model(pixels, ids))
        total.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return total.detach()

    return step


def our_step(setup: Setup, state: dict[str, torch.Tensor], batches: Sequence[Batch], rate: Rate) -> Step:
    """The imported weights, trained as `tuwen pretrain` trains, by the same optimizer."""
    return trained(setup, our_model(setup, state), batches, rate, {"kind": "adamw", "eps": EPS}, None)


def trained(
    setup: Setup, model: Any, batches: Sequence[Batch], rate: Rate, optimizer: dict[str, Any], clip_norm: float | None
) -> Step:
    """A model of ours, trained contrastively as `tuwen pretrain` trains."""
    from accelerate import Accelerator

    from tuwen.objectives import ObjectiveContext
    from tuwen.objectives.contrastive import Config, build
    from tuwen.recipe.step import Step as Training
    from tuwen.train.config import TrainConfig
    from tuwen.train.learner import Learner
    from tuwen.train.processes import Team

    objective = build(Config(), ObjectiveContext(vocab_size=VOCABULARY, mask=0, special=()))
    module = Training(model.train(), {"contrastive": objective})
    config = TrainConfig(steps=1, weight_decay=DECAY, betas=BETAS, clip_norm=clip_norm, optimizer=optimizer)
    learner = Learner(module, config, Team(Accelerator(cpu=setup.device == "cpu")), "bf16")
    if setup.compiled:
        module.compile_()
    made = [our_batch(*batch) for batch in batches]

    def step(number: int) -> torch.Tensor:
        batch = made[number % len(made)]
        (losses,) = learner.gradients([batch], module.counts(batch))
        learner.update(rate(number), number)
        return losses["contrastive"].mean

    return step


def our_model(setup: Setup, state: dict[str, torch.Tensor]) -> Any:
    """Its weights in our model."""
    from tuwen.models.config import ModelConfig, ModelContext
    from tuwen.models.model import VisionLanguageModel
    from tuwen.models.open_clip import from_open_clip, model_settings

    context = ModelContext(setup.size, MEAN, STD, VOCABULARY, POSITIONS, {})
    model = VisionLanguageModel(ModelConfig(**model_settings(state, setup.heads)), context)
    model.load_state_dict(from_open_clip(state))
    return model.to(setup.device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def our_batch(pixels: torch.Tensor, ids: torch.Tensor, lengths: torch.Tensor) -> Any:
    """The same pictures and captions, as our loader would hand them over."""
    from tuwen.core.batch import Batch as Ours
    from tuwen.core.batch import TextBatch

    shown = int(lengths.max())
    segments = (torch.arange(shown) < lengths[:, None]).long()
    text = TextBatch(ids[:, :shown], segments, torch.arange(len(ids)), rows_per_image=1)
    return Ours(pixels=pixels, texts={"retrieve": text}, keys=tuple(map(str, range(len(ids)))))


def normalised(pixels: torch.Tensor) -> torch.Tensor:
    """What open_clip's transform hands over: float32 `[B, 3, S, S]`."""
    mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in (MEAN, STD))
    return ((pixels.permute(0, 3, 1, 2) / 255 - mean) / std).contiguous()


def logits_difference(setup: Setup, clip: Any, batch: Batch) -> float:
    """The largest between the two, in float32."""
    pixels, ids, _ = batch
    with torch.no_grad():
        images, texts, scale = clip.eval()(normalised(pixels).to(setup.device), ids.to(setup.device))
        forward = our_model(setup, clip.state_dict()).eval()(our_batch(*batch).to(setup.device))
        ours = forward.scale * forward.similarity("retrieve")
        return float((ours - scale * texts @ images.T).abs().max())
