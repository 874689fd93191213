"""Does a frozen language model bind new words to pictures? (Tsimpoukelli et al. 2021, arXiv:2106.13884)

Four runs: a language model learns from texts alone; it is frozen, and a prefix is learned from captions; then the same
with the language model fine-tuned instead of frozen, and with one that was never pretrained. Blacked-out pictures are
judged with each of them.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuwen.core.errors import DataError
from tuwen.core.rooms import build_part
from tuwen.core.sample import Sample
from tuwen.experiments.runs import Recipes, refuse_other_settings, trained
from tuwen.metrics.classification import wilson_interval
from tuwen.recipe.resolve import Resolved
from tuwen.recipe.run import load_run
from tuwen.recipe.schema import Recipe, load_recipe
from tuwen.recipe.sources import by_number, sound
from tuwen.report.examples import SplitExamples
from tuwen.train.checkpoints import write_whole
from tuwen.train.events import Listener

Say = Callable[[str], None]
Figures = Mapping[str, float]

LANGUAGE, UNTRAINED = "language", "language_untrained"
UNLEARNED = ("train.steps=1", "train.warmup=0", "train.learning_rate=1e-9")
"""A language model with the tokenizer of the pretrained one, that has learned nothing."""

QUICK = {
    "frozen_language": ("train.steps=620", "data.stages.0.samples=4500", "data.stages.1.samples=4500"),
    "frozen": (
        "train.steps=270",
        "evaluate.samples=400",
        "evaluate.splits=[test]",
        "tasks.fast_binding.episodes=100",
        "tasks.fast_binding.shots=[0,1,3]",
        "tasks.few_shot_vqa.questions=150",
    ),
}
"""What `--quick` changes in each recipe."""

PAPER = {
    "2_way_1_shot": 0.534,
    "2_way_5_shot": 0.589,
    "5_way_1_shot": 0.202,
    "5_way_3_shot": 0.223,
    "0_shot_accuracy": 0.295,
    "1_shot_accuracy": 0.357,
    "4_shot_accuracy": 0.382,
}
"""Of the frozen model with 7 billion parameters on photographs (its tables 1 and 4; questions of VQAv2): another task,
given for the shape of the result alone."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to let a language model see. language: the run that it starts from. sets: changes of the recipe."""

    name: str
    title: str
    language: str
    sets: tuple[str, ...] = ()


ARMS = (
    Arm("frozen", "frozen", LANGUAGE),
    Arm("finetuned", "fine-tuned", LANGUAGE, ("model.freeze=[]",)),
    Arm("unpretrained", "not pretrained", UNTRAINED, ("model.freeze=[]",)),
)


@dataclass(frozen=True)
class Results:
    """What came out: for each arm the figures of both tasks by name, and how many trials each figure has."""

    arms: Mapping[str, Figures]
    trials: Mapping[str, int]

    def share(self, arm: str, figure: str) -> tuple[float, float, float] | None:
        """A figure with its 95 % interval (Wilson); None where it was not measured."""
        value = self.arms[arm].get(figure)
        if value is None:
            return None
        count = self.trials["questions" if "accuracy" in figure else "episodes"]
        return (value, *wilson_interval(round(value * count), count))

    @property
    def figures(self) -> list[str]:
        """The names of all figures that are shares of right answers, as they were measured."""
        names = dict.fromkeys(name for figures in self.arms.values() for name in figures)
        return [name for name in names if name.endswith(("_shot", "_shot_accuracy"))]

    @property
    def links(self) -> list[str]:
        """The links of the chain before the last: binding in words, and naming of pictures."""
        names = dict.fromkeys(name for figures in self.arms.values() for name in figures)
        return [name for name in names if name.startswith("named_") or name.endswith("_in_words")]


def run(
    out: Path,
    quick: bool = False,
    sets: Sequence[str] = (),
    controls: bool = True,
    pictures: Path | None = None,
    listeners: Sequence[Listener] = (),
    say: Say = lambda text: None,
) -> Results:
    """Train and judge every arm that is not done yet; leaves `results.json`, `results.md` and `results.png` in `out`.

    Args:
        out: folder of the runs.
        quick: a smaller one, that shows the same signs.
        sets: changes of the recipe of the arms, as after `--set`.
        controls: also the fine-tuned arm and the one that is not pretrained.
        pictures: a folder with a subfolder of pictures for each kind, which nobody has ever told the model of: the arms
            are to bind words to them too.
        listeners: hear of the training.
        say: hears what is done.

    Raises:
        RecipeError: a setting does not fit; said before anything is trained.
        CheckpointError: a run in `out` was made with other settings; likewise.
        Interrupted: a training was interrupted.
    """
    arms = ARMS if controls else ARMS[:1]
    others = None if pictures is None else _alike(pictures)
    recipes = _recipes(out, arms, quick, sets)
    refuse_other_settings(out, recipes)
    found = {name: trained(out, name, resolved, listeners, say) for name, resolved in recipes.items()}
    results = collect({arm.name: found[arm.name] for arm in arms})
    content: dict[str, Any] = {"arms": results.arms, "trials": results.trials, "paper": PAPER}
    table = markdown(results)
    if pictures is not None and others is not None:
        bound = elsewhere({arm.name: out / arm.name for arm in arms}, others)
        content["elsewhere"] = {"arms": bound.arms, "trials": bound.trials}
        table += f"\nPictures that the model was never told of ({pictures.name}):\n\n{markdown(bound)}"
    write_whole(out / "results.json", json.dumps(content, indent=2))
    write_whole(out / "results.md", table)
    draw(results, out / "results.png")
    return results


def elsewhere(runs: Mapping[str, Path], samples: Sequence[Sample]) -> Results:
    """How the arms of these runs bind words to other pictures; their labels say what is alike."""
    found = {name: _bind(run, samples) for name, run in runs.items()}
    arms = {name: _own(figures) for name, figures in found.items()}
    return Results(arms, {"episodes": int(next(iter(found.values()))["count"])})


def _alike(pictures: Path) -> list[Sample]:
    """The pictures of a folder; its subfolders are their labels.

    Raises:
        DataError: there is no such folder, or no subfolder of it has two pictures and another one two, too.
    """
    splits = build_part("data", {"kind": "folder", "path": str(pictures)})
    samples = [sample for split in splits.values() for sample in sound(by_number(split, range(len(split))))]
    kinds = Counter(sample.label for sample in samples if sample.label is not None)
    if sum(count > 1 for count in kinds.values()) < 2:
        raise DataError(
            f"{pictures}: to bind words to them it needs two subfolders of two pictures each, at the least."
        )
    return samples


def _bind(run: Path, samples: Sequence[Sample]) -> Figures:
    system = load_run(run)
    return system.tasks["fast_binding"].evaluate(system.predictor(), samples, (), SplitExamples())


def collect(metrics: Mapping[str, Mapping[str, Any]]) -> Results:
    """The figures of runs, from their `metrics.json`."""
    arms: dict[str, Figures] = {}
    trials: dict[str, int] = {}
    for name, found in metrics.items():
        binding, questions = found["tasks"]["fast_binding"], found["tasks"]["few_shot_vqa"]
        arms[name] = _own({**binding, **questions})
        trials = {"episodes": int(binding["count"]), "questions": int(questions["count"])}
    return Results(arms, trials)


def _own(figures: Figures) -> Figures:
    """Without what is no figure of the model."""
    return {key: value for key, value in figures.items() if key != "count" and not key.endswith("chance_floor")}


def markdown(results: Results) -> str:
    """A table of all figures with their intervals, the blind model's and the paper's beside them."""
    titles = [arm.title for arm in ARMS if arm.name in results.arms]
    names = [arm.name for arm in ARMS if arm.name in results.arms]
    lines = [
        f"| | {' | '.join(titles)} | blind | chance | the paper's |",
        "|---|" + "---|" * (len(titles) + 3),
    ]
    for figure in results.figures:
        cells = [_cell(results.share(name, figure)) for name in names]
        blind = _cell(results.share(names[0], f"{figure}_blind_floor"))
        paper = f"{100 * PAPER[figure]:.1f}" if figure in PAPER else ""
        lines.append(f"| {_title(figure)} | {' | '.join(cells)} | {blind} | {_chance(figure)} | {paper} |")
    for figure in results.links:
        cells = [_cell(results.share(name, figure)) for name in names]
        lines.append(f"| {_title(figure)} | {' | '.join(cells)} | | | |")
    return "\n".join(lines) + "\n"


def draw(results: Results, file: Path) -> None:
    """Accuracy against the number of pictures of each word, a panel for each number of words."""
    from matplotlib.figure import Figure

    ways = sorted({int(name.split("_")[0]) for name in results.figures if "_way_" in name})
    figure = Figure(figsize=(4.2 * len(ways), 3.6), layout="constrained")
    axes = figure.subplots(1, len(ways), sharex=True, sharey=True, squeeze=False)[0]
    for axis, number in zip(axes, ways, strict=True):
        for arm in ARMS:
            if arm.name in results.arms:
                _line(axis, results, arm.name, number, "", arm.title)
        _line(axis, results, next(iter(results.arms)), number, "_blind_floor", "blind")
        _line(axis, results, next(iter(results.arms)), number, "_in_words", "told in words")
        axis.axhline(1 / number, color="0.6", linestyle=":", label="chance among the words")
        axis.set(title=f"{number} new words", xlabel="pictures of each word", ylim=(-0.02, 1.02))
    axes[0].set_ylabel("named by the right new word")
    axes[0].xaxis.get_major_locator().set_params(integer=True)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize="small")
    figure.savefig(file, dpi=150)


def _line(axis: Any, results: Results, arm: str, ways: int, suffix: str, title: str) -> None:
    points = []
    for name in results.figures:
        if name.startswith(f"{ways}_way_") and (share := results.share(arm, name + suffix)) is not None:
            points.append((int(name.split("_")[2]), *share))
    if points:
        shots, values, low, high = zip(*sorted(points), strict=True)
        axis.plot(shots, values, marker="o", label=title, linestyle="--" if suffix else "-")
        axis.fill_between(shots, low, high, alpha=0.15)


def _recipes(out: Path, arms: Sequence[Arm], quick: bool, sets: Sequence[str]) -> Recipes:
    """What every run is to be made with, in the order of their training."""

    def resolved(recipe: str, *settings: str) -> Resolved[Recipe]:
        return load_recipe(recipe, sets=(*(QUICK[recipe] if quick else ()), *settings))

    own = {LANGUAGE: (), UNTRAINED: UNLEARNED}
    recipes = {name: resolved("frozen_language", *own[name]) for name in own if name in {arm.language for arm in arms}}
    for arm in arms:
        recipes[arm.name] = resolved("frozen", f"start.run={out / arm.language}", *arm.sets, *sets)
    return recipes


def _cell(share: tuple[float, float, float] | None) -> str:
    return "" if share is None else f"{100 * share[0]:.1f} ({100 * share[1]:.0f}–{100 * share[2]:.0f})"


def _chance(figure: str) -> str:
    """Of who knows that it is one of the words that were told; nobody knows where none were told."""
    told = "_way_" in figure and "_way_0_" not in figure
    return f"{100 / int(figure.split('_')[0]):.0f}" if told else ""


def _title(figure: str) -> str:
    words = figure.replace("_way_", " words, ").replace("_shot_accuracy", " examples: questions answered")
    words = words.replace("_shot", " pictures of each").replace("_in_words", ", told in words").replace("_", " ")
    return re.sub(r"\b1 (picture|example)s", r"1 \1", words)
