"""Evidence: which interactions moved the model towards an item, and what the catalog says they share.

An interaction counts by leave-one-out: how far the item's log-probability falls when the interaction is taken out of
the prompt (Li, Monroe, Jurafsky 2016, "Understanding neural networks through representation erasure"). Knows no words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from genrec.asking import NextItemPrompt
from genrec.decoding.engine import Engine, Float64
from genrec.explaining.facts import Facts, SharedFact
from genrec.ragged import Int32, Int64

REMOVED = 20
"""The newest distinct items that are left out in turn; older ones are not asked about."""
KEPT = 2
"""Interactions that one statement names."""
NOISE = 1e-3
"""Nats; a smaller drop may be rounding of padded batches."""

History = Sequence[int] | Int32 | Int64


@dataclass(frozen=True)
class Moved:
    """drop: by how many nats the item's log-probability falls without this interaction."""

    item: int
    drop: float

    @property
    def counts(self) -> bool:
        return self.drop > NOISE


@dataclass(frozen=True)
class Told:
    """What one sentence can say of the evidence.

    liked: item numbers, those that share all `facts` first; sharing: how many do; moved: each of them moved the model.
    """

    item: int
    liked: tuple[int, ...]
    sharing: int
    facts: tuple[SharedFact, ...]
    moved: bool

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(fact.field for fact in self.facts)

    @property
    def writable(self) -> bool:
        """Whether there is more to say than that the one came after the other."""
        return bool(self.facts) or (self.moved and bool(self.liked))


@dataclass(frozen=True)
class Evidence:
    """For one recommended item: at most two interactions, what moved most first, and the shared facts, rarest first."""

    item: int
    interactions: tuple[Moved, ...]
    facts: tuple[SharedFact, ...]

    @cached_property
    def told(self) -> Told:
        """The rarest fact with all who share it, and a second one of another field if the same ones share that, too."""
        named = tuple(one.item for one in self.interactions)
        moved = all(one.counts for one in self.interactions)
        if not self.facts:
            return Told(self.item, named, len(named), (), moved)
        first, liked = self.facts[0], self.facts[0].with_items
        second = [fact for fact in self.facts[1:] if _other(first, fact) and set(liked) <= set(fact.with_items)]
        rest = tuple(item for item in named if item not in liked)
        return Told(self.item, liked + rest, len(liked), (first, *second[:1]), moved)


def _other(first: SharedFact, second: SharedFact) -> bool:
    return first.field != second.field and first.value.casefold() != second.value.casefold()


def evidence_for(
    engine: Engine, asking: NextItemPrompt, facts: Facts, history: History, items: Sequence[int]
) -> list[Evidence]:
    """The evidence of every item of a slate, after one batched pass of the engine.

    history: item numbers, oldest first. Kept are the interactions whose absence lowers the item most, else those that
    share the rarest facts with it, else the newest.
    """
    if not len(items):
        return []
    newest, fallen = drops(engine, asking, history, items)
    return [_evidence(facts, int(item), newest, fallen[:, place]) for place, item in enumerate(items)]


def drops(engine: Engine, asking: NextItemPrompt, history: History, items: Sequence[int]) -> tuple[Int64, Float64]:
    """The distinct items of the window, newest first, int64 [removed], and what the log-probability of each item of
    the slate loses without them, float64 [removed, items]; in nats, negative where it gains."""
    window = asking.shown(history)
    seen, first = np.unique(window[::-1], return_index=True)
    newest = seen[np.argsort(first)][:REMOVED]
    if not len(newest):
        return newest, np.empty((0, len(items)))
    prompts = [asking.whole(window), *(asking.whole(window[window != one]) for one in newest)]
    codes = asking.index.codes[np.asarray(items, dtype=np.int64)]
    scores = np.stack(engine.score(prompts, [codes] * len(prompts)))
    return newest, scores[0] - scores[1:]


def _evidence(facts: Facts, item: int, newest: Int64, fallen: Float64) -> Evidence:
    other = newest != item  # an item that is recommended again does not explain itself
    newest, fallen = newest[other], fallen[other]
    order = np.argsort(-fallen, kind="stable")
    chosen = order[fallen[order] > NOISE][:KEPT]
    if not len(chosen):
        near = facts.nearness(item, newest.tolist())
        order = np.argsort(-near, kind="stable")
        chosen = order[near[order] > 0][:KEPT]
    if not len(chosen):
        chosen = np.arange(len(newest))[:KEPT]
    interactions = tuple(Moved(int(newest[place]), float(fallen[place])) for place in chosen)
    return Evidence(item, interactions, facts.shared(item, [one.item for one in interactions]))
