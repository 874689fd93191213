"""What pretrained parts decide for a recipe: how pictures are prepared, and whose tokenizer texts come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuwen.core.errors import RecipeError
from tuwen.core.rooms import parse_part, validate
from tuwen.prep.images import ImageConfig
from tuwen.prep.pretrained import Brought
from tuwen.prep.pretrained_tokens import pretrained_tokenizer
from tuwen.prep.tokens import TokenizerConfig
from tuwen.recipe.schema import Recipe

_ROOMS = {"image": "towers.image", "text": "towers.text", "language": "language"}
"""Settings of the model whose parts may be pretrained, and their rooms. A part is that has a function `brings`."""


def settle(recipe: Recipe) -> Recipe:
    """The recipe with all that the checkpoints it names say written into it; what a person set stays as it was set.

    Raises:
        CheckpointError: a checkpoint cannot be read, or is of the wrong family.
        RecipeError: two parts need different tokenizers.
    """
    brought = {name: found for name in _ROOMS if (found := _brought(recipe, name)) is not None}
    if not brought and recipe.tokenizer.name is None:
        return recipe
    parts = {name: {**_kind(recipe, name), **found.config.model_dump(mode="json")} for name, found in brought.items()}
    update: dict[str, Any] = {"model": recipe.model.model_copy(update=parts)}
    for found in brought.values():
        if found.image:
            update["image"] = _images(recipe.image, found.image)
    checkpoints = {name: found.tokenizer for name, found in brought.items() if found.tokenizer is not None}
    update["tokenizer"] = _tokenizer(recipe.tokenizer, checkpoints)
    return recipe.model_copy(update=update)


def _brought(recipe: Recipe, name: str) -> Brought | None:
    spec = getattr(recipe.model, name)
    if spec is None:
        return None
    module, config = parse_part(_ROOMS[name], spec, f"model.{name}")
    found: Brought | None = module.brings(config) if hasattr(module, "brings") else None
    return found


def _kind(recipe: Recipe, name: str) -> dict[str, str]:
    return {"kind": getattr(recipe.model, name)["kind"]}


def _images(given: ImageConfig, brought: Mapping[str, Any]) -> ImageConfig:
    """The checkpoint's preprocessing under what a person set; at another size the same part of a picture is seen."""
    said = {key: getattr(given, key) for key in given.model_fields_set}
    wanted = dict(brought)
    if "size" in said and "shortest" in brought:
        wanted["shortest"] = max(said["size"], round(brought["shortest"] * said["size"] / brought["size"]))
    if said.get("resize", "crop") != "crop":
        wanted.pop("shortest", None)
    return validate(ImageConfig, {**wanted, **said}, "image")


def _tokenizer(given: TokenizerConfig, checkpoints: Mapping[str, tuple[str, str | None]]) -> TokenizerConfig:
    """The settings of the one tokenizer that all texts go through."""
    named = {"tokenizer.name": (given.name, given.revision)} if given.name is not None else {}
    sources = {**named, **{f"model.{name}": source for name, source in checkpoints.items()}}
    if not sources:
        return given
    (first, source), *others = sources.items()
    wanted = given.max_length if "max_length" in given.model_fields_set else None
    tokenizer = pretrained_tokenizer(*source, wanted)
    for other, its in others:
        if its != source and pretrained_tokenizer(*its).backend.get_vocab() != tokenizer.backend.get_vocab():
            raise RecipeError(
                f"{other}: {its[0]} has another tokenizer than {source[0]} ({first}), so its ids "
                f"would mean other words. Use checkpoints that share a tokenizer, or train one from scratch."
            )
    most = wanted or min(given.max_length, tokenizer.max_length)
    return given.model_copy(update={"name": source[0], "revision": source[1], "max_length": most})
