"""How soon systems are back at their level after a change: NDCG@10 by choices since. Part of benchmarks/drift.py."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.isotonic import IsotonicRegression

from benchmarks._drift_worlds import Around
from genrec.adapting import AdaptiveFusion, joined
from genrec.benchmarking import Claim, claim
from genrec.evaluation.bootstrap import Interval, difference_interval
from genrec.evaluation.metrics.ndcg import ndcg
from genrec.evaluation.ranker import Scorer, ScoreRanker
from genrec.fusing import Fusion
from genrec.interest.adapting import AdaptPolicy
from genrec.ragged import Int32, Int64, Ragged

K = 10
AFTER = (0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12)
BEFORE = (-5, -3, -1)
LEVEL = 0.9
_ROWS = 2048
_TOLD = 0.5  # share of the present part where the change is known
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


def of_told(fusion: Fusion, policy: AdaptPolicy, cases: Around) -> Float64:
    """As an adapting ranking that knows whether there was a change, and where."""
    histories, allowed = cases.histories, cases.allowed(len(fusion.asking.index))
    ranked: Int32 = np.full((len(cases), K), -1, dtype=np.int32)
    depth = max(K, fusion.width)
    for start in range(0, len(cases), _ROWS):
        rows = np.arange(start, min(start + _ROWS, len(cases)))
        new = np.maximum(cases.after[rows], 0)
        parts = [
            fusion.rank(read, depth, allowed=allowed[start : start + _ROWS])
            for read in (
                histories.take(rows), histories.take(rows).last(1),
                Ragged.from_lists([histories[row][-n:] for row, n in zip(rows.tolist(), new.tolist(), strict=True)]),
            )
        ]  # fmt: skip
        for place, (whole, latest, present) in enumerate(zip(*parts, strict=True)):
            share = _TOLD if new[place] else 0.0
            shares = 1 - share - policy.latest, policy.latest, share
            one = joined(list(zip((whole, latest, present), shares, strict=True)), K)
            ranked[rows[place], : len(one.items)] = one.items
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


def recovery_interval(values: Float64, plain: Float64, cases: Around) -> tuple[float, float]:
    """95 % bootstrap interval of `Curve.recovered`, viewers drawn; beyond what was measured counts as one more."""
    found = [_recovered(values, plain, cases, rows) for rows in _draws(cases)]
    return float(np.quantile(found, 0.025)), float(np.quantile(found, 0.975))


def sooner_interval(ours: Float64, theirs: Float64, plain: Float64, cases: Around) -> tuple[float, float]:
    """95 % bootstrap interval of the share of the choices that `ours` saves against `theirs`, which is held to its own
    level; `plain`: whose level ours is held to, too."""
    found = [
        1 - _recovered(ours, plain, cases, rows) / _recovered(theirs, theirs, cases, rows) for rows in _draws(cases)
    ]
    return float(np.quantile(found, 0.025)), float(np.quantile(found, 0.975))


def early_gain(name: str, ours: Float64, plain: Float64, cases: Around) -> Claim:
    """NDCG@10 over that of `plain`, of choices that follow one to five of the new interest, as a share of it."""
    early = (cases.after >= 1) & (cases.after <= 5)
    names = [user for user, there in zip(cases.names(), early, strict=True) if there]
    found, base = difference_interval(ours[early], plain[early], names), float(plain[early].mean())
    return claim(name, found.mean / base, "share", ">=", None, n=int(early.sum()), low=found.low / base,
                 high=found.high / base, note=f"NDCG@10 {base:.4f} → {ours[early].mean():.4f}")  # fmt: skip


def _recovered(values: Float64, plain: Float64, cases: Around, rows: Int64) -> float:
    level = float(plain[rows][cases.after[rows] < 0].mean())
    return min(Curve.of(values[rows], cases.after[rows]).recovered(level), max(AFTER) + 1.0)


def _draws(cases: Around, draws: int = 200) -> Iterator[Int64]:
    """Rows of viewers drawn with replacement."""
    rng, order = np.random.default_rng(0), np.argsort(cases.users, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(cases.users[order])) + 1)
    for _ in range(draws):
        yield np.concatenate([groups[pick] for pick in rng.integers(0, len(groups), len(groups))])
