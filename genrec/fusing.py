"""Joins the language model and the priors: score(item) = log p(semantic ID | prompt) + prior(item).

The beam carries the prior's bounds; the best items by prior alone are scored exactly and join the ranking, so a good
item is not lost to a narrow beam. A mix that leaves the model out ranks by its priors, and the model is not asked. Does
not know bundles or users.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from genrec.asking import NextItemPrompt
from genrec.decoding.engine import Candidates, Engine, Float64
from genrec.items.trie import View
from genrec.priors.mix import Float32, Mix
from genrec.priors.stand_ins import StandIns
from genrec.ragged import Int32, Int64, Ragged

Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Ranking:
    """One slate's candidates, best first. items: item numbers; logprobs: the model's part, 0 where it is left out;
    scores: with priors."""

    items: Int64
    logprobs: Float64
    scores: Float64


@dataclass(frozen=True)
class Fusion:
    """width: beams; rescued: items by prior alone that are scored beside the beam's."""

    engine: Engine
    asking: NextItemPrompt
    mix: Mix
    width: int = 50
    rescued: int = 50

    def alone(self) -> Fusion:
        """The model without priors."""
        return replace(self, mix=Mix((), {}, self.mix.fresh))

    def rank(
        self,
        histories: Ragged,
        k: int,
        *,
        allowed: Sequence[Bool | None],
        profiles: Sequence[str] = (),
        nudges: Sequence[Float32 | None] = (),
    ) -> list[Ranking]:
        """The k best allowed items of each history; allowed: bool [items] for each, None for all; nudges: what joins
        the priors of each, float32 [items]."""
        trie, priors = self.asking.index.trie, self._priors(histories, nudges)
        if priors is not None and not self.mix.spoken:
            return [_by_prior(priors[row], mask, k) for row, mask in enumerate(allowed)]
        read = self.read(histories)
        prompts = [self.asking.ids(read[row], profiles[row] if profiles else "") for row in range(len(read))]
        views = [
            View.of(trie, allowed=mask, prior=None if priors is None else priors[row])
            for row, mask in enumerate(allowed)
        ]
        found = self.engine.beam(prompts, views, max(k, self.width))
        if priors is None:
            return [Ranking(one.items[:k], one.logprobs[:k], one.logprobs[:k]) for one in found]
        return self._joined(prompts, found, priors, allowed, k)

    def _priors(self, histories: Ragged, nudges: Sequence[Float32 | None]) -> Float32 | None:
        """float32 [histories, items], or None where nothing but the model speaks."""
        priors = self.mix.values(histories) if self.mix else None
        if not any(nudge is not None for nudge in nudges):
            return priors
        none = np.zeros(len(self.asking.index.trie), dtype=np.float32)
        added = np.stack([none if nudge is None else nudge for nudge in nudges])
        return added if priors is None else priors + added

    def scores(self, histories: Ragged, items: Int64, profile: str = "") -> Float64:
        """The score of these items after each history, float64 [histories, items]."""
        if not self.mix.spoken:
            return self.mix.values(histories)[:, items].astype(np.float64)
        read = self.read(histories)
        prompts = [self.asking.ids(read[row], profile) for row in range(len(read))]
        found = np.stack(self._logprobs(prompts, [items] * len(histories)))
        return found + self.mix.values(histories)[:, items] if self.mix else found

    def read(self, histories: Ragged) -> Ragged:
        """As the model can read them: an item that it never saw is the known one most like it."""
        late = self._late
        return histories if late is None else late.as_known(histories, late=True)

    @property
    def _late(self) -> StandIns | None:
        """What stands in for items that came after training, where each has a code of its own that the model never
        saw; None where there are none."""
        fresh = self.mix.fresh
        return fresh if fresh is not None and fresh.late and self.asking.index.levels == 1 else None

    def _logprobs(self, prompts: list[list[int]], items: Sequence[Int64]) -> list[Float64]:
        """log p of each prompt's items, float64; one that the model never saw has the mean of its likes."""
        fresh, codes = self._late, self.asking.index.codes
        if fresh is None:
            return list(self.engine.score(prompts, [codes[row] for row in items]))
        told = [fresh.told(row) for row in items]
        scored = self.engine.score(prompts, [codes[row] for row in told])
        return [fresh.said(*one) for one in zip(items, told, scored, strict=True)]

    def _joined(
        self,
        prompts: list[list[int]],
        found: list[Candidates],
        priors: Float32,
        allowed: Sequence[Bool | None],
        k: int,
    ) -> list[Ranking]:
        extra = [_best_others(priors[row], allowed[row], found[row].items, self.rescued) for row in range(len(found))]
        scored = self._logprobs(prompts, extra)
        out = []
        for row, candidates in enumerate(found):
            items = np.concatenate([candidates.items, extra[row]])
            logprobs = np.concatenate([candidates.logprobs, scored[row]])
            scores = logprobs + priors[row, items]
            best = np.lexsort((items, -scores))[:k]
            out.append(Ranking(items[best], logprobs[best], scores[best]))
        return out


PRIORED = 100_000
"""Items of a catalog up to which explanations ask priors again for every interaction that is left out; in a larger one
they ask the model alone, for priors are computed over the whole catalog each time; priors that rank without the model
are asked in any."""


class Ranks(Protocol):
    """A Fusion, or what stands in its place."""

    @property
    def asking(self) -> NextItemPrompt: ...

    @property
    def mix(self) -> Mix: ...

    def alone(self) -> Ranks: ...

    def scores(self, histories: Ragged, items: Int64, profile: str = "") -> Float64: ...

    def rank(
        self,
        histories: Ragged,
        k: int,
        *,
        allowed: Sequence[Bool | None],
        profiles: Sequence[str] = (),
        nudges: Sequence[Float32 | None] = (),
    ) -> list[Ranking]: ...


@dataclass(frozen=True)
class Slated:
    """A ranking as explanations ask about it. k: items of the slate, 0: there is none; allowed: bool [items], what may
    come; profile: words on what histories leave out; nudge: what joins the priors, float32 [items]."""

    fusion: Ranks
    k: int = 0
    allowed: Bool | None = None
    profile: str = ""
    nudge: Float32 | None = None

    def scores(self, histories: Sequence[Int64], items: Int64) -> Float64:
        asked = self.fusion if self.whole else self.fusion.alone()
        return asked.scores(Ragged.from_lists(histories), items, self.profile)

    @property
    def whole(self) -> bool:
        """Whether `scores` are those that rank."""
        return not self.fusion.mix or not self.fusion.mix.spoken or len(self.fusion.asking.index) <= PRIORED

    def slates(self, histories: Sequence[Int64]) -> list[Int64] | None:
        """The slate after each history, under the request's own rules; what is taken out of a history stays unseen."""
        if not self.k:
            return None
        read = Ragged.from_lists(histories)
        rows = len(read)
        found = self.fusion.rank(
            read, self.k, allowed=[self.allowed] * rows, profiles=[self.profile] * rows, nudges=[self.nudge] * rows
        )
        return [one.items for one in found]


def _by_prior(prior: Float32, allowed: Bool | None, k: int) -> Ranking:
    """The k best allowed items by prior alone; ties go to the lower number."""
    values = prior if allowed is None else np.where(allowed, prior, -np.inf)
    best = np.lexsort((np.arange(len(values)), -values))[:k]
    best = best[values[best] > -np.inf]
    return Ranking(best.astype(np.int64), np.zeros(len(best)), values[best].astype(np.float64))


def _best_others(prior: Float32, allowed: Bool | None, known: Int64, most: int) -> Int64:
    """The best allowed items by prior that the beam did not find."""
    values = prior.copy() if allowed is None else np.where(allowed, prior, -np.inf)
    values[known] = -np.inf
    most = min(most, len(values))
    best = np.argpartition(-values, most - 1)[:most]
    return best[values[best] > -np.inf].astype(np.int64)


def unseen(history: Int32 | Int64, items: int) -> Bool:
    """Everything but the history's items."""
    mask = np.ones(items, dtype=bool)
    mask[history] = False
    return mask
