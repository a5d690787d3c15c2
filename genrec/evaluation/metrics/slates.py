"""How often every item was recommended: what coverage and Gini start from. Knows no metric."""

from __future__ import annotations

import numpy as np

from genrec.evaluation.metrics.relevance import Ranked
from genrec.ragged import Int64


def shown(ranked: Ranked, n_items: int) -> Int64:
    """The number of slates places each item took, int64 [n_items]; −1 is no item."""
    return np.bincount(ranked[ranked >= 0], minlength=n_items)
