"""How soon systems are back at their level after a change: NDCG@10 by choices since. Part of benchmarks/drift.py."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.isotonic import IsotonicRegression

from benchmarks._drift_worlds import Around
from genrec.adapting import AdaptiveFusion
from genrec.evaluation.bootstrap import Interval, difference_interval
from genrec.evaluation.metrics.ndcg import ndcg
from genrec.evaluation.ranker import Scorer, ScoreRanker
from genrec.fusing import Fusion
from genrec.ragged import Int32, Ragged

K = 10
AFTER = (0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12)
BEFORE = (-5, -3, -1)
LEVEL = 0.9
_ROWS = 2048
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """before: mean NDCG@10 of the choices before the change; at: by number of choices since; smooth: the same, never
    falling (isotonic, weighted by cases), so that noise neither makes nor hides a recovery."""

    before: float
    at: dict[int, float]
    smooth: dict[int, float]

    @classmethod
    def of(cls, values: Float64, after: npt.NDArray[np.int64]) -> Curve:
        ks = [k for k in AFTER if (after == k).any()]
        means = np.array([values[after == k].mean() for k in ks])
        rising = IsotonicRegression().fit_transform(ks, means, sample_weight=[(after == k).sum() for k in ks])
        before = float(values[after < 0].mean())
        return cls(
            before,
            dict(zip(ks, map(float, means), strict=True)),
            dict(zip(ks, map(float, rising), strict=True)),
        )

    def recovered(self, level: float | None = None) -> float:
        """Choices since the change, interpolated, after which LEVEL of the level before (or of `level`, where that is
        higher) is reached; inf: not in sight."""
        wanted = LEVEL * max(self.before, level or 0.0)
        ks, values = list(self.smooth), list(self.smooth.values())
        for last, (k, value) in enumerate(zip(ks, values, strict=True)):
            if value >= wanted:
                if not last:
                    return float(k)
                low = values[last - 1]
                return float(ks[last - 1] + (k - ks[last - 1]) * (wanted - low) / (value - low))
        return float("inf")


def of_fusion(fusion: Fusion | AdaptiveFusion, cases: Around) -> Float64:
    """NDCG@10 of every case, seen items masked."""
    histories, allowed = cases.histories, cases.allowed(len(fusion.asking.index))
    ranked: Int32 = np.full((len(cases), K), -1, dtype=np.int32)
    for start in range(0, len(cases), _ROWS):
        rows = np.arange(start, min(start + _ROWS, len(cases)))
        found = fusion.rank(histories.take(rows), K, allowed=allowed[start : start + _ROWS])
        for row, one in zip(rows.tolist(), found, strict=True):
            ranked[row, : len(one.items)] = one.items
    return _values(ranked, cases)


def of_scorer(scorer: Scorer, cases: Around) -> Float64:
    return _values(ScoreRanker(scorer).rank(cases.histories, K, mask_seen=True), cases)


def _values(ranked: Int32, cases: Around) -> Float64:
    targets = Ragged.from_lists([[item] for item in cases.targets.tolist()])
    return np.asarray(ndcg(ranked, targets, K), dtype=np.float64)


def cost(ours: Float64, plain: Float64, users: list[str]) -> Interval:
    """Share of NDCG that `ours` loses against `plain`, with the interval of the paired difference."""
    found, base = difference_interval(plain, ours, users), float(plain.mean())
    return Interval(found.mean / base, found.low / base, found.high / base)


def recovery_interval(values: Float64, plain: Float64, cases: Around, draws: int = 200) -> tuple[float, float]:
    """95 % bootstrap interval of `Curve.recovered`, viewers drawn; beyond what was measured counts as one more."""
    rng, found = np.random.default_rng(0), []
    order = np.argsort(cases.users, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(cases.users[order])) + 1)
    for _ in range(draws):
        rows = np.concatenate([groups[pick] for pick in rng.integers(0, len(groups), len(groups))])
        level = float(plain[rows][cases.after[rows] < 0].mean())
        found.append(min(Curve.of(values[rows], cases.after[rows]).recovered(level), max(AFTER) + 1.0))
    return float(np.quantile(found, 0.025)), float(np.quantile(found, 0.975))
