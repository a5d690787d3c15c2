"""Popularity: everyone gets the most frequent items. Does not read the history."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genrec.evaluation.ranker import Float32
from genrec.interactions import Histories
from genrec.ragged import Ragged


@dataclass(frozen=True)
class Popularity:
    """item_scores: float32 [n_items], log(1 + number of training interactions)."""

    item_scores: Float32
    name: str = "popularity"

    @classmethod
    def fit(cls, train: Histories, n_items: int) -> Popularity:
        counts = np.bincount(train.items.items, minlength=n_items)
        return cls(np.log1p(counts).astype(np.float32))

    @property
    def n_items(self) -> int:
        return len(self.item_scores)

    def scores(self, histories: Ragged) -> Float32:
        """The same row for every case, float32 [cases, n_items]."""
        return np.tile(self.item_scores, (len(histories), 1))
