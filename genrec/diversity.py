"""A slate that does not repeat itself: maximal marginal relevance over item vectors. Knows no model and no user.

Source: Carbonell & Goldstein 1998, "The use of MMR, diversity-based reranking".
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from genrec.ragged import Int64

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]


def spread(scores: Float64, vectors: Float32, k: int, weight: float) -> Int64:
    """Places of the k picks in their order: each the best of (1 − weight) · score − weight · likeness to a pick.

    scores: float64 [candidates], scaled here to 0..1; vectors: unit, float32 [candidates, dimensions]; weight: 0 keeps
    the order of the scores, 1 looks at likeness alone (after the first pick, which is the best by score).
    """
    k = min(k, len(scores))
    width = float(np.ptp(scores)) if len(scores) else 0.0
    gain = (scores - scores.min()) / width if width else np.zeros(len(scores))
    likeness = np.zeros(len(scores))
    free = np.ones(len(scores), dtype=bool)
    picks = np.empty(k, dtype=np.int64)
    for place in range(k):
        value = gain if place == 0 else (1 - weight) * gain - weight * likeness
        picks[place] = np.where(free, value, -np.inf).argmax()
        free[picks[place]] = False
        likeness = np.maximum(likeness, vectors @ vectors[picks[place]])
    return picks
