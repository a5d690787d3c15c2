"""Recent popularity: as popularity, but an interaction counts less the older it is. Does not read the history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from genrec.evaluation.baselines.tuning import Tuned, choose
from genrec.evaluation.ranker import Float32
from genrec.interactions import Histories
from genrec.ragged import Ragged
from genrec.splitting import Cases

_SHARES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
_DAY = 86_400.0


class RecentPopularityConfig(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    half_life_days: float = Field(default=30.0, gt=0)
    """Age at which an interaction counts half as much as one now."""


@dataclass(frozen=True)
class RecentPopularity:
    """item_scores: float32 [n_items], the sum over an item's interactions of 2^(−age / half-life)."""

    config: RecentPopularityConfig
    item_scores: Float32
    name: str = "recent popularity"

    @classmethod
    def fit(cls, train: Histories, n_items: int, config: RecentPopularityConfig | None = None) -> RecentPopularity:
        """Ages are counted from the last training interaction."""
        config = config or RecentPopularityConfig()
        age = train.times.max(initial=0) - train.times
        weights = np.exp2(-age / (config.half_life_days * _DAY))
        sums = np.bincount(train.items.items, weights=weights, minlength=n_items)
        return cls(config, sums.astype(np.float32))

    @property
    def n_items(self) -> int:
        return len(self.item_scores)

    def scores(self, histories: Ragged) -> Float32:
        """The same row for every case, float32 [cases, n_items]."""
        return np.tile(self.item_scores, (len(histories), 1))


def half_lives(train: Histories) -> list[RecentPopularityConfig]:
    """Half-lives from 0.3 % to all of the time that the training interactions span."""
    days = max(float(np.ptp(train.times)) / _DAY if len(train.times) else 0.0, 1e-6)
    return [RecentPopularityConfig(half_life_days=days * share) for share in _SHARES]


def tune(
    train: Histories, valid: Cases, n_items: int, grid: Sequence[RecentPopularityConfig] | None = None
) -> Tuned[RecentPopularity, RecentPopularityConfig]:
    """The half-life with the best validation NDCG@10."""
    return choose(lambda config: RecentPopularity.fit(train, n_items, config), grid or half_lives(train), valid)
