"""A new model that starts from a trained one: with its weights, its tokenizer and its preprocessing.

What both models have by the same name is carried over; what is new begins from random weights, but for a head over
labels that is told to begin as the zero-shot classifier: then fine-tuning starts from what the model could do already
(Wortsman et al. 2022, "Robust fine-tuning of zero-shot models", arXiv:2109.01903, section 3).
Shapes: C classes, D width of the image tower, E width of the common space.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuwen.core.errors import RecipeError
from tuwen.core.sample import Sample
from tuwen.models.model import VisionLanguageModel
from tuwen.models.parts import PROJECTIONS, SCALES
from tuwen.models.predictor import Predictor
from tuwen.prep.batches import Encoded
from tuwen.prep.images import ImageConfig
from tuwen.prep.tokens import Tokenizer
from tuwen.recipe.model_folder import ModelFolder, read_model
from tuwen.recipe.schema import Recipe, StartConfig
from tuwen.recipe.usable import usable

Words = Mapping[str, Sequence[str]]
"""The classes of heads, as in `tuwen.recipe.prepare.Vocabulary`."""

ONLY_IN_TRAINING = ("augment", "scale", "ratio", "shift", "zoom", "flip", "rotate", "view", "max_megapixels")
"""Settings of pictures that do not change what a model sees in use (at most, which pictures are refused as too large),
so that fine-tuning may choose them anew."""


@dataclass(frozen=True, slots=True)
class Carried:
    """What a model began with, by the names of its settings: `text`, `embedding`, `heads.label`.

    parts: those carried over. new: those that begin from random weights. left: those that only the trained model has.
    """

    parts: tuple[str, ...]
    new: tuple[str, ...]
    left: tuple[str, ...]

    def note(self, run: object) -> str:
        """The same in a sentence."""
        said = f"Started from {run}: {', '.join(self.parts) or 'nothing'}."
        said += f" New: {', '.join(self.new)}." if self.new else ""
        return said + (f" Not taken over: {', '.join(self.left)}." if self.left else "")


class Start:
    """The trained model that a recipe starts from.

    Raises:
        CheckpointError: its folder is missing, incomplete or changed.
        RecipeError: the recipe prepares pictures otherwise than that model was trained to see them.
    """

    def __init__(self, config: StartConfig, recipe: Recipe) -> None:
        self.config = config
        self.saved: ModelFolder = read_model(config.run)
        self._check_images(recipe.image)

    def tokenizer(self, max_length: int) -> Tokenizer:
        """The trained model's own.

        Raises:
            RecipeError: it has none.
        """
        if self.saved.tokenizer is None:
            raise RecipeError(f"start: the model in {self.config.run} reads no text, so it has no tokenizer.")
        return Tokenizer.load(self.saved.tokenizer, max_length)

    def give(self, model: VisionLanguageModel, vocabulary: Words) -> Carried:
        """Put the trained weights into a new model whose heads are over `vocabulary`.

        Raises:
            RecipeError: a part has other settings than it was trained with.
        """
        return carry(self.saved.weights(), self.saved.vocabulary(), model, vocabulary, str(self.config.run))

    def _check_images(self, images: ImageConfig) -> None:
        own = self.saved.preprocessing()
        for name in ImageConfig.model_fields:
            here, there = getattr(images, name), getattr(own, name)
            if name not in ONLY_IN_TRAINING and here != there:
                raise RecipeError(
                    f"image.{name}: {here!r}, but the model in {self.config.run} was trained with {there!r}: set that."
                )


def carry(weights: Mapping[str, Tensor], words: Words, model: VisionLanguageModel, own: Words, where: str) -> Carried:
    """Copy trained weights into a model, part by part.

    A head over a vocabulary takes the rows of the classes that both know, by name, whatever their numbers.

    Args:
        weights: the trained state dict. words: its vocabulary. model: receives them. own: the model's vocabulary.
        where: the trained model's folder, for messages.

    Raises:
        RecipeError: a part is in both, and only some of its weights fit.
    """
    target = bare_state(model)
    fitting = {name for name, tensor in target.items() if name in weights and weights[name].shape == tensor.shape}
    heads = {f"heads.{name}": head.classes for name, head in model.config.heads.items()}
    by_rows = {part for part, classes in heads.items() if isinstance(classes, str) and classes in own}
    there, fits = Counter(map(part_of, target)), Counter(map(part_of, fitting))
    for part in there.keys() & set(map(part_of, weights)) - by_rows:
        if fits[part] != there[part]:
            name = next(name for name in target if part_of(name) == part and name not in fitting)
            shapes = f"{shape_in(weights, name)} there and {shape_in(target, name)} here"
            raise RecipeError(
                f"start: model.{part} is not the one in {where}: {name} is {shapes}. Give it the settings that it "
                f"has in {where}/recipe.yaml."
            )
    with torch.no_grad():
        for name in fitting - {name for name in target if part_of(name) in by_rows}:
            target[name].copy_(weights[name])
        taken = {part for part in by_rows if _carry_head(part, heads[part], weights, words, target, own)}
    carried = tuple(part for part in there if (part in fits and part not in by_rows) or part in taken)
    left = tuple(dict.fromkeys(part_of(name) for name in weights if part_of(name) not in there))
    return Carried(carried, tuple(part for part in there if part not in carried), left)


def shape_in(weights: Mapping[str, Tensor], name: str) -> str:
    """The shape of a weight, in words that a message may use."""
    return str(list(weights[name].shape)) if name in weights else "absent"


def bare_state(model: nn.Module) -> dict[str, Tensor]:
    """The model's own tensors, by the names that they have without adapters; those of adapters are left out."""
    state = model.state_dict(keep_vars=True)
    for layer in [name for name, module in model.named_modules() if hasattr(module, "get_delta_weight")]:
        own = {name: state.pop(name) for name in list(state) if name.startswith(f"{layer}.")}
        base = f"{layer}.base_layer."
        state |= {f"{layer}.{n.removeprefix(base)}": tensor for n, tensor in own.items() if n.startswith(base)}
    return state


def part_of(name: str) -> str:
    """The part that a weight belongs to, by the name of its setting: `text`, `embedding`, `heads.label`."""
    first, _, rest = name.partition(".")
    if first == "heads":
        return f"{first}.{rest.partition('.')[0]}"
    return "embedding" if first in (*PROJECTIONS, *SCALES) else first.removesuffix("_tower")


def _carry_head(
    part: str, classes: object, weights: Mapping[str, Tensor], words: Words, target: Mapping[str, Tensor], own: Words
) -> bool:
    """Fill a head over a vocabulary; whether it was there and knows a class that it knew.

    Raises:
        RecipeError: it has other layers, whatever the number of its classes.
    """
    # In the order of their layers, whose numbers change with a dropout before them; the bias before the weight.
    here, there = (sorted(name for name in names if part_of(name) == part) for names in (target, weights))
    if not there:
        return False
    pairs = list(zip(there, here, strict=False))
    fits = len(here) == len(there) and all(weights[old].shape == target[new].shape for old, new in pairs[:-2])
    if not fits or any(weights[old].shape[1:] != target[new].shape[1:] for old, new in pairs[-2:]):
        raise RecipeError(f"start: model.{part} has other layers than the trained one: give it the same `hidden`.")
    known, wanted = list(words.get(str(classes), ())), list(own[str(classes)])
    shared = [word for word in wanted if word in set(known)]
    if not shared:
        return False
    rows = torch.tensor([wanted.index(word) for word in shared])
    before = torch.tensor([known.index(word) for word in shared])
    for old, new in pairs[:-2]:
        target[new].copy_(weights[old])
    for old, new in pairs[-2:]:
        target[new][rows] = weights[old][before]
    return True


@torch.no_grad()
def begin_as_zero_shot(
    predictor: Predictor, head: str, class_texts: Sequence[Sequence[str]], samples: Sequence[Sample]
) -> None:
    """Let a head on the pictures begin with the classes' texts as its weights: `W = scale · T P / mean |P x|`.

    `T [C, E]` are the texts' embeddings (their mean over the languages), `P [E, D]` projects a picture's pooled vector
    `x [D]`. Its choice is then the zero-shot one, and its logits have about the size that they have there.

    Args:
        predictor: the model, with the text tower that it was trained with.
        head: of one linear layer, that reads `image`.
        class_texts: for each language, a text for each class, in the order of the classes.
        samples: with pictures, to measure the usual length of `P x` on; those that cannot be read are left out.

    Raises:
        RecipeError: the head or the model is not made for it.
    """
    model = predictor.model
    last = model.head(head)[-1]  # type: ignore[index]
    if model.reads(head) != "image" or model.config.heads[head].hidden is not None:
        raise RecipeError(f"start.zero_shot: the head {head!r} must read `image`, without a hidden layer.")
    projection: nn.Linear = model.require("image_projection")
    texts = torch.stack([predictor.embed_texts(list(texts)) for texts in class_texts]).mean(0)
    seen, _ = usable(samples, predictor.images)
    shown = [Encoded(sample.key, predictor.prepare(sample.image)) for sample in seen if sample.image is not None]
    with predictor.inference():
        lengths = projection(predictor.forward(shown).image.pooled).float().norm(dim=-1)
    weight = F.normalize(texts, dim=-1).to(projection.weight) @ projection.weight
    last.weight.copy_(weight * model.require("logit_scale").exp() / lengths.mean().clamp(min=1e-6).clone())
    last.bias.zero_()
