"""Reciprocal rank at k. Knows nothing of users or models."""

from __future__ import annotations

import numpy as np

from genrec.evaluation.metrics.relevance import Float64, Ranked, hits
from genrec.ragged import Ragged


def mrr(ranked: Ranked, targets: Ragged, k: int) -> Float64:
    """1 / the rank of the first target, 0 when none is among the first k; float64 [cases].

    The mean over cases is the mean reciprocal rank.
    Source: Voorhees, The TREC-8 question answering track report (1999), section 4.
    """
    found = hits(ranked, targets, k)
    return np.where(found.any(axis=1), 1.0 / (found.argmax(axis=1) + 1.0), 0.0)
