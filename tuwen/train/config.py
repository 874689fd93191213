"""How long, how fast and how carefully to train."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from tuwen.core.rooms import PartConfig, PartOf, PartSpec

Share = Annotated[float, Field(ge=0, lt=1)]

LENGTHS = ("steps", "epochs", "minutes")
"""The settings that say how long; only one of them can."""


class TrainConfig(PartConfig):
    """Settings of `fit`. Say how long with exactly one of `steps`, `epochs` and `minutes`.

    batch_size: samples that one process reads in one forward pass; an optimizer step sees
        batch_size x accumulate x processes of them.
    steps: optimizer steps. epochs: passes over the data. minutes: all the time from the start of training, with
        rendering and compilation; the number of steps is found from the measured speed.
    accumulate: forward passes whose gradients are summed for one optimizer step: as one larger batch, except that
        objectives which compare samples (contrastive, matching, ...) compare those of one pass.
    gradient_cache: whether contrastive objectives compare the samples of all these batches with each other, and not
        each batch's alone: as one larger batch, in the memory of a small one, for one more pass without gradients.
    shard: whether each process keeps but its share of weights, gradients and optimizer memory (`tuwen.train.sharding`),
        for models too large for one device; also where `accelerate launch` is told to use FSDP.
    learning_rate: the highest. It rises linearly over `warmup` (a number of steps, or a share of the run below 1) and
        falls on a cosine to `floor` times the highest, beginning when the share `hold` of the run is over.
    layer_decay: what the learning rate of a layer is of that of the layer above it, in the image tower, the text tower
        and the language model (Howard and Ruder 2018, arXiv:1801.06146, section 3.2); 1 for the same rate everywhere.
    weight_decay, betas: of the optimizer; vectors (biases, scales of norms) do not decay.
    clip_norm: the longest gradient that is applied whole, or none.
    optimizer: a part of `train.optimizers`.
    precision: bf16 computes under autocast. auto: bf16 where this machine is clearly faster with it.
    compile: compile the model's blocks. auto: where this machine can.
    ema: decay of the moving average of the weights that is used in the end, or none.
    save_every_steps, save_every_seconds: when to write a checkpoint; either, both or none (the end is always saved).
    keep: how many checkpoints to keep.
    workers: processes that prepare data; auto: see `tuwen.train.machine.data_workers`.
    log_every: steps between two reports.
    seed: of the order of the data, and of everything random in a step.
    deterministic: use kernels that give the same bits every time, so that a resumed run ends as an unbroken one.
    """

    batch_size: PositiveInt = 64
    steps: PositiveInt | None = None
    epochs: PositiveFloat | None = None
    minutes: PositiveFloat | None = None
    accumulate: PositiveInt = 1
    gradient_cache: bool = False
    shard: bool = False
    learning_rate: PositiveFloat = 1e-3
    warmup: NonNegativeInt | Share = 0.05
    hold: Share = 0.0
    floor: Annotated[float, Field(ge=0, le=1)] = 0.0
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    weight_decay: NonNegativeFloat = 0.05
    betas: tuple[Share, Share] = (0.9, 0.98)
    clip_norm: PositiveFloat | None = 1.0
    optimizer: Annotated[PartSpec, PartOf("train.optimizers")] = {"kind": "adamw"}
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    compile: bool | Literal["auto"] = "auto"
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    save_every_steps: PositiveInt | None = None
    save_every_seconds: PositiveFloat | None = 120.0
    keep: PositiveInt = 2
    workers: NonNegativeInt | Literal["auto"] = "auto"
    log_every: PositiveInt = 10
    seed: NonNegativeInt = 0
    deterministic: bool = True

    @model_validator(mode="after")
    def _one_length(self) -> TrainConfig:
        given = [name for name in LENGTHS if getattr(self, name) is not None]
        if len(given) != 1:
            said = " and ".join(given) or "none of them"
            raise ValueError(f"say how long to train with exactly one of steps, epochs and minutes (there is {said})")
        if self.gradient_cache and self.accumulate == 1:
            raise ValueError("gradient_cache: there is one batch a step; set accumulate to 2 or more, or leave it out")
        if self.gradient_cache and self.shard:
            raise ValueError("gradient_cache: embeds outside of the pass that shard gathers weights for; leave one out")
        return self
