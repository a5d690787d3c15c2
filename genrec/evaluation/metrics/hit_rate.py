"""Hit rate at k. Knows nothing of users or models."""

from __future__ import annotations

from genrec.evaluation.metrics.relevance import Float64, Ranked, hits
from genrec.ragged import Ragged


def hit_rate(ranked: Ranked, targets: Ragged, k: int) -> Float64:
    """1 where at least one target is among the first k items, else 0; float64 [cases].

    Source: Deshpande, Karypis, Item-based top-N recommendation algorithms (2004), section 6.1.2.
    """
    return hits(ranked, targets, k).any(axis=1).astype("float64")
