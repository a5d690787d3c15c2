"""Item vectors from who chose what after what: positive pointwise mutual information of neighbours, then SVD.

Source: Levy & Goldberg 2014 (word2vec as PPMI factorisation), over histories instead of sentences. Knows no codes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.utils.extmath import randomized_svd

from genrec.items.text import unit
from genrec.ragged import Ragged

Float32 = npt.NDArray[np.float32]


def neighbour_vectors(
    histories: Ragged, items: int, *, dimensions: int = 64, window: int = 5, seed: int = 0
) -> Float32:
    """Unit vectors, float32 [items, at most dimensions]; zeros for items that stand beside no other in a history."""
    counts = _neighbours(histories, items, window)
    degree = np.maximum(np.asarray(counts.sum(axis=1)).ravel(), 1e-9)
    entries = counts.tocoo()
    # Context counts to the power .75, as word2vec has it, so that rare neighbours do not dominate.
    smooth = degree**0.75 / (degree**0.75).sum()
    values = np.log(np.maximum(entries.data / (degree[entries.row] * smooth[entries.col]), 1e-9))
    kept = values > 0
    ppmi = sparse.csr_matrix((values[kept], (entries.row[kept], entries.col[kept])), shape=counts.shape)
    rank = min(dimensions, items - 1)
    if rank < 1 or ppmi.nnz == 0:
        return np.zeros((items, dimensions), dtype=np.float32)
    left, strength, _ = randomized_svd(ppmi, rank, random_state=seed)
    vectors = unit(left * np.sqrt(strength))
    vectors[ppmi.getnnz(axis=1) == 0] = 0  # the SVD leaves noise there, which has a direction once scaled
    return vectors


def _neighbours(histories: Ragged, items: int, window: int) -> sparse.csr_matrix:
    """Symmetric counts of items at most `window` places apart, nearer ones weighing more."""
    rows = histories.rows
    total = sparse.csr_matrix((items, items), dtype=np.float64)
    for gap in range(1, window + 1):
        same = rows[gap:] == rows[:-gap]
        first, second = histories.items[:-gap][same], histories.items[gap:][same]
        total = total + sparse.coo_matrix((np.full(len(first), 1 / gap), (first, second)), shape=(items, items)).tocsr()
    return (total + total.T).tocsr()
