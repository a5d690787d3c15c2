"""F1 at k. Knows nothing of users or models."""

from __future__ import annotations

from genrec.evaluation.metrics.precision import precision
from genrec.evaluation.metrics.recall import recall
from genrec.evaluation.metrics.relevance import Float64, Ranked, ratio
from genrec.ragged import Ragged


def f1(ranked: Ranked, targets: Ragged, k: int) -> Float64:
    """The harmonic mean of a case's precision and recall at k, 0 without a hit; float64 [cases].

    2PR / (P + R). Source: van Rijsbergen, Information Retrieval (1979), chapter 7, with beta = 1.
    """
    exact, complete = precision(ranked, targets, k), recall(ranked, targets, k)
    return ratio(2.0 * exact * complete, exact + complete)
