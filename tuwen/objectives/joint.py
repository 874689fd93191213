"""Several objectives as one: `L = Σ_m L_m + Σ_m λ_m L_m`.

The joint loss of a picture's and a text's own classifiers is `L_vision + L_language + (λ₁ L_vision + λ₂ L_language)`:
the first sum trains each of the two by itself, the second weighs them in what they are trained for together (on why
they are trained together: Caruana 1997, "Multitask learning", Machine Learning 28).

    joint:
      members:
        vision: {kind: classification, head: label}
        language: {kind: classification, head: text_label, stream: classify}
      lambdas: {vision: 0.5, language: 0.2}
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, NonNegativeFloat, model_validator

from tuwen.core.batch import Batch
from tuwen.core.rooms import PartOf, PartSpec, build_part, nearest
from tuwen.objectives import Objective, ObjectiveConfig, ObjectiveContext, Term

EXAMPLE = {"members": {"vision": {"kind": "classification"}}, "lambdas": {"vision": 0.5}}
"""Settings to try the part with: `members` has no default."""


class Config(ObjectiveConfig):
    """members: objectives by name. lambdas: λ of a member, 0 for one that is not named."""

    members: dict[str, Annotated[PartSpec, PartOf("objectives")]] = Field(min_length=1)
    lambdas: dict[str, NonNegativeFloat] = {}

    @model_validator(mode="after")
    def _of_members(self) -> Config:
        for name in self.lambdas:
            if name not in self.members:
                known = list(self.members)
                raise ValueError(f"lambdas: no member {name!r}; there are {', '.join(known)}.{nearest(name, known)}")
        return self


class Joint(Objective[Config]):
    """Its members, each with the factor `weight · (1 + λ)`."""

    def __init__(self, config: Config, context: ObjectiveContext) -> None:
        super().__init__(config)
        self.members: dict[str, Objective[Any]] = {
            name: build_part("objectives", spec, context, f"members.{name}") for name, spec in config.members.items()
        }

    def count(self, batch: Batch) -> float:
        return sum(member.count(batch) for member in self.members.values())

    def terms(self, name: str) -> dict[str, tuple[float, Term[Any]]]:
        return {
            path: (self.weight * (1 + self.config.lambdas.get(member, 0.0)) * factor, term)
            for member, objective in self.members.items()
            for path, (factor, term) in objective.terms(f"{name}/{member}").items()
        }


def build(config: Config, context: ObjectiveContext) -> Joint:
    return Joint(config, context)
