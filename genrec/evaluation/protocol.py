"""The evaluation protocol: every case's targets are looked for in a ranking of the whole catalog.

No sampled negatives. Two variants: with `mask_seen` the items of a case's history are taken out of the candidates, as
in most published tables; a target that was seen can then not be found and counts as a miss. Without it nothing is
taken out. The two give different numbers, so reports show both. Does not know how cases or rankings come about.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from genrec.errors import ConfigError, EngineError
from genrec.evaluation.bootstrap import Interval, difference_interval, mean_intervals
from genrec.evaluation.metrics import ACCURACY
from genrec.evaluation.metrics.relevance import Float64
from genrec.evaluation.ranker import Ranker
from genrec.ragged import Int32
from genrec.splitting import Cases

KS = (1, 5, 10, 20)


@dataclass(frozen=True)
class Result:
    """One system on one set of cases, in one masking variant.

    per_case: "ndcg@10" → float64 [cases]; ranked: int32 [cases, largest k]; seconds: spent ranking.
    """

    name: str
    mask_seen: bool
    users: list[str]
    ranked: Int32
    per_case: dict[str, Float64]
    seconds: float

    @property
    def metrics(self) -> list[str]:
        return list(self.per_case)

    def mean(self, metric: str) -> float:
        return float(self._values(metric).mean())

    def intervals(
        self, metrics: Sequence[str] | None = None, *, resamples: int = 1000, seed: int = 0
    ) -> dict[str, Interval]:
        """Metric → its mean with the 95 % bootstrap interval over users; all metrics by default."""
        names = list(self.per_case) if metrics is None else list(metrics)
        values = np.column_stack([self._values(name) for name in names])
        return dict(zip(names, mean_intervals(values, self.users, resamples=resamples, seed=seed), strict=True))

    def difference(self, other: Result, metric: str, *, resamples: int = 1000, seed: int = 0) -> Interval:
        """The paired 95 % interval of this system minus the other; raises ConfigError when the cases differ."""
        if self.users != other.users or self.mask_seen != other.mask_seen:
            raise ConfigError(
                "two results are of different cases or masking",
                value=(self.name, other.name),
                remedy="evaluate both on the same Cases with the same mask_seen",
            )
        ours, theirs = self._values(metric), other._values(metric)
        return difference_interval(ours, theirs, self.users, resamples=resamples, seed=seed)

    def _values(self, metric: str) -> Float64:
        if metric not in self.per_case:
            raise ConfigError("no such metric in this result", value=metric, allowed=", ".join(self.per_case))
        return self.per_case[metric]


def evaluate(ranker: Ranker, cases: Cases, ks: Sequence[int] = KS, *, mask_seen: bool) -> Result:
    """Ranks the whole catalog for every case and computes every accuracy metric at every k.

    Raises ConfigError for no cases or a k below 1, EngineError for a ranking that breaks the contract: wrong shape,
    an item twice in a list, or, with mask_seen, an item of the history.
    """
    if not len(cases.targets) or not ks or min(ks) < 1:
        raise ConfigError("nothing to evaluate", value=(len(cases.targets), tuple(ks)), allowed="cases; each k ≥ 1")
    started = time.monotonic()
    ranked = ranker.rank(cases.histories, max(ks), mask_seen=mask_seen)
    seconds = time.monotonic() - started
    _check(ranker.name, ranked, cases, max(ks), mask_seen)
    per_case = {f"{name}@{k}": metric(ranked, cases.targets, k) for name, metric in ACCURACY.items() for k in ks}
    return Result(ranker.name, mask_seen, list(cases.users), ranked, per_case, seconds)


def evaluate_both(ranker: Ranker, cases: Cases, ks: Sequence[int] = KS) -> tuple[Result, Result]:
    """The two masking variants: seen items masked, then not."""
    return evaluate(ranker, cases, ks, mask_seen=True), evaluate(ranker, cases, ks, mask_seen=False)


def _check(name: str, ranked: Int32, cases: Cases, k: int, mask_seen: bool) -> None:
    wanted = (len(cases.targets), k)
    if ranked.shape != wanted:
        raise EngineError("a ranking has the wrong shape", value=ranked.shape, where=name, allowed=str(wanted))
    ordered = np.sort(ranked, axis=1)
    twice = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
    if twice.any():
        raise EngineError("an item stands twice in a ranking", value=int(ordered[:, 1:][twice][0]), where=name)
    if mask_seen and _seen(ranked, cases).any():
        raise EngineError(
            "a seen item was recommended", value=int(ranked[_seen(ranked, cases)][0]), where=name, remedy="mask it"
        )


def _seen(ranked: Int32, cases: Cases) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    span = np.int64(max(int(ranked.max(initial=0)), int(cases.histories.items.max(initial=0))) + 2)
    history = cases.histories.rows * span + cases.histories.items + 1
    return np.isin(np.arange(len(ranked))[:, None] * span + ranked + 1, history)
