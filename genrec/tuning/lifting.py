"""How much fresh items may be lifted before it costs anything. Does not know what the priors are.

A twentieth of the known items is taken for fresh on validation cases: their likes stand in for them, in every prior and
in the model, and the cases show what a lift wins among those that were chosen and loses among the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from genrec.decoding.engine import Float64
from genrec.fusing import Fusion, unseen
from genrec.priors.mix import Float32, Mix
from genrec.priors.stand_ins import StandIns
from genrec.ragged import Int64, Ragged
from genrec.splitting import Cases
from genrec.tuning.weighing import from_beam

Bool = npt.NDArray[np.bool_]
SHARE = 0.05
"""Of the known items, what is taken for fresh."""
LIFTS = np.arange(-4.0, 8.01, 0.5)
"""What is tried, in units of log-probability."""
SURE = 1.645
"""Standard errors of a one-sided 95 %."""
_KNOWN, _FRESH = 50, 20  # the best of each by the priors' sum are looked at


def fitted_lift(fusion: Fusion, vectors: Float32, known: Bool, valid: Cases, beam: Int64 | None = None) -> float:
    """The lift that serves fresh items best and costs nothing measurable on validation, seen items masked.

    vectors: of the items' texts, float32 [items, d]; known: bool [items]; beam: the model's best items of each case,
    int64 [cases, width], where they are there already.
    """
    trial = _Trial.of(fusion.mix, vectors, known, valid)
    candidates = trial.candidates([from_beam(fusion, valid.histories) if beam is None else beam])
    return trial.free(candidates, _said(fusion, trial.pretended.late_ones(known), valid.histories, candidates))


def lift_alone(mix: Mix, vectors: Float32, known: Bool, valid: Cases) -> float:
    """The same for the priors without the model."""
    trial = _Trial.of(mix, vectors, known, valid)
    candidates = trial.candidates([])
    return trial.free(candidates, [np.zeros(len(items)) for items in candidates])


@dataclass(frozen=True)
class _Trial:
    """Some known items taken for fresh. pretended: what stands in for all that are; priors: float32 [cases, items];
    allowed: bool [cases, items], unseen; targets: int64 [cases]."""

    pretended: StandIns
    priors: Float32
    allowed: Bool
    targets: Int64

    @classmethod
    def of(cls, mix: Mix, vectors: Float32, known: Bool, valid: Cases) -> _Trial:
        pretended = StandIns.of(vectors, known & ~_drawn(known))
        allowed = np.stack([unseen(valid.histories[row], len(known)) for row in range(len(valid))])
        priors = replace(mix, fresh=pretended).values(valid.histories) if mix else np.zeros(allowed.shape, np.float32)
        return cls(pretended, priors, allowed, valid.targets.padded(1)[:, 0].astype(np.int64))

    @property
    def fresh(self) -> Bool:
        """bool [items]."""
        return ~self.pretended.known(self.priors.shape[1])

    def candidates(self, beams: Sequence[Int64]) -> list[Int64]:
        """Of each case: the best fresh and the best known by the priors, and those of beams."""
        parts = list(beams)
        for kind, most in ((self.fresh, _FRESH), (~self.fresh, _KNOWN)):
            values = np.where(self.allowed & kind, self.priors, -np.inf)
            most = min(most, values.shape[1])
            parts.append(np.argpartition(-values, most - 1, axis=1)[:, :most])
        together = np.concatenate(parts, axis=1)
        return [np.unique(items[self.allowed[row, items]]) for row, items in enumerate(together)]

    def free(self, candidates: Sequence[Int64], said: Sequence[Float64]) -> float:
        """said: what the model gives each candidate."""
        scores = [one + self.priors[row, items] for row, (one, items) in enumerate(zip(said, candidates, strict=True))]
        return best_free(candidates, scores, self.fresh, self.targets)


def _drawn(known: Bool) -> Bool:
    """Known items that are taken for fresh, drawn with a seed."""
    items = np.flatnonzero(known)
    out = np.zeros_like(known)
    out[np.random.default_rng(0).permutation(items)[: round(SHARE * len(items))]] = True
    return out


def _said(fusion: Fusion, late: StandIns, histories: Ragged, candidates: Sequence[Int64]) -> list[Float64]:
    """The model's part; items taken for fresh are late to it: it is asked for their likes in their place."""
    told = [late.told(items) for items in candidates]
    codes = fusion.asking.index.codes
    asked = fusion.engine.score(fusion.asking.batch(histories), [codes[items] for items in told])
    return [late.said(*one) for one in zip(candidates, told, asked, strict=True)]


def best_free(candidates: Sequence[Int64], scores: Sequence[Float64], fresh: Bool, targets: Int64) -> float:
    """Of LIFTS that cost no NDCG@10 measurably, the one under which fresh targets rank best; of equals
    the one nearest to none.

    Measurably: more than a one-sided 95 % of the difference to the best lift, paired by case.
    """
    quality = np.zeros((len(LIFTS), len(targets)))
    for row, (items, says, target) in enumerate(zip(candidates, scores, targets, strict=True)):
        quality[:, row] = _gains(says, fresh[items], items == target)
    lost = quality[quality.mean(axis=1).argmax()] - quality
    free = lost.mean(axis=1) <= SURE * lost.std(axis=1) / np.sqrt(max(len(targets), 1))
    found = np.where(free, quality[:, fresh[targets]].sum(axis=1), -1.0)
    equals = LIFTS[found == found.max()]
    return float(equals[np.abs(equals).argmin()])


def _gains(says: Float64, fresh: Bool, target: Bool) -> Float64:
    """NDCG@10 of a case under each lift; 0 where its target is no candidate."""
    if not target.any():
        return np.zeros(len(LIFTS))
    lifted = says + np.outer(LIFTS, fresh)
    before = (lifted > lifted[:, target]).sum(axis=1)
    return np.where(before < 10, 1 / np.log2(before + 2.0), 0.0)
