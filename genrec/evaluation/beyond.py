"""What accuracy does not tell of a system: how much of the catalog it shows, how new and how varied its slates are.

Does not know how the slates came about.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from genrec.evaluation.metrics import coverage, gini, intra_list_diversity, novelty
from genrec.evaluation.metrics.relevance import Ranked
from genrec.ragged import Int64, Ragged


def item_counts(items: Ragged, n_items: int) -> Int64:
    """How often every item occurs, int64 [n_items]."""
    return np.bincount(items.items, minlength=n_items)


def beyond_accuracy(
    ranked: Ranked, k: int, counts: Int64, vectors: npt.NDArray[np.floating] | None = None
) -> dict[str, float]:
    """coverage@k, gini@k, mean novelty@k and, with item vectors, mean intra_list_diversity@k.

    ranked: int [cases, at least k]; counts: training interactions, int64 [n_items]; vectors: float [n_items, d].
    """
    slate = ranked[:, :k]
    values = {
        f"coverage@{k}": coverage(slate, len(counts)),
        f"gini@{k}": gini(slate, len(counts)),
        f"novelty@{k}": float(novelty(slate, counts).mean()),
    }
    if vectors is not None:
        values[f"intra_list_diversity@{k}"] = float(intra_list_diversity(slate, vectors).mean())
    return values
