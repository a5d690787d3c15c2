"""Cases by how well their target is known: cold, long tail, head. Knows only counts of training events."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from genrec.interactions import Histories
from genrec.splitting import Cases

Bool = npt.NDArray[np.bool_]
HEAD = 0.5
"""Share of the training events that the most chosen items, the head, hold together at least."""


def strata(train: Histories, cases: Cases, n_items: int) -> dict[str, Bool]:
    """Stratum → bool [cases], by the first target of each case; every case is in exactly one.

    cold: nobody chose it in training; head: the fewest items that hold half of the training events; tail: the others.
    """
    counts = np.bincount(train.items.items, minlength=n_items)
    order = np.argsort(-counts, kind="stable")
    before = counts[order].cumsum() - counts[order]
    head = np.zeros(n_items, dtype=bool)
    head[order[before < HEAD * counts.sum()]] = True
    target = cases.targets.padded(1)[:, 0]
    cold = counts[target] == 0
    return {"cold": cold, "tail": ~cold & ~head[target], "head": ~cold & head[target]}
