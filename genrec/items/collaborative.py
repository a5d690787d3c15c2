"""Item vectors from who chose what after what: positive pointwise mutual information of neighbours, then SVD.

Source: Levy & Goldberg 2014 (word2vec as PPMI factorisation), over histories instead of sentences. Items without
interactions get the vector that their text predicts. Does not know semantic IDs.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
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


def join_vectors(text: Float32, collaborative: Float32 | None, *, weight: float = 0.5, dimensions: int = 96) -> Float32:
    """Text and collaborative vectors side by side, float32 [items, at most dimensions + those of collaborative].

    weight: share of the collaborative block in the squared length, 0 to 1; dimensions: of the text block.
    """
    described = unit(_centred(text, dimensions))
    if collaborative is None or not collaborative.any():
        return described
    blocks = [np.sqrt(1 - weight) * described, np.sqrt(weight) * _filled(text, collaborative)]
    return np.concatenate(blocks, axis=1).astype(np.float32)


def _centred(vectors: Float32, dimensions: int) -> Float32:
    """Principal components; texts that are all alike stay as they are."""
    if np.allclose(vectors, vectors[:1]):
        return vectors
    found: Float32 = PCA(min(dimensions, *vectors.shape), random_state=0).fit_transform(vectors).astype(np.float32)
    return found


def _filled(text: Float32, collaborative: Float32) -> Float32:
    """Rows of zeros replaced by what a ridge regression reads from the text."""
    known = collaborative.any(axis=1)
    if known.all():
        return collaborative
    guess = Ridge(alpha=1.0).fit(text[known], collaborative[known]).predict(text[~known])
    out = collaborative.copy()
    out[~known] = unit(np.asarray(guess, dtype=np.float32).reshape(int((~known).sum()), -1))
    return out
