"""How unpopular the recommended items are. Knows nothing of users or models."""

from __future__ import annotations

import numpy as np

from genrec.evaluation.metrics.relevance import Float64, Ranked, ratio
from genrec.ragged import Int64


def novelty(ranked: Ranked, item_counts: Int64) -> Float64:
    """Mean self-information of a slate's items in bits, float64 [cases]; 0 for an empty slate.

    −log2 p(i) with p(i) = (count(i) + 1) / (all counts + n_items): add-one, so that a cold item has a finite value.
    ranked: int [cases, k]; item_counts: training interactions per item, int [n_items].
    Source: Zhou et al., Solving the apparent diversity-accuracy dilemma (PNAS 2010), surprisal.
    """
    shares = (item_counts + 1.0) / (item_counts.sum() + len(item_counts))
    real = ranked >= 0
    bits = np.where(real, -np.log2(shares)[np.where(real, ranked, 0)], 0.0)
    return ratio(bits.sum(axis=1), real.sum(axis=1))
