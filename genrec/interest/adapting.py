"""Where a person's present interest began, and how sure that is: what a ranking needs to follow a change at once.

Milder and faster than an alarm (`drift`): it weighs every place by its probability. Older choices that fit what is
chosen now come back, so that an interest that recurs brings its own past with it. Knows no model.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from genrec.interest.drift import posterior
from genrec.interest.filtering import Filter
from genrec.interest.topics import Float64, Topics
from genrec.ragged import Int64, Ragged


class AdaptPolicy(BaseModel):
    """How readily a ranking follows a change. Chosen on simulated viewers, of another crowd than the measured ones."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    on: bool = False
    """False: the whole history counts, whatever happens. Off, for it takes two rankings of a slate, or three."""
    hazard: Annotated[float, Field(gt=0, lt=1)] = 1 / 60
    """Chance that a choice is the first of a new interest, before anything is seen."""
    readiness: Annotated[float, Field(gt=0)] = 0.5
    """The odds of a change are multiplied by it: below 1, for a false one costs stable people more than a late one."""
    most: Annotated[float, Field(ge=0, le=1)] = 0.9
    """Share of the score that the present part has where a change is certain; less in proportion to its chance."""
    latest: Annotated[float, Field(ge=0, le=1)] = 0.08
    """Share that the newest choice alone has, whatever happens."""
    least: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Chance of a change from which the short history is ranked, too; below, ranking costs what it always did."""
    newest: Annotated[int, Field(ge=2, le=1000)] = 150
    """Choices looked at, the newest."""
    returning: Annotated[float, Field(ge=1)] | None = None
    """Older choices come back that the present interest makes so many times likelier than usual. None: none do."""

    @model_validator(mode="after")
    def _something_is_left(self) -> Self:
        if self.most + self.latest > 1:
            raise ValueError("most and latest together are 1 at most: the rest is the whole history's share")
        return self


@dataclass(frozen=True)
class Present:
    """kept: places of the history that belong to the present interest, rising, int64; since: where it likely began;
    chance: probability that there was a change so late that the rest no longer counts; began: at every place the
    probability that the present interest began there, float64 [n]."""

    kept: Int64
    since: int
    chance: float
    began: Float64


@dataclass(frozen=True)
class Adapter:
    """Reads histories by topics."""

    filter: Filter
    policy: AdaptPolicy = field(default_factory=AdaptPolicy)

    @classmethod
    def of(cls, topics: Topics, policy: AdaptPolicy | None = None) -> Adapter:
        return cls(Filter(topics), policy or AdaptPolicy())

    def present(self, histories: Ragged) -> list[Present]:
        """For each history (item numbers below the topics', oldest first) what is known of the present interest."""
        newest = histories.last(self.policy.newest)
        evidence = self.filter.evidence(newest)
        older = histories.lengths - newest.lengths
        return [
            self._read(histories[row], int(older[row]), one) if len(one) else _NOTHING
            for row, one in enumerate(evidence)
        ]

    def _read(self, history: npt.NDArray[np.integer], older: int, evidence: Float64) -> Present:
        began = posterior(evidence, self.policy.hazard)[-1]
        early, late = _modes(began)
        since = older + late
        chance = float(began[int(np.ceil((early + late) / 2)) :].sum()) if late > early else 0.0
        odds = self.policy.readiness * chance
        chance = odds / (1 - chance + odds)
        kept = np.union1d(self._returning(history, since), np.arange(since, len(history)))
        return Present(kept.astype(np.int64), since, chance, np.concatenate([np.zeros(older), began]))

    def _returning(self, history: npt.NDArray[np.integer], since: int) -> Int64:
        """Places before `since` whose items the choices from there on make likely."""
        if self.policy.returning is None or not since:
            return np.empty(0, dtype=np.int64)
        topics = self.filter.topics
        now = topics.shares(history[since:].astype(np.int64))
        lift = now @ topics.lift[:, history[:since]]
        return np.flatnonzero(lift >= self.policy.returning)


_NOTHING = Present(np.empty(0, dtype=np.int64), 0, 0.0, np.empty(0))
_WIDE = 2  # places to both sides that belong to the same mode


def _modes(began: Float64) -> tuple[int, int]:
    """The two likeliest places apart from each other, the earlier first; twice the same where there is but one."""
    first = int(began.argmax())
    rest = began.copy()
    rest[max(0, first - _WIDE) : first + _WIDE + 1] = 0.0
    second = int(rest.argmax()) if rest.sum() > 1e-6 else first
    return min(first, second), max(first, second)
