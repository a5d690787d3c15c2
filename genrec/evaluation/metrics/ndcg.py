"""Normalised discounted cumulative gain at k. Knows nothing of users or models."""

from __future__ import annotations

import numpy as np

from genrec.evaluation.metrics.relevance import Float64, Ranked, hits, ratio, relevant_counts
from genrec.ragged import Ragged


def ndcg(ranked: Ranked, targets: Ragged, k: int) -> Float64:
    """DCG of the list over the DCG of the best possible list, with binary gains, float64 [cases].

    DCG@k = sum over ranks r = 1..k of hit(r) / log2(r + 1); the best list has min(k, |targets|) hits in front;
    0 without targets. Source: Järvelin, Kekäläinen, Cumulated gain-based evaluation of IR techniques (2002).
    """
    discounts = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.concatenate([[0.0], discounts.cumsum()])[np.minimum(relevant_counts(targets), k)]
    return ratio(hits(ranked, targets, k) @ discounts, ideal)
