"""Catalog coverage of slates. Knows nothing of users or models."""

from __future__ import annotations

from genrec.evaluation.metrics.relevance import Ranked
from genrec.evaluation.metrics.slates import shown


def coverage(ranked: Ranked, n_items: int) -> float:
    """The share of the catalog that stands in at least one slate, 0..1; 0 for an empty catalog.

    ranked: int [cases, k]. Source: Ge, Delgado-Battenfeld, Jannach, Beyond accuracy (RecSys 2010), catalog coverage.
    """
    return float((shown(ranked, n_items) > 0).mean()) if n_items else 0.0
