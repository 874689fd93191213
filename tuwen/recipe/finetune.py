"""The recipe of a fine-tuning: a trained run's own, with one task, and the data to learn it from.

The model, its tokenizer and its preprocessing are those of the run; what the task needs besides (a head over the labels
or answers of the data) is added. What comes out is a recipe like any other, so that training, resuming and evaluating
it is what it is for every recipe.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from tuwen.core.errors import RecipeError
from tuwen.core.rooms import PartSpec
from tuwen.models.lora import linear_layers
from tuwen.models.parts import Parts, coarse, parts_of
from tuwen.recipe.layers import read_sets
from tuwen.recipe.library import RUN_RECIPE
from tuwen.recipe.resolve import Resolved, resolve
from tuwen.recipe.run import load_run
from tuwen.recipe.schema import Recipe
from tuwen.recipe.settings import Setting
from tuwen.tasks import WORDS
from tuwen.train.config import LENGTHS

TaskName = Literal["classify", "vqa", "caption", "retrieve"]
TASKS: tuple[TaskName, ...] = get_args(TaskName)

HEAD = "head"
"""What `only` calls the part that the task alone uses."""

WHOLE_RATE = 0.1
"""The learning rate where all weights move, as a share of that of the pretraining."""

MINUTES = 5.0
"""How long to train where nobody says it."""

Settings = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a task asks of a recipe.

    task: its settings. stream: of its rows; None for the pictures' own class. objective: what trains it, where the run
        has nothing that does. needs: the model's parts, by name. head: what `only: head` trains.
    """

    task: PartSpec
    stream: str | None
    objective: PartSpec
    needs: tuple[str, ...]
    head: str | None
    heads: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def finetune_recipe(
    run: Path,
    task: TaskName,
    *,
    data: PartSpec | None = None,
    only: Sequence[str] = (),
    lora: int | None = None,
    guard: bool = True,
    sets: Iterable[str] = (),
) -> Resolved[Recipe]:
    """The recipe that goes on from a trained run with one task.

    Args:
        run: folder of the trained model.
        task: what to learn.
        data: a part of the room `data`; the run's own where None.
        only: the parts that learn, all others stay as they are: `head`, `image`, `text`, ...; all learn where empty.
        lora: rank of adapters that learn in place of the towers' linear layers; heads and projections learn whole.
        guard: measure what the model could do before, on the run's own data, and mix old and new weights.
        sets: `a.b=c` as given after `--set`; on top of all.

    Raises:
        CheckpointError: there is no trained model in the folder.
        RecipeError: the model has not what the task needs, or a setting does not fit.
    """
    sets = list(sets)
    trained = load_run(run, "cpu")  # only its settings and the names of its parts are read
    base = read_sets(sets).over(Setting.given(trained.recipe.model_dump(mode="json"), str(run))).plain()
    name = next((name for name, spec in base["tasks"].items() if spec and _kind(name, spec) == task), task)
    wanted = _WANTED[task](name, base)
    _check_needs(wanted, task, base["model"], run)
    settings = _composed(base, name, wanted, run, others_learn=set(only) != {HEAD})
    settings["model"] |= _what_learns(wanted, settings["model"], parts_of(trained.model), only, lora)
    settings["guard"] = _guard(trained.recipe) if guard else None
    settings["train"] |= _train(base["train"], read_sets(sets).plain().get("train") or {}, whole=not (only or lora))
    layers = Setting.given(settings, f"{run / RUN_RECIPE} with --task {task}")
    if data is not None:
        layers = Setting.given({"data": data}, "--data").over(Setting.given({"data": None}, "--data").over(layers))
    return resolve(Recipe, read_sets(sets).over(layers))


def _kind(name: str, spec: PartSpec) -> str:
    return str(spec.get("kind", name))


def _composed(base: Settings, name: str, wanted: Wanted, run: Path, others_learn: bool) -> Settings:
    """The run's settings with one task, and with the objectives of the run that read its rows, or the usual one.

    others_learn: whether more than the task's own head learns, and so from objectives that have another.
    """
    before = base["model"]["heads"]
    heads = {head: spec for head, spec in before.items() if spec.get("classes") not in ("labels", "answers", "tags")}
    heads |= {head: {**spec, **before.get(head, {})} for head, spec in wanted.heads.items()}
    trained_by = {
        objective: spec
        for objective, spec in base["objectives"].items()
        if spec and "stream" in spec and spec["stream"] == wanted.stream and spec.get("head") in (None, *heads)
    }
    usual = wanted.objective["kind"]
    if not others_learn:
        trained_by = {objective: spec for objective, spec in trained_by.items() if _kind(objective, spec) == usual}
    others = [objective for objective, spec in trained_by.items() if _kind(objective, spec) != usual]
    zero_shot = [head for head in wanted.heads if _may_be_zero_shot(heads[head], base["model"])]
    return base | {
        "start": {"run": str(run), "zero_shot": zero_shot},
        "tasks": {name: wanted.task},
        "objectives": trained_by if len(others) < len(trained_by) else {**trained_by, usual: wanted.objective},
        "optional": others,  # other data may have nothing for them
        "model": base["model"] | {"heads": heads, "freeze": [], "lora": {}},
    }


def _may_be_zero_shot(head: Mapping[str, Any], model: Settings) -> bool:
    plain = head["reads"] == "image" and head.get("hidden") is None
    return plain and head["classes"] == "labels" and model["embedding"] is not None


def _classify(name: str, base: Settings) -> Wanted:
    own = base["tasks"].get(name) or {}
    head, with_text = own.get("head", "label"), bool(own.get("with_text"))
    stream = name if with_text else None
    reads = "fused" if with_text else "image"
    return Wanted(
        task={**own, "kind": "classify", "by": "head", "head": head},
        stream=stream,
        objective={"kind": "classification", "head": head, "stream": stream},
        needs=("image", "text", "fusion") if with_text else ("image",),
        head=f"heads.{head}",
        heads={head: {"reads": reads, "classes": "labels"}},
    )


def _vqa(name: str, base: Settings) -> Wanted:
    own = base["tasks"].get(name) or {}
    if own.get("by", "head" if base["model"]["language"] is None else "words") == "words":
        return _by_words({**own, "kind": "vqa", "by": "words"})
    head = own.get("head", "answer")
    return Wanted(
        task={**own, "kind": "vqa", "by": "head", "head": head},
        stream=name,
        objective={"kind": "classification", "head": head, "stream": name},
        needs=("image", "text", "fusion"),
        head=f"heads.{head}",
        heads={head: {"reads": "fused", "classes": "answers"}},
    )


def _caption(name: str, base: Settings) -> Wanted:
    return _by_words({**(base["tasks"].get(name) or {}), "kind": "caption"})


def _by_words(task: PartSpec) -> Wanted:
    return Wanted(task, WORDS, {"kind": "captioning", "stream": WORDS}, ("image", "language"), None)


def _retrieve(name: str, base: Settings) -> Wanted:
    own = base["tasks"].get(name) or {}
    objective = {"kind": "contrastive", "stream": name}
    return Wanted({**own, "kind": "retrieve"}, name, objective, ("image", "text", "embedding"), "embedding")


_WANTED = {"classify": _classify, "vqa": _vqa, "caption": _caption, "retrieve": _retrieve}


def _check_needs(wanted: Wanted, task: str, model: Settings, run: Path) -> None:
    lacking = [part for part in wanted.needs if model[part] is None]
    if lacking:
        there = ", ".join(part for part in (*_PARTS, "embedding") if model[part] is not None)
        raise RecipeError(
            f"--task {task} needs model.{' and model.'.join(lacking)}, and the model in {run} has only: {there}. "
            f"Choose a task that it can learn, or add a part with random weights: --set model.{lacking[0]}=…"
        )


def _what_learns(wanted: Wanted, model: Settings, trained: Parts, only: Sequence[str], lora: int | None) -> Settings:
    """The settings of the model that say which parts learn. trained: the parts of the trained model."""
    if only and lora:
        raise RecipeError("--only and --lora: say one of them; adapters are for parts that do not learn otherwise.")
    parts = [name for name in trained if not name.startswith("heads.")] + [f"heads.{head}" for head in model["heads"]]
    if HEAD in only and wanted.head is None:
        raise RecipeError(f"--only head: the language model answers, there is no head; choose of {', '.join(parts)}.")
    if only:
        learning = {wanted.head if name == HEAD else name for name in only}
        unknown = sorted(str(name) for name in learning - {*parts, *(n for n in _PARTS if model[n] is not None)})
        if unknown:
            raise RecipeError(f"--only {unknown[0]}: this model has no such part; it has {HEAD}, {', '.join(parts)}.")
        return {"freeze": [name for name in parts if name not in learning]}
    still = coarse(trained)
    if lora:
        fine = [name for name in trained if name in _PARTS and name not in still]
        layered = [name for name in fine if any(map(linear_layers, trained[name]))]
        if not layered:
            raise RecipeError("--lora: none of the model's parts has a linear layer; leave it out, or say --only head.")
        others = [name for name in trained if name in _PARTS and name not in layered]
        return {"lora": {name: {"rank": lora} for name in layered}, "freeze": others}
    return {"freeze": still}


_PARTS = ("image", "text", "fusion", "language")
"""The parts that hold most of a model's weights."""


_COMPARED = (("retrieve", None), ("classify", "texts"))
"""Kinds of tasks, and by what they answer, that compare pictures with texts and have no weights of their own."""


def _guard(before: Recipe) -> Settings | None:
    """What is compared without training, on the data of the pretraining; None where the model has no space for it."""
    tasks = {name: spec for name, spec in before.tasks.items() if (spec["kind"], spec.get("by")) in _COMPARED}
    if before.model.embedding is None or not tasks:
        return None
    return {"data": before.data, "tasks": tasks}


def _train(before: Settings, given: Settings, whole: bool) -> Settings:
    """How to train: gently where trained weights move, and for a few minutes unless something else is asked for."""
    long = any(given.get(name) is not None for name in LENGTHS)
    length = dict.fromkeys(LENGTHS) | ({} if long else {"minutes": MINUTES})
    rate = before["learning_rate"] * (WHOLE_RATE if whole else 1)
    return {**length, "learning_rate": given.get("learning_rate", rate), "hold": given.get("hold", 0.0)}
