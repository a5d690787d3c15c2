"""Feedback that tunes: Thompson sampling over a few settings of the priors' weights, bounded and reversible.

Each arm is a setting that a person wrote down; nothing between or beyond them is ever used. What was learnt of an arm
is two numbers, a count of showings and of successes that fade, so that the choice can follow people who change. A
record can be undone: `without` takes back what `with_feedback` added. Source: Thompson 1933; Chapelle & Li 2011.
Knows no recommender, no user and no store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from genrec.errors import ConfigError

Weight = Annotated[float, Field(ge=-100, le=100)]


class Arm(BaseModel):
    """A setting and what came of it."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str
    weights: dict[str, Weight]
    """Of priors, in place of the bundle's; empty: the bundle's own."""
    shown: Annotated[float, Field(ge=0)] = 0.0
    """Slates shown under it, faded."""
    won: Annotated[float, Field(ge=0)] = 0.0
    """Of these the ones that led to a click or conversion, faded."""

    @property
    def rate(self) -> float:
        """Expected share of successes, from one success and one failure assumed beforehand."""
        return (1 + self.won) / (2 + self.shown)


_Change = Callable[[Arm], tuple[float, float]]


class Bandit(BaseModel):
    """arms[0] is the setting that stands where nothing is learnt, and the one to fall back on."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    arms: tuple[Arm, ...]
    floor: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Least chance of every arm, so that none is given up for ever and propensities stay bounded."""
    memory: Annotated[float, Field(gt=1)] = 5_000.0
    """Showings after which an arm has forgotten all but 1/e."""
    draws: Annotated[int, Field(ge=100)] = 2_000
    """Samples from which the chances are computed."""

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = [arm.name for arm in self.arms]
        if len(names) < 2 or len(set(names)) < len(names):
            raise ValueError("two arms or more, each with a name of its own")
        if self.floor * len(self.arms) >= 1:
            raise ValueError("floor times the number of arms must stay below 1")
        return self

    def chances(self, seed: int = 0) -> dict[str, float]:
        """Arm → the chance that it is shown: that of being the best, given what is known, but `floor` at least."""
        rng = np.random.default_rng(seed)
        won = np.array([arm.won for arm in self.arms])
        lost = np.array([max(0.0, arm.shown - arm.won) for arm in self.arms])
        best = rng.beta(1 + won, 1 + lost, size=(self.draws, len(self.arms))).argmax(axis=1)
        share = np.bincount(best, minlength=len(self.arms)) / self.draws
        free = 1 - self.floor * len(self.arms)
        return {arm.name: float(self.floor + free * one) for arm, one in zip(self.arms, share, strict=True)}

    def choose(self, seed: int) -> tuple[Arm, float]:
        """An arm and the chance it was chosen with; the same seed and state choose the same."""
        chances = list(self.chances(seed).values())
        place = int(np.searchsorted(np.cumsum(chances), np.random.default_rng([seed, 1]).random(), side="right"))
        place = min(place, len(chances) - 1)
        return self.arms[place], chances[place]

    def with_feedback(self, name: str, success: bool) -> Bandit:
        """After a slate under that arm; raises ConfigError for an unknown arm."""
        fade = float(np.exp(-1 / self.memory))
        return self._changed(name, lambda arm: (fade * arm.shown + 1, fade * arm.won + success))

    def without(self, name: str, success: bool) -> Bandit:
        """The last feedback of that arm taken back: the state is again as it was before `with_feedback`."""
        fade = float(np.exp(-1 / self.memory))
        return self._changed(
            name, lambda arm: (max(0.0, (arm.shown - 1) / fade), max(0.0, (arm.won - success) / fade))
        )  # fmt: skip

    def learnt(self, outcomes: Mapping[str, Sequence[bool]]) -> Bandit:
        """What is known after these outcomes alone: arm → whether each slate under it succeeded, oldest first.

        The same as `with_feedback` one after another from nothing, so a log that is kept is all that has to be kept.
        Raises ConfigError for an unknown arm."""
        found = self.reset()
        for name, won in outcomes.items():
            weights = np.exp(-np.arange(len(won))[::-1] / self.memory)
            state = float(weights.sum()), float(weights @ np.asarray(won, dtype=np.float64))
            found = found._changed(name, lambda _, state=state: state)  # type: ignore[misc]
        return found

    def reset(self) -> Bandit:
        """Nothing learnt: all arms as they were written down."""
        return self.model_copy(update={"arms": tuple(Arm(name=arm.name, weights=arm.weights) for arm in self.arms)})

    def weights(self, name: str) -> Mapping[str, float]:
        return self._arm(name).weights

    def _arm(self, name: str) -> Arm:
        for arm in self.arms:
            if arm.name == name:
                return arm
        raise ConfigError("no such arm", value=name, allowed=", ".join(arm.name for arm in self.arms))

    def _changed(self, name: str, change: _Change) -> Bandit:
        shown, won = change(self._arm(name))
        arms = tuple(
            arm.model_copy(update={"shown": shown, "won": won}) if arm.name == name else arm for arm in self.arms
        )
        return self.model_copy(update={"arms": arms})
