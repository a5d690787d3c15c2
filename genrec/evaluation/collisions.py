"""What counting equal ID strings as hits would add. Does not know how semantic IDs are made."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from genrec.evaluation.metrics.relevance import Ranked, hits
from genrec.ragged import Ragged


def collision_share(ranked: Ranked, targets: Ragged, k: int, semantic_ids: npt.NDArray[np.integer]) -> float:
    """The share of cases with a hit by semantic ID, but no hit by item, within the first k; 0..1, 0 without ID hits.

    Everywhere else a hit counts by item. This is the part of an ID-counted hit rate that is owed only to two items
    with equal codes: (cases hit by ID − cases hit by item) / cases hit by ID.
    ranked: int [cases, at least k], −1 for nothing; semantic_ids: int [n_items, L].
    """
    _, code = np.unique(semantic_ids, axis=0, return_inverse=True)
    same = code.reshape(-1).astype(np.int32)
    by_code = np.where(ranked >= 0, same[np.where(ranked >= 0, ranked, 0)], -1)
    with_code = hits(by_code, Ragged(targets.offsets, same[targets.items]), k).any(axis=1)
    with_item = hits(ranked, targets, k).any(axis=1)
    return float((with_code & ~with_item).sum() / max(1, with_code.sum()))
