"""Evidence: which interactions moved an item, what the catalog says they share, what would be without them.

An interaction counts by leave-one-out: how far the item's score falls when the interaction is taken out of the history
(Li, Monroe, Jurafsky 2016, "Understanding neural networks through representation erasure"). Knows no words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np

from genrec.asking import NextItemPrompt
from genrec.chatting.rules import Rule
from genrec.decoding.engine import Engine, Float64
from genrec.explaining.facts import Facts, SharedFact
from genrec.ragged import Int32, Int64

REMOVED = 20
"""The newest distinct items that are left out in turn; older ones are not asked about."""
KEPT = 2
"""Interactions that one statement names."""
RULED = 3
"""Rules of the request that an explanation names; all of them are evidence."""
NOISE = 1e-3
"""Nats; a smaller drop may be rounding of padded batches."""

History = Sequence[int] | Int32 | Int64


class Judge(Protocol):
    """The ranking that is explained."""

    def scores(self, histories: Sequence[Int64], items: Int64) -> Float64:
        """What it gives each item after each history, float64 [histories, items]."""
        ...

    @property
    def whole(self) -> bool:
        """Whether its scores are those that rank; if not, nothing is said of what stands before what."""
        ...

    def slates(self, histories: Sequence[Int64]) -> list[Int64] | None:
        """The items that it would show after each history, under the rules of the request; None: nothing is shown."""
        ...


@dataclass(frozen=True)
class Alone:
    """The language model alone as the judge."""

    engine: Engine
    asking: NextItemPrompt

    def scores(self, histories: Sequence[Int64], items: Int64) -> Float64:
        codes = self.asking.index.codes[items]
        return np.stack(self.engine.score([self.asking.ids(one) for one in histories], [codes] * len(histories)))

    @property
    def whole(self) -> bool:
        return True

    def slates(self, histories: Sequence[Int64]) -> list[Int64] | None:
        return None


@dataclass(frozen=True)
class Moved:
    """drop: by how many nats the item's score falls without this interaction."""

    item: int
    drop: float

    @property
    def counts(self) -> bool:
        return self.drop > NOISE


@dataclass(frozen=True)
class Contrast:
    """With `liked` in the history the item stands before `other`, by `lead` nats; without it, `other` before the item,
    by −`left`. fact: what item and liked share and other has not."""

    other: int
    liked: int
    lead: float
    left: float
    fact: SharedFact | None

    @property
    def holds(self) -> bool:
        return self.lead > 0 > self.left


@dataclass(frozen=True)
class Rerun:
    """The slate was made again without these interactions. present: whether the item was still in it."""

    without: tuple[int, ...]
    present: bool


@dataclass(frozen=True)
class Told:
    """What one sentence can say of the evidence.

    liked: item numbers, those that share all `facts` first; sharing: how many do; moved: each of them moved the item;
    other: the item that this one stands before; rule: the one that is met.
    """

    item: int
    liked: tuple[int, ...]
    sharing: int
    facts: tuple[SharedFact, ...]
    moved: bool
    other: int | None = None
    rule: Rule | None = None

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(fact.field for fact in self.facts)

    @property
    def writable(self) -> bool:
        """Whether there is more to say than that the one came after the other."""
        return bool(self.facts) or (self.moved and bool(self.liked)) or self.rule is not None


@dataclass(frozen=True)
class Evidence:
    """For one recommended item: at most two interactions, what moved most first, the shared facts, rarest first, the
    rules of the request that it meets, and what comparing and running again have shown."""

    item: int
    interactions: tuple[Moved, ...]
    facts: tuple[SharedFact, ...]
    rules: tuple[Rule, ...] = ()
    contrast: Contrast | None = None
    rerun: Rerun | None = None

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

    @property
    def contrasted(self) -> list[Told]:
        """What can be said of why not another item: at most one."""
        if self.contrast is None or not self.contrast.holds:
            return []
        fact = () if self.contrast.fact is None else (self.contrast.fact,)
        return [Told(self.item, (self.contrast.liked,), 1, fact, True, other=self.contrast.other)]

    @property
    def countered(self) -> list[Told]:
        """What can be said of how it would be without an interaction: at most one."""
        if self.rerun is None or self.rerun.present:
            return []
        return [Told(self.item, self.rerun.without, len(self.rerun.without), (), True)]

    @property
    def ruled(self) -> list[Told]:
        """One for each of the first rules."""
        return [Told(self.item, (), 0, (), False, rule=rule) for rule in self.rules[:RULED]]


def _other(first: SharedFact, second: SharedFact) -> bool:
    return first.field != second.field and first.value.casefold() != second.value.casefold()


@dataclass(frozen=True)
class Left:
    """Scores with and without. newest: distinct items of the window, newest first, int64 [removed]; whole: float64
    [items]; without: float64 [removed, items]."""

    newest: Int64
    whole: Float64
    without: Float64

    @property
    def fallen(self) -> Float64:
        """What each item's score loses without each interaction; negative where it gains."""
        fallen: Float64 = self.whole - self.without
        return fallen


def evidence_for(
    judge: Judge, facts: Facts, history: History, items: Sequence[int], window: int, rules: Sequence[Rule] = ()
) -> list[Evidence]:
    """The evidence of every item of a slate, after one batched pass of the judge.

    history: item numbers, oldest first; window: how many of the newest may have moved anything; rules: those that all
    items meet. Kept are the interactions whose absence lowers the item most, else those that share the rarest facts
    with it, else the newest.
    """
    if not len(items):
        return []
    left = without_each(judge, history, items, window)
    found = [_evidence(facts, int(item), left.newest, left.fallen[:, place]) for place, item in enumerate(items)]
    compared = [_contrast(facts, one, left, items, place) if judge.whole else None for place, one in enumerate(found)]
    return [replace(one, rules=tuple(rules), contrast=other) for one, other in zip(found, compared, strict=True)]


def without_each(judge: Judge, history: History, items: Sequence[int], window: int) -> Left:
    """Scores of the items of a slate with the whole history and without each of its newest distinct items."""
    events = np.asarray(history, dtype=np.int64)
    seen, first = np.unique(events[-window:][::-1], return_index=True)
    newest = seen[np.argsort(first)][:REMOVED]
    chosen = np.asarray(items, dtype=np.int64)
    scores = judge.scores([events, *(events[events != one] for one in newest)], chosen)
    return Left(newest, scores[0], scores[1:])


def run_again(judge: Judge, history: History, evidences: Sequence[Evidence]) -> list[Evidence]:
    """The evidence with what became of the slate without what moved each item most, and without all that is named.

    One batched pass of the judge; evidence stays as it is where the judge shows no slate.
    """
    events = np.asarray(history, dtype=np.int64)
    sets = {one: None for evidence in evidences for one in _removable(evidence)}
    slates = judge.slates([events[~np.isin(events, list(one))] for one in sets]) if sets else None
    if slates is None:
        return list(evidences)
    shown = {one: set(slate.tolist()) for one, slate in zip(sets, slates, strict=True)}
    return [replace(one, rerun=_rerun(one, shown)) for one in evidences]


def _removable(evidence: Evidence) -> list[tuple[int, ...]]:
    """The first interaction, then all named ones, where each of them counts."""
    named = tuple(one.item for one in evidence.interactions if one.counts)
    return [named[:size] for size in range(1, len(named) + 1)]


def _rerun(evidence: Evidence, shown: dict[tuple[int, ...], set[int]]) -> Rerun | None:
    """The smallest set without which the item is gone; else what was tried last."""
    tried = [Rerun(one, evidence.item in shown[one]) for one in _removable(evidence)]
    gone = next((one for one in tried if not one.present), None)
    return gone or (tried[-1] if tried else None)


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


def _contrast(facts: Facts, evidence: Evidence, left: Left, items: Sequence[int], place: int) -> Contrast | None:
    """Of the items that the first interaction alone keeps below this one, the best; rather one that lacks a fact."""
    named = [one.item for one in evidence.interactions if one.counts][:1]
    if not named:
        return None
    row = int(np.flatnonzero(left.newest == named[0])[0])
    lead, rest = left.whole[place] - left.whole, left.without[row, place] - left.without[row]
    turned = np.flatnonzero((lead > NOISE) & (rest < -NOISE))
    below = turned[np.argsort(lead[turned], kind="stable")].tolist()
    found = [
        Contrast(int(items[one]), named[0], float(lead[one]), float(rest[one]), _lacked(facts, evidence, items[one]))
        for one in below
        if items[one] not in (evidence.item, named[0])
    ]
    return next((one for one in found if one.fact is not None), found[0] if found else None)


def _lacked(facts: Facts, evidence: Evidence, other: int) -> SharedFact | None:
    """The rarest fact that the item shares with its first interaction and the other has not."""
    liked = evidence.interactions[0].item
    shared = facts.shared(evidence.item, [liked])
    return next((fact for fact in shared if not facts.holds(int(other), fact.field, fact.value)), None)
