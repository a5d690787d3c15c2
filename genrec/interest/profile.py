"""The profile: what the window leaves out, in a few words that are facts of the catalog.

A fact speaks for the user when more of the weight of what was left out has it than chance would give: its score is
the log-likelihood ratio of the binomial (Dunning 1993, aclanthology.org/J93-1003), for shares above the catalog's only.
Does not know windows, prompts or models.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from genrec.catalog import Catalog
from genrec.explaining.facts import Facts
from genrec.interest.past import Float64
from genrec.ragged import Int64


class ProfilePolicy(BaseModel):
    """How a profile is put together, and whether the prompt shows it."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    prompted: bool = False
    """Whether the profile stands in the prompt. Only for bundles that were trained with profiles: the others never saw
    words there."""
    facts: Annotated[int, Field(ge=1, le=50)] = 8
    """Facts at most."""
    of_field: Annotated[int, Field(ge=1, le=50)] = 3
    """Facts of one field at most."""
    least: Annotated[int, Field(ge=1)] = 2
    """Items left out that must have a fact, so that one item makes no taste."""
    characters: Annotated[int, Field(ge=1)] = 300
    """Length of the words at most; the prompt's slot takes 300."""


@dataclass(frozen=True)
class ProfileFact:
    """A fact of the catalog.

    items: distinct items left out that have it; share: of the weight left out; usual: of the catalog's items.
    """

    field: str
    value: str
    items: int
    share: float
    usual: float


@dataclass(frozen=True)
class Profile:
    """facts: the most telling first; text: the same in words, empty where nothing was left out or tells."""

    facts: tuple[ProfileFact, ...]
    text: str


@dataclass(frozen=True)
class Profiler:
    """usual: share of the catalog's items that have each fact, float64 [facts]."""

    facts: Facts
    usual: Float64

    @classmethod
    def of(cls, catalog: Catalog) -> Profiler:
        facts = Facts.of(catalog)
        counts = np.bincount(facts.held.items, minlength=len(facts.values))
        return cls(facts, counts / max(1, len(catalog)))

    def profile(self, items: Int64, weights: Float64, policy: ProfilePolicy) -> Profile:
        """items: catalog row numbers left out, as often as they were chosen; weights: float64, beside them."""
        share, distinct = self._shares(items, weights)
        total = float(len(np.unique(items)))
        score = np.where((distinct >= policy.least) & (share > self.usual), _ratio(share, self.usual, total), 0.0)
        score[self.facts.telling :] = 0.0
        best = np.lexsort((np.arange(len(score)), -score))
        chosen = self._chosen(best[score[best] > 0], policy)
        facts = tuple(
            ProfileFact(
                self.facts.fields[n], self.facts.values[n], int(distinct[n]), float(share[n]), float(self.usual[n])
            )
            for n in chosen
        )
        return Profile(*_said(facts, policy.characters))

    def _shares(self, items: Int64, weights: Float64) -> tuple[Float64, Int64]:
        """Of every fact the share of the weight that has it, and the number of distinct items."""
        single, place = np.unique(items, return_inverse=True)
        held = self.facts.held.take(single)
        weight = np.bincount(place.reshape(-1), weights=weights, minlength=len(single))
        sums = np.bincount(held.items, weights=weight[held.rows], minlength=len(self.usual))
        distinct = np.bincount(held.items, minlength=len(self.usual))
        return sums / max(weight.sum(), np.finfo(np.float64).tiny), distinct

    def _chosen(self, best: Int64, policy: ProfilePolicy) -> list[int]:
        taken: dict[str, int] = {}
        chosen: list[int] = []
        for number in best[: 10 * policy.facts].tolist():
            field = self.facts.fields[number]
            taken[field] = taken.get(field, 0) + 1
            if taken[field] <= policy.of_field and len(chosen) < policy.facts:
                chosen.append(number)
        return chosen


def _ratio(share: Float64, usual: Float64, n: float) -> Float64:
    """Twice the log-likelihood of n·share hits of n at rate `share`, over that at rate `usual`."""
    tiny = 1e-12
    hit = share * np.log(np.maximum(share, tiny) / np.maximum(usual, tiny))
    missed = (1 - share) * np.log(np.maximum(1 - share, tiny) / np.maximum(1 - usual, tiny))
    return np.asarray(2 * n * (hit + missed))


def _said(facts: tuple[ProfileFact, ...], characters: int) -> tuple[tuple[ProfileFact, ...], str]:
    """As many facts as fit, as `genres: Horror, Crime; director: Ridley Scott`."""
    for end in range(len(facts), 0, -1):
        by_field: dict[str, list[str]] = {}
        for fact in facts[:end]:
            by_field.setdefault(fact.field, []).append(fact.value)
        text = "; ".join(f"{field}: {', '.join(values)}" for field, values in by_field.items())
        if len(text) <= characters:
            return facts[:end], text
    return (), ""
