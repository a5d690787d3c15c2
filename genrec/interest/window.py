"""The rolling history window: the part of a user's past that the prompt shows, and why the rest is not in it.

Steps, each on what those before it left: items the catalog lost, items turned down, repetitions, age, sessions, number,
the engine's block. Everything counts back from the user's newest event, never from the clock, so the same history has
the same window. Does not know stores, prompts or models.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from genrec.interest.past import Bool, Float64, Past
from genrec.ragged import Int64

REASONS = ("shown", "unknown", "disliked", "repeated", "old", "session", "count", "block")
"""Why an event is in the window or not: `Window.why` holds places in this list."""
SHOWN, UNKNOWN, DISLIKED, REPEATED, OLD, SESSION, COUNT, BLOCK = range(len(REASONS))
_FELL_OUT = (OLD, SESSION, COUNT, BLOCK)

Weight = Annotated[float, Field(gt=0, le=1000)]


class WindowPolicy(BaseModel):
    """What of a history the prompt shows."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    most: Annotated[int, Field(ge=1, le=100_000)] = 50
    """Interactions at most; more than the bundle's own window does not help, for the model was never shown more."""
    max_age: Annotated[int, Field(ge=1)] | None = None
    """Seconds before the user's newest event; what is older falls out. None: age alone pushes nothing out."""
    session_gap: Annotated[int, Field(ge=1)] = 1800
    """A pause of more seconds begins a new session; half an hour is what web analytics use."""
    sessions: Annotated[int, Field(ge=1)] | None = None
    """Newest sessions shown at most. None: all."""
    half_life: Annotated[float, Field(gt=0)] | None = None
    """Seconds in which an interaction loses half its weight; the heaviest `most` stay, so that a purchase may outlast
    later clicks. None: the newest stay, whatever they are."""
    weights: dict[str, Weight] = Field(default_factory=lambda: {"like": 2.0, "rating": 2.0, "purchase": 4.0})
    """Weight of a kind of interaction, 1 for kinds not named."""
    repeats: Literal["latest", "collapse", "keep"] = "latest"
    """An item chosen again stands once, where it was chosen last; `collapse` joins only runs; `keep` keeps all."""
    negative: tuple[str, ...] = ("dislike", "skip")
    """Kinds that turn an item down. Such items stand apart: they concern a prior, not the prompt."""
    disliked_below: float | None = None
    """Ratings below it turn an item down, too. None: no rating does, for scales differ."""
    trim: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Largest share of the shown interactions that aligning to the engine's block may drop, oldest first."""


@dataclass(frozen=True)
class Block:
    """What aligning needs of the engine. size: tokens of a prefix-cache block; head: tokens before the history;
    levels: tokens of an item.

    An engine reuses full blocks only and computes the rest of the prompt again for every beam (DESIGN §7).
    """

    size: int
    head: int
    levels: int

    def fitting(self, items: int, least: int) -> int:
        """The most items, from `least` to `items`, whose prompt ends at most `levels` − 1 tokens after a full block;
        `items` where there is none."""
        counts = np.arange(items, least - 1, -1)
        tokens = self.head + counts * self.levels
        aligned = (tokens >= self.size) & (tokens % self.size < self.levels)
        return int(counts[aligned.argmax()]) if aligned.any() else items


@dataclass(frozen=True)
class Window:
    """past: all events; why: int8 [n], places in REASONS; weights: float64 [n], by kind and recency.

    A kind that the policy does not name weighs 1 at the newest event's time.
    """

    past: Past
    why: npt.NDArray[np.int8]
    weights: Float64

    @classmethod
    def of(cls, past: Past, policy: WindowPolicy, block: Block | None = None) -> Window:
        """block: where the engine keeps prompts' prefixes by blocks; without it nothing is trimmed."""
        why = np.zeros(len(past), dtype=np.int8)
        weights = _weights(past, policy)
        _leave(why, past.items < 0, UNKNOWN)
        _leave(why, _turned_down(past, policy), DISLIKED)
        _leave(why, _repeated(past, why == SHOWN, policy), REPEATED)
        if len(past) and policy.max_age is not None:
            _leave(why, past.times < past.times[-1] - policy.max_age, OLD)
        if policy.sessions is not None:
            _leave(why, past.sessions(policy.session_gap) >= policy.sessions, SESSION)
        _leave(why, _outweighed(weights, why == SHOWN, policy), COUNT)
        if block is not None:
            _leave(why, _before_block(why == SHOWN, block, policy), BLOCK)
        return cls(past, why, weights)

    @property
    def items(self) -> Int64:
        """What the prompt shows: item numbers, oldest first."""
        shown: Int64 = self.past.items[self.why == SHOWN]
        return shown

    @property
    def fallen(self) -> tuple[Int64, Float64]:
        """Item numbers and weights of the events that were chosen but are not shown: what `Profiler.profile` takes."""
        fell = np.isin(self.why, _FELL_OUT)
        return self.past.items[fell], self.weights[fell]

    @property
    def disliked(self) -> Int64:
        """Item numbers turned down, ascending; an item chosen after that is no longer one."""
        return np.unique(self.past.items[self.why == DISLIKED][self._final])

    @property
    def seen(self) -> Int64:
        """All item numbers of the past that the catalog holds, ascending, shown or not."""
        return np.unique(self.past.items[self.past.items >= 0])

    @property
    def counts(self) -> dict[str, int]:
        """How many events have which reason; reasons without events are absent."""
        numbers = np.bincount(self.why, minlength=len(REASONS))
        return {reason: int(number) for reason, number in zip(REASONS, numbers, strict=True) if number}

    @property
    def _final(self) -> Bool:
        """Of the events turned down, those whose item was not chosen later."""
        chosen = np.isin(self.past.items, self.past.items[(self.why != DISLIKED) & (self.why != UNKNOWN)])
        final: Bool = ~chosen[self.why == DISLIKED]
        return final


def _leave(why: npt.NDArray[np.int8], mask: Bool, reason: int) -> None:
    """Events still shown that the mask names leave for this reason."""
    why[mask & (why == SHOWN)] = reason


def _weights(past: Past, policy: WindowPolicy) -> Float64:
    kinds, place = np.unique(past.kinds, return_inverse=True)
    by_kind = np.array([policy.weights.get(str(kind), 1.0) for kind in kinds], dtype=np.float64)
    weights = by_kind[place.reshape(-1)] if len(past) else np.empty(0)
    if policy.half_life is None or not len(past):
        return weights
    return np.asarray(weights * np.exp2((past.times - past.times[-1]) / policy.half_life))


def _turned_down(past: Past, policy: WindowPolicy) -> Bool:
    """Events that turn down, and all events of items whose last word is one."""
    negative = past.negative(policy.negative, policy.disliked_below)
    return np.asarray(negative | negative[past.last_of_item()]) if len(past) else negative


def _repeated(past: Past, shown: Bool, policy: WindowPolicy) -> Bool:
    out = np.zeros(len(past), dtype=bool)
    places = np.flatnonzero(shown)
    if policy.repeats == "keep" or not len(places):
        return out
    items = past.items[places]
    if policy.repeats == "collapse":
        out[places[:-1]] = items[:-1] == items[1:]
        return out
    _, latest = np.unique(items[::-1], return_index=True)
    out[places] = True
    out[places[len(places) - 1 - latest]] = False
    return out


def _outweighed(weights: Float64, shown: Bool, policy: WindowPolicy) -> Bool:
    """All but the `most` heaviest, or newest where there is no half-life; of equals the newest stay."""
    places = np.flatnonzero(shown)
    heaviest = places if policy.half_life is None else places[np.argsort(weights[places], kind="stable")]
    out = np.zeros(len(shown), dtype=bool)
    out[heaviest[: -policy.most]] = True
    return out


def _before_block(shown: Bool, block: Block, policy: WindowPolicy) -> Bool:
    places = np.flatnonzero(shown)
    least = len(places) - int(policy.trim * len(places))
    out = np.zeros(len(shown), dtype=bool)
    out[places[: len(places) - block.fitting(len(places), least)]] = True
    return out
