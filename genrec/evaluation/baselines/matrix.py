"""Histories as sparse matrices. Knows no model."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from genrec.ragged import Ragged


def history_matrix(histories: Ragged, n_items: int, half_life: float | None = None) -> csr_matrix:
    """float32 [rows, n_items]: 1 for every item of the row's history, however often it occurs.

    half_life: in events; the newest weighs 1, one that is `half_life` events older 0.5. None: all weigh 1.
    """
    weights = np.ones(len(histories.items), dtype=np.float32)
    if half_life is not None:
        age = np.repeat(histories.lengths, histories.lengths) - 1 - histories.places
        weights = np.exp2(-age / half_life).astype(np.float32)
    matrix = csr_matrix((weights, histories.items, histories.offsets), shape=(len(histories), n_items), copy=True)
    matrix.sum_duplicates()
    np.minimum(matrix.data, 1.0, out=matrix.data)
    return matrix
