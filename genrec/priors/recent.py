"""How often an item was chosen of late: counts that fade with age, the same for everybody. Does not know histories."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genrec.evaluation.baselines.recent_popularity import RecentPopularity
from genrec.priors.mix import Float32
from genrec.ragged import Ragged


@dataclass(frozen=True)
class Recent:
    """faded: Σ 2^(−age / half-life) over an item's training interactions, float32 [items]."""

    faded: Float32
    name: str = "recent"

    @classmethod
    def of_baseline(cls, fitted: RecentPopularity) -> Recent:
        """The prior of a recent popularity whose half-life was chosen already."""
        return cls(fitted.item_scores)

    def values(self, histories: Ragged) -> Float32:
        return np.tile(np.log1p(self.faded), (len(histories), 1))

    def tensors(self) -> dict[str, Float32]:
        return {"recent.faded": self.faded}

    @classmethod
    def of(cls, tensors: dict[str, Float32]) -> Recent:
        return cls(tensors["recent.faded"])
