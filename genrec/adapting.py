"""Rankings that follow a change: the whole history and its present part ranked apart, mixed by the chance of a change.

score(item) = log((1 − chance) · p(item | whole history) + chance · p(item | present part)), each p from the fusion's
scores over its own candidates. Where no change is in sight only the whole history is ranked. Does not know bundles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from genrec.asking import NextItemPrompt
from genrec.decoding.engine import Float64
from genrec.fusing import Bool, Fusion, Ranking
from genrec.interest.adapting import Adapter, Present
from genrec.priors.mix import Float32, Mix
from genrec.ragged import Int64, Ragged


@dataclass(frozen=True)
class AdaptiveFusion:
    """A Fusion that reads histories by an Adapter; used in its place."""

    fusion: Fusion
    adapter: Adapter

    @property
    def asking(self) -> NextItemPrompt:
        return self.fusion.asking

    @property
    def mix(self) -> Mix:
        return self.fusion.mix

    def alone(self) -> Fusion:
        """The model without priors, on whole histories."""
        return self.fusion.alone()

    def scores(self, histories: Ragged, items: Int64, profile: str = "") -> Float64:
        """As `Fusion.scores`, of the whole histories."""
        return self.fusion.scores(histories, items, profile)

    def rank(
        self,
        histories: Ragged,
        k: int,
        *,
        allowed: Sequence[Bool | None],
        profiles: Sequence[str] = (),
        nudges: Sequence[Float32 | None] = (),
    ) -> list[Ranking]:
        """As `Fusion.rank`; scores are log-probabilities among the candidates where two rankings were mixed."""
        depth = max(k, self.fusion.width)
        whole = self.fusion.rank(histories, depth, allowed=allowed, profiles=profiles, nudges=nudges)
        policy = self.adapter.policy
        found = self.adapter.present(self._known(histories)) if policy.on else []
        moved = [row for row, one in enumerate(found) if one.chance >= policy.least]
        out = [_first(one, k) for one in whole]
        if moved:
            parts = Ragged.from_lists([self._present(histories, row, found[row]) for row in moved])
            short = self.fusion.rank(
                parts, depth, allowed=[allowed[row] for row in moved],
                profiles=[profiles[row] for row in moved] if profiles else (),
                nudges=[nudges[row] for row in moved] if nudges else (),
            )  # fmt: skip
            for row, part in zip(moved, short, strict=True):
                out[row] = mixed(whole[row], part, found[row].chance, policy.temperature, k)
        return out

    def _known(self, histories: Ragged) -> Ragged:
        """The items that there are topics of: newer ones say nothing of a change."""
        return histories.where(histories.items < self.adapter.filter.topics.items)

    def _present(self, histories: Ragged, row: int, found: Present) -> Int64:
        """The present part with the newer items among it that have no topics."""
        history = np.asarray(histories[row], dtype=np.int64)
        known = np.flatnonzero(history < self.adapter.filter.topics.items)
        start = int(known[found.since]) if len(known) else 0
        places = np.union1d(known[found.kept], np.arange(start, len(history)))
        return history[places]


def mixed(whole: Ranking, present: Ranking, chance: float, temperature: float, k: int) -> Ranking:
    """The k best of both; an item that one ranking lacks has no chance there."""
    items = np.union1d(whole.items, present.items)
    far, near = _chances(whole, items, temperature), _chances(present, items, temperature)
    scores = np.log(np.maximum((1 - chance) * far + chance * near, 1e-300))
    logprobs = np.maximum(_spread(whole.logprobs, whole.items, items), _spread(present.logprobs, present.items, items))
    best = np.lexsort((items, -scores))[:k]
    return Ranking(items[best], logprobs[best], scores[best])


def _chances(ranking: Ranking, items: Int64, temperature: float) -> Float64:
    if not len(ranking.scores):
        return np.zeros(len(items))
    soft = np.exp((ranking.scores - ranking.scores.max()) / temperature)
    return np.exp(_spread(np.log(np.maximum(soft / soft.sum(), 1e-300)), ranking.items, items))


def _spread(values: Float64, held: Int64, items: Int64) -> Float64:
    """Values of some items beside all `items` (rising); −inf for the others."""
    out = np.full(len(items), -np.inf)
    out[np.searchsorted(items, held)] = values
    return out


def _first(ranking: Ranking, k: int) -> Ranking:
    return Ranking(ranking.items[:k], ranking.logprobs[:k], ranking.scores[:k])
