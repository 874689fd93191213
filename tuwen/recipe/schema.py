"""What a recipe says: one mapping of typed sections. Defaults live in the sections and parts themselves."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PositiveFloat, model_validator

from tuwen.core.rooms import PartConfig, PartOf, PartSpec
from tuwen.models.config import ModelConfig
from tuwen.prep.images import ImageConfig
from tuwen.prep.tokens import TokenizerConfig
from tuwen.recipe.layers import read_file, read_sets
from tuwen.recipe.library import find_recipe
from tuwen.recipe.resolve import Resolved, resolve
from tuwen.recipe.settings import Setting
from tuwen.train.config import TrainConfig


def _name_kinds(parts: Any) -> Any:
    """A part without `kind` is of the kind that its name says; null takes out a part of the extended recipe."""
    if not isinstance(parts, dict):
        return parts
    kept = {name: part for name, part in parts.items() if part is not None}
    return {name: {"kind": name, **part} if isinstance(part, dict) else part for name, part in kept.items()}


class EvaluateConfig(PartConfig):
    """What a finished run is measured on.

    splits: of the data; all but `train` where null. samples: at most, of each split.
    """

    splits: tuple[str, ...] | None = None
    samples: int = Field(default=2000, ge=1)


class MixConfig(PartConfig):
    """Which of its tasks a sample is learned for where it has something for several, each time that it is seen.

    weights: `all` of them; or one, drawn `even`ly, `proportional` to how many training samples have something for a
        task, or by numbers for the tasks: `{vqa: 3, caption: 1}`.
    temperature: with proportional weights, a task of n samples weighs n^(1/temperature) (Raffel et al. 2020, "Exploring
        the Limits of Transfer Learning", section 3.5.2): the higher, the more even.
    """

    weights: Literal["all", "even", "proportional"] | dict[str, PositiveFloat] = "all"
    temperature: float = Field(default=1.0, ge=1)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.temperature != 1 and self.weights != "proportional":
            raise ValueError("temperature only acts on proportional weights")
        return self


class StartConfig(PartConfig):
    """A trained model to start from: its weights, tokenizer and preprocessing.

    run: the folder of the trained model.
    zero_shot: heads over labels that begin as the zero-shot classifier of that model, where it has no such head itself.
    """

    run: Path
    zero_shot: tuple[str, ...] = ()


class GuardConfig(PartConfig):
    """What a model could do before its fine-tuning and shall not forget.

    data: a part of the room `data`, with unseen samples. tasks: parts by name, measured on them.
    samples: at most. times: how often it is measured between the first step and the last.
    alphas: steps of the curve between the pretrained and the fine-tuned weights; 0 for none.
    alpha: the share of the fine-tuned weights that is saved beside them; the best of the curve where null.
    """

    data: Annotated[PartSpec, PartOf("data")]
    tasks: Annotated[dict[str, Annotated[PartSpec, PartOf("tasks")]], BeforeValidator(_name_kinds)] = Field(
        min_length=1
    )
    samples: int = Field(default=500, ge=4)
    times: int = Field(default=4, ge=0)
    alphas: int = Field(default=10, ge=0)
    alpha: float | None = Field(default=None, ge=0, le=1)


class Recipe(PartConfig):
    """A whole system: what it learns from, what it consists of, how it is trained, what it is asked.

    seed: of the first weights and of the tokenizer's sample of texts.
    start: a trained model to start from, or none. guard: what it could do and shall not forget, or none.
    data: a part of the room `data`.
    objectives, tasks: parts by name; one without `kind` is of the kind that its name says, and null takes one out that
        the extended recipe has.
    mix: how tasks share the samples. To mix data sets, there is the data part `mixture`.
    optional: tasks and objectives that are left out, with a note, where the training data has nothing for them, or the
        recipe makes nothing of it that they could read; for any other that is an error.
    """

    seed: int = Field(default=0, ge=0)
    start: StartConfig | None = None
    guard: GuardConfig | None = None
    data: Annotated[PartSpec, PartOf("data")]
    image: ImageConfig = ImageConfig()
    tokenizer: TokenizerConfig = TokenizerConfig()
    model: ModelConfig
    objectives: Annotated[dict[str, Annotated[PartSpec, PartOf("objectives")]], BeforeValidator(_name_kinds)]
    tasks: Annotated[dict[str, Annotated[PartSpec, PartOf("tasks")]], BeforeValidator(_name_kinds)]
    mix: MixConfig = MixConfig()
    optional: tuple[str, ...] = ()
    train: TrainConfig
    evaluate: EvaluateConfig = EvaluateConfig()

    @model_validator(mode="after")
    def _guards_whole_weights(self) -> Recipe:
        if self.guard is not None and self.train.shard:
            raise ValueError("guard: measures the whole model while it is trained; leave the guard or train.shard out")
        return self


def data_kind(name: str | Path) -> str | None:
    """Which part a recipe reads its data from; None where it does not say so.

    Raises:
        RecipeError: there is no such recipe, or it cannot be read.
    """
    found, exact = read_file(find_recipe(name)).find(("data", "kind"))
    return str(found.value) if exact else None


def load_recipe(
    name: str | Path = "quickstart", options: Iterable[Setting] = (), sets: Iterable[str] = ()
) -> Resolved[Recipe]:
    """Read, merge and check a recipe.

    Args:
        name: a recipe that comes with Tuwen, a YAML file, or a run folder.
        options: what command-line options set, the later on top: `Setting.given({"data": {...}}, "--data")`.
        sets: `a.b=c` as given after `--set`; on top of all.

    Raises:
        RecipeError: with a line for each fault: where it was set, its key, and what to do.
    """
    given = read_file(find_recipe(name))
    for option in options:
        given = option.over(given)
    return resolve(Recipe, read_sets(sets).over(given))
