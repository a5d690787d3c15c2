"""Which recommended items are targets: the array that every accuracy metric starts from. Knows no metric."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from genrec.errors import ConfigError
from genrec.ragged import Int64, Ragged

Bool = npt.NDArray[np.bool_]
Float64 = npt.NDArray[np.float64]
Ranked = npt.NDArray[np.integer]


def hits(ranked: Ranked, targets: Ragged, k: int) -> Bool:
    """bool [cases, k]: is the item at this rank one of the case's targets?

    ranked: item numbers, int [cases, at least k], best first, no item twice in a row; −1 stands for no item.
    targets: one row of relevant items per case. Raises ConfigError when the shapes do not fit.
    """
    _check(ranked, targets, k)
    span = np.int64(max(int(ranked.max(initial=0)), int(targets.items.max(initial=0))) + 2)
    case = np.arange(len(targets), dtype=np.int64)[:, None]
    recommended = case * span + ranked[:, :k] + 1
    relevant = targets.rows * span + targets.items + 1
    return np.isin(recommended, relevant)


def relevant_counts(targets: Ragged) -> Int64:
    """The number of different targets of every case, int64 [cases]."""
    pairs = np.unique(np.stack([targets.rows, targets.items.astype(np.int64)]), axis=1)
    return np.bincount(pairs[0], minlength=len(targets))


def ratio(above: npt.ArrayLike, below: npt.ArrayLike) -> Float64:
    """above / below as float64, 0 where below is 0."""
    numerator, denominator = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator != 0)


def _check(ranked: Ranked, targets: Ragged, k: int) -> None:
    if ranked.ndim != 2 or len(ranked) != len(targets):
        raise ConfigError(
            "ranked lists and targets do not belong together",
            value=ranked.shape,
            allowed=f"a shape ({len(targets)}, k)",
            remedy="rank the histories of the same cases",
        )
    if not 1 <= k <= ranked.shape[1]:
        raise ConfigError(
            "k is out of range", value=k, allowed=f"1 to {ranked.shape[1]}", remedy="rank more items or lower k"
        )
