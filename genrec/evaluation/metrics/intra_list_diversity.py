"""How different the items of a slate are from each other. Knows nothing of users or models."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from genrec.evaluation.metrics.relevance import Float64, Ranked, ratio


def intra_list_diversity(ranked: Ranked, vectors: npt.NDArray[np.floating]) -> Float64:
    """1 − the mean cosine over all pairs of a slate, float64 [cases], 0..2; 0 for fewer than two items.

    The sum over pairs of cosines is (|sum of unit vectors|² − sum of their squared lengths) / 2, so no pair is formed.
    ranked: int [cases, k]; vectors: float [n_items, d]; a zero vector has cosine 0 to all.
    Source: Ziegler et al., Improving recommendation lists through topic diversification (WWW 2005).
    """
    unit = np.asarray(vectors, dtype=np.float64)
    unit = unit / np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    real = ranked >= 0
    total = np.zeros((len(ranked), unit.shape[1]))
    squares = np.zeros(len(ranked))
    for place in range(ranked.shape[1]):
        part = unit[np.where(real[:, place], ranked[:, place], 0)] * real[:, place, None]
        total += part
        squares += (part**2).sum(axis=1)
    pairs = real.sum(axis=1) * (real.sum(axis=1) - 1) / 2.0
    return np.where(pairs > 0, 1.0 - ratio(((total**2).sum(axis=1) - squares) / 2.0, pairs), 0.0)
