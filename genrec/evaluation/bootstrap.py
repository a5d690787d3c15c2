"""Percentile bootstrap over users: intervals of means and of paired differences. Knows only arrays.

Source: Efron, Tibshirani, An introduction to the bootstrap (1993), chapter 13. Users are drawn, not cases, so that
the cases of one user stay together.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from genrec.errors import ConfigError
from genrec.evaluation.metrics.relevance import Float64
from genrec.ragged import Int64

_CELLS = 4_000_000  # drawn users held at once


@dataclass(frozen=True)
class Interval:
    """A mean with the bounds that hold it in `level` of the resamples."""

    mean: float
    low: float
    high: float
    level: float = 0.95

    @property
    def margin(self) -> float:
        """Half the width: what stands after ±."""
        return (self.high - self.low) / 2.0


def mean_intervals(
    values: Float64,
    users: Sequence[Hashable] | None = None,
    *,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> list[Interval]:
    """One interval for the mean of every column of values, float64 [cases, metrics].

    users: who each case belongs to; None when every case is another user. The mean is over cases. The same users,
    seed and number of resamples draw the same samples, whatever the values.
    """
    _check(values, users, resamples, level)
    group = np.arange(len(values)) if users is None else _numbered(users)
    sums, cases = _per_user(values, group)
    means = _resampled_means(sums, cases, resamples, np.random.default_rng(seed))
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return [
        Interval(float(mean), float(down), float(up), level)
        for mean, down, up in zip(values.mean(axis=0), low, high, strict=True)
    ]


def mean_interval(
    values: Float64,
    users: Sequence[Hashable] | None = None,
    *,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """The interval of one metric, values float64 [cases]."""
    return mean_intervals(values[:, None], users, resamples=resamples, level=level, seed=seed)[0]


def difference_interval(
    ours: Float64,
    theirs: Float64,
    users: Sequence[Hashable] | None = None,
    *,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """The paired interval of mean(ours − theirs) on the same cases, float64 [cases] each.

    A lower bound over 0 says that ours is better beyond the noise of who was drawn.
    """
    if ours.shape != theirs.shape:
        raise ConfigError(
            "two systems were not measured on the same cases",
            value=(ours.shape, theirs.shape),
            remedy="evaluate both on one Cases",
        )
    return mean_interval(ours - theirs, users, resamples=resamples, level=level, seed=seed)


def _check(values: Float64, users: Sequence[Hashable] | None, resamples: int, level: float) -> None:
    if values.ndim != 2 or not len(values):
        raise ConfigError("no cases to draw from", value=values.shape, allowed="[cases, metrics], 1 case or more")
    if users is not None and len(users) != len(values):
        raise ConfigError("users and values differ in length", value=(len(users), len(values)), remedy="one per case")
    if resamples < 1 or not 0 < level < 1:
        raise ConfigError("resamples or level out of range", value=(resamples, level), allowed="1 or more; 0 to 1")


def _numbered(users: Sequence[Hashable]) -> Int64:
    number: dict[Hashable, int] = {}
    return np.array([number.setdefault(user, len(number)) for user in users], dtype=np.int64)


def _per_user(values: Float64, group: Int64) -> tuple[Float64, Float64]:
    """Sums of values, float64 [users, metrics], and numbers of cases, float64 [users]."""
    cases: Float64 = np.bincount(group).astype(np.float64)
    sums = np.stack([np.bincount(group, weights=column) for column in values.T], axis=1).astype(np.float64)
    return sums, cases


def _resampled_means(sums: Float64, cases: Float64, resamples: int, rng: np.random.Generator) -> Float64:
    """float64 [resamples, metrics]: how often each user was drawn, times the sums, over the cases so drawn."""
    n, size = len(cases), max(1, _CELLS // len(cases))
    both = np.column_stack([sums, cases])
    parts = []
    for start in range(0, resamples, size):
        rows = min(size, resamples - start)
        drawn = rng.integers(0, n, size=(rows, n)) + np.arange(rows)[:, None] * n
        times = np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n)
        parts.append(times.astype(np.float64) @ both)
    totals = np.concatenate(parts)
    means: Float64 = totals[:, :-1] / totals[:, -1:]
    return means
