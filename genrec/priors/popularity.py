"""How often an item was chosen: log counts, the same for everybody. Does not know histories."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genrec.interactions import Histories
from genrec.priors.mix import Float32
from genrec.ragged import Ragged


@dataclass(frozen=True)
class Popular:
    """counts: training interactions of every item, float32 [items]."""

    counts: Float32
    name: str = "popularity"

    @classmethod
    def fit(cls, train: Histories, items: int) -> Popular:
        return cls(np.bincount(train.items.items, minlength=items).astype(np.float32))

    def values(self, histories: Ragged) -> Float32:
        return np.tile(np.log1p(self.counts), (len(histories), 1))

    def tensors(self) -> dict[str, Float32]:
        return {"popularity.counts": self.counts}

    @classmethod
    def of(cls, tensors: dict[str, Float32]) -> Popular:
        return cls(tensors["popularity.counts"])
