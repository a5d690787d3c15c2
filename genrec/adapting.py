"""Rankings that follow a change: the whole history, its present part and the newest choice ranked apart, and joined.

score(item) = Σ share · log p(item | part of the history), each p from the fusion's scores over its own candidates. The
present part's share grows with the chance of a change, the newest choice's is fixed, the rest is the whole history's. A
mean of logarithms, for what one part rules out should not come by another. Does not know bundles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from genrec.asking import NextItemPrompt
from genrec.decoding.engine import Float64
from genrec.fusing import Bool, Fusion, Ranking
from genrec.interest.adapting import Adapter, Present
from genrec.priors.mix import Float32, Mix
from genrec.ragged import Int64, Ragged

Numbers = npt.NDArray[np.integer]


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
        """As `Fusion.rank`; scores are means of log-probabilities among the candidates where rankings were joined."""
        policy, depth = self.adapter.policy, max(k, self.fusion.width)
        wholly = _Asked(histories, allowed, profiles, nudges)
        whole = wholly.ranked(self.fusion, depth)
        if not policy.on:
            return [_first(one, k) for one in whole]
        read = self._read(histories)
        found = self.adapter.present(read.where(read.items < self.adapter.filter.topics.items))
        moved = [row for row, one in enumerate(found) if one.chance >= policy.least]
        longer = [row for row, length in enumerate(histories.lengths.tolist()) if length > 1] if policy.latest else []
        present = wholly.of(moved, [self._present(histories[row], read[row], found[row]) for row in moved])
        latest = wholly.of(longer, [histories[row][-1:] for row in longer], told=False)
        near = dict(zip(moved, present.ranked(self.fusion, depth), strict=True))
        last = dict(zip(longer, latest.ranked(self.fusion, depth), strict=True))
        out = []
        for row, one in enumerate(whole):
            parts = [(near[row], policy.most * found[row].chance)] if row in near else []
            parts += [(last[row], policy.latest)] if row in last else []
            out.append(joined([(one, 1 - sum(share for _, share in parts)), *parts], k))
        return out

    def _read(self, histories: Ragged) -> Ragged:
        """With items that there are topics of, as far as something is like the newer ones: the rest says nothing of a
        change."""
        fresh = self.mix.fresh
        return histories if fresh is None else fresh.as_known(histories, late=True)

    def _present(self, history: Numbers, read: Numbers, found: Present) -> Int64:
        """The present part of a history with the newer items among it that nothing is said of."""
        known = np.flatnonzero(read < self.adapter.filter.topics.items)
        start = int(known[found.since]) if len(known) else 0
        places = np.union1d(known[found.kept], np.arange(start, len(history)))
        return np.asarray(history, dtype=np.int64)[places]


@dataclass(frozen=True)
class _Asked:
    """Arguments of `Fusion.rank`."""

    histories: Ragged
    allowed: Sequence[Bool | None]
    profiles: Sequence[str]
    nudges: Sequence[Float32 | None]

    def of(self, rows: Sequence[int], histories: Sequence[npt.NDArray[np.integer]], *, told: bool = True) -> _Asked:
        """The same for some rows, of which other histories are read; told: with their profiles."""
        return _Asked(
            Ragged.from_lists(histories),
            [self.allowed[row] for row in rows],
            [self.profiles[row] for row in rows] if self.profiles and told else (),
            [self.nudges[row] for row in rows] if self.nudges else (),
        )

    def ranked(self, fusion: Fusion, k: int) -> list[Ranking]:
        if not len(self.histories):
            return []
        return fusion.rank(self.histories, k, allowed=self.allowed, profiles=self.profiles, nudges=self.nudges)


def joined(parts: Sequence[tuple[Ranking, float]], k: int) -> Ranking:
    """The k best by the mean of log-probabilities, weighted by these shares; an item that a ranking lacks has a nat
    less there than its last."""
    if len(parts) == 1:
        return _first(parts[0][0], k)
    items = np.unique(np.concatenate([one.items for one, _ in parts]))
    scores = np.sum([share * _logged(one, items) for one, share in parts], axis=0)
    logprobs = np.max([_spread(one.logprobs, one.items, items) for one, _ in parts], axis=0, initial=-np.inf)
    best = np.lexsort((items, -scores))[:k]
    return Ranking(items[best], logprobs[best], scores[best])


def _logged(ranking: Ranking, items: Int64) -> Float64:
    """Log-probabilities among a ranking's own candidates, float64 [items]."""
    if not len(ranking.scores):
        return np.zeros(len(items))
    own = ranking.scores - np.logaddexp.reduce(ranking.scores)
    return np.asarray(np.maximum(_spread(own, ranking.items, items), own.min() - 1.0))


def _spread(values: Float64, held: Int64, items: Int64) -> Float64:
    """Values of some items beside all `items` (rising); −inf for the others."""
    out = np.full(len(items), -np.inf)
    out[np.searchsorted(items, held)] = values
    return out


def _first(ranking: Ranking, k: int) -> Ranking:
    return Ranking(ranking.items[:k], ranking.logprobs[:k], ranking.scores[:k])
