"""Slates that try something now and then, with the chance of every pick on record. Knows no user, model or store.

Each slot takes the best item left, or with a small chance one drawn in proportion to exp(score / temperature) from the
pool. The chance with which a slot got its item, given the slots above it, is what off-policy estimates need
(evaluation.off_policy). The chance rises with how uncertain the person's present interest is, within bounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from genrec.ragged import Int64

Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]


class Exploration(BaseModel):
    """How much a slate explores."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    least: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Chance that a slot is drawn where the interest is certain."""
    most: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """The same where nothing is known; in between it rises in proportion to the uncertainty."""
    pool: Annotated[int, Field(ge=1, le=200)] = 10
    """Best items that may be drawn. Many items share the chance, and chances near 0 make estimates worthless."""
    temperature: Annotated[float, Field(gt=0)] = 3.0
    """Larger: the draw cares less about scores."""

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.most < self.least:
            raise ValueError("most must not be below least")
        return self

    def rate(self, uncertainty: float) -> float:
        """uncertainty: 0 to 1, as `uncertainty` gives it."""
        return self.least + (self.most - self.least) * min(1.0, max(0.0, uncertainty))


@dataclass(frozen=True)
class Drawn:
    """picks: places of the pool in the order shown, int64 [k]; propensities: chance of each, given those above it."""

    picks: Int64
    propensities: Float64


def draw(scores: Float64, k: int, rate: float, exploration: Exploration, seed: int) -> Drawn:
    """scores: float64 [candidates], best first. The same seed draws the same slate."""
    pool = scores[: max(k, exploration.pool)]
    k, rng = min(k, len(pool)), np.random.default_rng(seed)
    free = np.ones(len(pool), dtype=bool)
    picks, chances = np.empty(k, dtype=np.int64), np.empty(k)
    for slot in range(k):
        chance = slot_chances(pool, free, rate, exploration.temperature)
        picks[slot] = min(int(np.searchsorted(chance.cumsum(), rng.random(), side="right")), len(pool) - 1)
        chances[slot] = chance[picks[slot]]
        free[picks[slot]] = False
    return Drawn(picks, chances)


def slot_chances(scores: Float64, free: Bool, rate: float, temperature: float) -> Float64:
    """The chance of every candidate to be taken next, float64 [candidates], 0 for those not free."""
    shifted = np.where(free, scores / temperature, -np.inf)
    soft = np.exp(shifted - shifted.max())
    chance = rate * soft / soft.sum()
    chance[int(np.where(free, scores, -np.inf).argmax())] += 1 - rate
    return np.asarray(chance)


def uncertainty(began: Float64) -> float:
    """0 to 1: entropy of where the present interest began, over that of knowing nothing.

    began: a row of `interest.drift.posterior`, float64 [places].
    """
    if len(began) < 2:
        return 1.0
    positive = began[began > 0]
    return float(-(positive * np.log(positive)).sum() / np.log(len(began)))
