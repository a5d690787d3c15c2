"""Recall at k. Knows nothing of users or models."""

from __future__ import annotations

from genrec.evaluation.metrics.relevance import Float64, Ranked, hits, ratio, relevant_counts
from genrec.ragged import Ragged


def recall(ranked: Ranked, targets: Ragged, k: int) -> Float64:
    """The share of a case's targets among its first k items, float64 [cases].

    |top-k ∩ targets| / |targets|; 0 without targets. With one target it equals the hit rate.
    Source: Manning, Raghavan, Schütze, Introduction to Information Retrieval (2008), eq. 8.2, cut at k.
    """
    return ratio(hits(ranked, targets, k).sum(axis=1), relevant_counts(targets))
