"""Several objectives as one: `L = Σ_m L_m + Σ_m λ_m L_m`.

The joint loss of a picture's and a text's own classifiers is `L_vision + L_language + (λ₁ L_vision + λ₂ L_language)`:
the first sum trains each of the two by itself, the second weighs them in what they are trained for together (on why
they are trained together: Caruana 1997, "Multitask learning", Machine Learning 28).

    joint:
      members:
        vision: {kind: classification, head: label}
        language: {kind: classification, head: text_label, stream: classify}
      lambdas: {vision: 0.5, language: 0.2}

With `learned: true` the weights are learned instead, as the task's own uncertainty (Kendall et al. 2018,
arXiv:1705.07115, eq. 10): `L = Σ_m exp(-s_m) L_m + s_m / 2`, where `s_m = log σ_m²` is a weight of the model,
which has them by the members' names under `model.uncertainties: [vision, language]`.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, NonNegativeFloat, model_validator

from tuwen.core.batch import Batch
from tuwen.core.loss import Loss
from tuwen.core.rooms import PartOf, PartSpec, build_part, nearest
from tuwen.models.forward import Forward
from tuwen.objectives import Objective, ObjectiveConfig, ObjectiveContext, Term

EXAMPLE = {"members": {"vision": {"kind": "classification"}}, "lambdas": {"vision": 0.5}}
"""Settings to try the part with: `members` has no default."""


class Config(ObjectiveConfig):
    """members: objectives by name. lambdas: λ of a member, 0 for one that is not named.

    learned: whether the members' weights are learned, and no λ is given.
    """

    members: dict[str, Annotated[PartSpec, PartOf("objectives")]] = Field(min_length=1)
    lambdas: dict[str, NonNegativeFloat] = {}
    learned: bool = False

    @model_validator(mode="after")
    def _of_members(self) -> Config:
        for name in self.lambdas:
            if name not in self.members:
                known = list(self.members)
                raise ValueError(f"lambdas: no member {name!r}; there are {', '.join(known)}.{nearest(name, known)}")
        if self.learned and self.lambdas:
            raise ValueError("learned: the weights are either learned or given; leave out learned or lambdas")
        return self


class Joint(Objective[Config]):
    """Its members, each with the factor `weight · (1 + λ)`, or with a learned one."""

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
            for path, (factor, term) in self._terms(member, objective.terms(f"{name}/{member}")).items()
        }

    def _terms(self, member: str, terms: dict[str, tuple[float, Term[Any]]]) -> dict[str, tuple[float, Term[Any]]]:
        if not self.config.learned:
            return terms
        return {path: (factor, Uncertain(term, member, len(terms))) for path, (factor, term) in terms.items()}


class Uncertain(Term[Any]):
    """A term with the weight `exp(-s)`, and its share of `s / 2`: one of `terms` terms that have the same `s`."""

    def __init__(self, term: Term[Any], name: str, terms: int) -> None:
        super().__init__(term.config)
        self.term, self.name, self.terms_together = term, name, terms
        self.heads, self.joins = term.heads, term.joins  # type: ignore[misc]  # those of the term that it stands for
        self.needs_places, self.needs_words = term.needs_places, term.needs_words  # type: ignore[misc]

    def count(self, batch: Batch) -> float:
        return self.term.count(batch)

    def __call__(self, forward: Forward) -> Loss:
        loss, s = self.term(forward), forward.model.log_variance(self.name)
        weighted = (-s).exp() * loss.sum + s / 2 * loss.count / self.terms_together
        return Loss(weighted, loss.count, {**loss.parts, "unweighted": loss.mean.detach(), "log_variance": s.detach()})


def build(config: Config, context: ObjectiveContext) -> Joint:
    return Joint(config, context)
