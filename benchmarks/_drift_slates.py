"""Slates of viewers with several interests: how much of the interests they cover, and what that costs. Of drift.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks._drift_policies import SLATE, WEIGHTS, Pools, Trade, pickers, traded, true_interest
from benchmarks._drift_recovery import cost
from benchmarks._drift_worlds import Around, Viewers
from genrec.benchmarking import Claim, claim
from genrec.evaluation.bootstrap import mean_interval
from genrec.interest.topics import Topics, item_vectors
from genrec.recommender import Recommender
from genrec.world.taste import TasteSpace

SHARES = (0.3, 0.5, 0.7, 0.9)
CANDIDATES = 100
AFFORDED = 0.015
"""Share of NDCG@10 that the chosen weight may cost on the viewers it is chosen on."""
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Compared:
    """Plain slates of some viewers and those of every re-ranking and weight; names: of the viewer of each case."""

    names: list[str]
    plain: Trade
    tried: dict[str, dict[float, Trade]]

    @classmethod
    def of(cls, recommender: Recommender, topics: Topics, viewers: Viewers) -> Compared:
        """Only viewers with several interests."""
        cases, space = Around.shares(viewers, SHARES), TasteSpace.of(viewers.world.catalog)
        cases = cases.take(np.flatnonzero((true_interest(cases, space) > 0).sum(axis=1) > 1))
        interest, allowed = true_interest(cases, space), cases.allowed(len(recommender.catalog))
        ranked = recommender.fusion.rank(cases.histories, CANDIDATES, allowed=allowed)
        pools = Pools(np.stack([one.items for one in ranked]), np.stack([one.scores for one in ranked]), np.empty(0))
        found = pickers(pools, topics, item_vectors(recommender.bundle.index), cases.histories)
        plain = traded(lambda row, weight: np.arange(SLATE), 0.0, pools.items, cases.targets, interest, space)
        tried = {
            name: {w: traded(picker, w, pools.items, cases.targets, interest, space) for w in WEIGHTS}
            for name, picker in found.items()
        }
        return cls(cases.names(), plain, tried)

    def cost(self, name: str, weight: float) -> float:
        return float(1 - self.tried[name][weight].ndcg.mean() / self.plain.ndcg.mean())

    @property
    def best(self) -> float:
        """The weight of calibrated slates that covers most, of those that cost what can be afforded at most."""
        fitting = [w for w in WEIGHTS if self.cost("calibrated", w) <= AFFORDED] or [WEIGHTS[0]]
        return max(fitting, key=lambda w: self.tried["calibrated"][w].covered.mean())

    def told(self) -> dict[str, Any]:
        curves = {
            name: [{"weight": w, **_means(one), "ndcg_cost": self.cost(name, w)} for w, one in weights.items()]
            for name, weights in self.tried.items()
        }
        return {"plain": _means(self.plain), "curves": curves}


def slates(recommender: Recommender, topics: Topics, choosing: Viewers, measured: Viewers) -> tuple[list[Claim], Any]:
    """The weight is chosen on other viewers than those measured."""
    weight = Compared.of(recommender, topics, choosing).best
    found = Compared.of(recommender, topics, measured)
    ours, plain, names = found.tried["calibrated"][weight], found.plain, found.names
    lost = cost(ours.ndcg, plain.ndcg, names)
    n, said = len(names), f"calibrated, weight {weight}"
    claims = [
        _claim("coverage_gain", ours.covered, plain.covered, names, 0.3, f"{said}; in proportion, Σ min(wanted, "
               f"slate's): {plain.covered.mean():.3f} → {ours.covered.mean():.3f}"),
        claim("drift.coverage_ndcg_cost", lost.mean, "share", "<=", 0.02, n=n, low=lost.low, high=lost.high, note=said),
        _claim("coverage_touched_gain", ours.touched, plain.touched, names, None, f"{said}; interests with an item or "
               f"more: {plain.touched.mean():.3f} → {ours.touched.mean():.3f}: no more than "
               f"{1 / plain.touched.mean() - 1:.3f} can be gained"),
        _claim("miscalibration_cut", -ours.missed, -plain.missed, names, None,
               f"{said}; Steck's divergence: {plain.missed.mean():.3f} → {ours.missed.mean():.3f}"),
    ]  # fmt: skip
    return claims, {"weight": weight} | found.told()


def _claim(name: str, ours: Float64, plain: Float64, names: list[str], target: float | None, note: str) -> Claim:
    found = mean_interval((ours - plain) / abs(float(plain.mean())), names)
    return claim(f"drift.{name}", found.mean, "share", ">=", target, n=len(names), low=found.low, high=found.high,
                 note=note)  # fmt: skip


def _means(one: Trade) -> dict[str, float]:
    return {name: float(getattr(one, name).mean()) for name in ("touched", "covered", "missed", "ndcg")}
