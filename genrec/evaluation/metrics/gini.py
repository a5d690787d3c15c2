"""How unequally slates show the catalog. Knows nothing of users or models."""

from __future__ import annotations

import numpy as np

from genrec.evaluation.metrics.relevance import Ranked
from genrec.evaluation.metrics.slates import shown


def gini(ranked: Ranked, n_items: int) -> float:
    """Gini index of how often each item is shown: 0 = all equally, (n − 1) / n = one item only.

    G = sum over items i = 1..n, least shown first, of (2i − n − 1) · x_i / (n · sum of x); 0 when nothing is shown.
    ranked: int [cases, k]. Source: Fleder, Hosanagar, Blockbuster culture's next rise or fall (2009), section 4.
    """
    counts = np.sort(shown(ranked, n_items)).astype(np.float64)
    if counts.sum() == 0:
        return 0.0
    weights = 2.0 * np.arange(1, n_items + 1) - n_items - 1.0
    return float(weights @ counts / (n_items * counts.sum()))
