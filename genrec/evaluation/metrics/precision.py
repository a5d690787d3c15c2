"""Precision at k. Knows nothing of users or models."""

from __future__ import annotations

import numpy as np

from genrec.evaluation.metrics.relevance import Float64, Ranked, hits, ratio
from genrec.ragged import Ragged


def precision(ranked: Ranked, targets: Ragged, k: int) -> Float64:
    """The share of targets among the k places; an empty place counts as a miss; float64 [cases].

    |top-k ∩ targets| / k. Source: Manning, Raghavan, Schütze, Introduction to Information Retrieval (2008),
    section 8.4.
    """
    return ratio(hits(ranked, targets, k).sum(axis=1), np.full(len(ranked), k))
