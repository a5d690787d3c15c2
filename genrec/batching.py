"""Several slates in one pass of the model: requests that wait together share prefills and steps of the beam.

A request's slate is the one that it would get alone, up to ties. Does not know who waits nor how long.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from genrec.answers import Recommendation
from genrec.chatting.conversation import Leaning
from genrec.chatting.rules import Rule
from genrec.explaining import Length
from genrec.fusing import Bool, Ranking
from genrec.ragged import Int64, Ragged
from genrec.recommender import Recommender


@dataclass(frozen=True)
class Ask:
    """What `Recommender.recommend` takes. allowed: bool [items], all that may come."""

    history: tuple[str, ...]
    k: int
    allowed: Bool
    weights: Mapping[str, float] | None = None
    explain: bool = False
    profile: str = ""
    leaning: Leaning | None = None
    length: Length = "normal"
    rules: tuple[Rule, ...] = ()
    language: str | None = None


def recommend_many(recommender: Recommender, asks: Sequence[Ask]) -> list[Recommendation]:
    """The slate of each; raises what `recommend` raises for any of them."""
    rankings: dict[int, Ranking] = {}
    for places in _groups(recommender, asks).values():
        rankings |= zip(places, _ranked(recommender, [asks[place] for place in places]), strict=True)
    return [
        recommender.recommend(
            ask.history, ask.k, allowed=ask.allowed, repeats=True, weights=ask.weights, explain=ask.explain,
            profile=ask.profile, leaning=ask.leaning, ranked=rankings.get(place), length=ask.length,
            rules=ask.rules, language=ask.language,
        )
        for place, ask in enumerate(asks)
    ]  # fmt: skip


def _groups(recommender: Recommender, asks: Sequence[Ask]) -> dict[tuple[object, int], list[int]]:
    """Asks with a history, by what a pass shares: weights and beam width (which decides a slate, too)."""
    groups: defaultdict[tuple[object, int], list[int]] = defaultdict(list)
    for place, ask in enumerate(asks):
        if ask.history:
            weights = None if ask.weights is None else tuple(sorted(ask.weights.items()))
            groups[weights, max(ask.k, recommender.fusion.width)].append(place)
    return groups


def _ranked(recommender: Recommender, asks: Sequence[Ask]) -> list[Ranking]:
    chosen: list[Int64] = [recommender.catalog.numbers(ask.history) for ask in asks]
    masks = [ask.allowed if recommender.available is None else ask.allowed & recommender.available for ask in asks]
    fusion = recommender.weighted(asks[0].weights)
    most = max(ask.k for ask in asks)
    nudges = [recommender.nudge(ask.leaning) for ask in asks]
    profiles = [ask.profile for ask in asks]
    found = fusion.rank(Ragged.from_lists(chosen), most, allowed=masks, profiles=profiles, nudges=nudges)
    return [
        Ranking(one.items[: ask.k], one.logprobs[: ask.k], one.scores[: ask.k])
        for ask, one in zip(asks, found, strict=True)
    ]
