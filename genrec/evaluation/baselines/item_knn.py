"""Item-kNN: items are near when the same users have them. Does not know order in training, nor content.

Source: Deshpande, Karypis, Item-based top-N recommendation algorithms (2004), with cosine similarity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy import sparse

from genrec.evaluation.baselines.matrix import history_matrix
from genrec.evaluation.baselines.tuning import Tuned, choose
from genrec.evaluation.ranker import Float32
from genrec.interactions import Histories
from genrec.ragged import Ragged
from genrec.splitting import Cases

_ROWS = 2048  # items whose similarities are held before all but the nearest are dropped


class ItemKnnConfig(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    neighbours: int = Field(default=100, ge=1)
    """Nearest items kept for each item."""
    half_life: float | None = Field(default=None, gt=0)
    """Events back at which a history item weighs half; none: all weigh the same."""


GRID = tuple(ItemKnnConfig(neighbours=k, half_life=half) for k in (20, 100, 500) for half in (None, 3.0, 1.0))


@dataclass(frozen=True)
class ItemKnn:
    """similarity: float32 sparse [n_items, n_items]; row i holds the cosine of item i to its nearest items."""

    config: ItemKnnConfig
    similarity: sparse.csr_matrix
    name: str = "item-kNN"

    @classmethod
    def fit(cls, train: Histories, n_items: int, config: ItemKnnConfig | None = None) -> ItemKnn:
        config = config or ItemKnnConfig()
        seen = history_matrix(train.items, n_items).tocsc()
        norms = np.sqrt(np.asarray(seen.power(2).sum(axis=0)).ravel())
        unit = (seen @ sparse.diags(1.0 / np.maximum(norms, 1e-12))).astype(np.float32).tocsr()
        items = unit.T.tocsr()
        parts = [_nearest(items, unit, start, config.neighbours) for start in range(0, n_items, _ROWS)]
        return cls(config, sparse.vstack(parts).tocsr())

    @property
    def n_items(self) -> int:
        return int(self.similarity.shape[0])

    def scores(self, histories: Ragged) -> Float32:
        """The weighted sum of the rows of the history's items, float32 [cases, n_items]."""
        weights = history_matrix(histories, self.n_items, self.config.half_life)
        summed: Float32 = (weights @ self.similarity).toarray()
        return summed


def tune(
    train: Histories, valid: Cases, n_items: int, grid: Sequence[ItemKnnConfig] = GRID
) -> Tuned[ItemKnn, ItemKnnConfig]:
    """The setting with the best validation NDCG@10."""
    return choose(lambda config: ItemKnn.fit(train, n_items, config), grid, valid)


def _nearest(items: sparse.csr_matrix, unit: sparse.csr_matrix, start: int, k: int) -> sparse.csr_matrix:
    """Cosines of items start … start + _ROWS to all, only the k largest of each row kept, itself left out."""
    cosines = (items[start : start + _ROWS] @ unit).tocoo()
    other = cosines.col != cosines.row + start
    row, column, value = cosines.row[other], cosines.col[other], cosines.data[other]
    order = np.lexsort((column, -value, row))
    row, column, value = row[order], column[order], value[order]
    counts = np.bincount(row, minlength=cosines.shape[0])
    keep = np.arange(len(row)) - np.repeat(counts.cumsum() - counts, counts) < k
    return sparse.csr_matrix((value[keep], (row[keep], column[keep])), shape=cosines.shape)
