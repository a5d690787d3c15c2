"""Slates that do not repeat themselves, or that cover several interests in proportion. Know no model and no user.

Sources: Carbonell & Goldstein 1998, "The use of MMR, diversity-based reranking" (`spread`); Chen, Zhang & Zhou 2018,
"Fast greedy MAP inference for determinantal point process" (`determinantal`); Steck 2018, "Calibrated
recommendations" (`calibrated`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from genrec.ragged import Int64

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
_FLATTER = 1.5  # scores are divided by it: rankings are surer of themselves than they should be


def spread(scores: Float64, vectors: Float32, k: int, weight: float) -> Int64:
    """Places of the k picks in their order: each the best of (1 − weight) · score − weight · likeness to a pick.

    scores: float64 [candidates], scaled here to 0..1; vectors: unit, float32 [candidates, dimensions]; weight: 0 keeps
    the order of the scores, 1 looks at likeness alone (after the first pick, which is the best by score).
    """
    k = min(k, len(scores))
    width = float(np.ptp(scores)) if len(scores) else 0.0
    gain = (scores - scores.min()) / width if width else np.zeros(len(scores))
    likeness = np.zeros(len(scores))
    free = np.ones(len(scores), dtype=bool)
    picks = np.empty(k, dtype=np.int64)
    for place in range(k):
        value = gain if place == 0 else (1 - weight) * gain - weight * likeness
        picks[place] = np.where(free, value, -np.inf).argmax()
        free[picks[place]] = False
        likeness = np.maximum(likeness, vectors @ vectors[picks[place]])
    return picks


def determinantal(scores: Float64, vectors: Float32, k: int, weight: float) -> Int64:
    """Places of the k picks in their order: each adds most to the log volume of quality times vectors.

    scores, vectors: as for `spread`. weight: share of the vectors in the choice, 0 to below 1; quality is
    exp(scaled score · (1 − weight) / weight), so that 0 keeps the order of the scores.
    """
    k = min(k, len(scores))
    if weight <= 0 or not k:
        return np.argsort(-scores, kind="stable")[:k]
    width = float(np.ptp(scores))
    gain = (scores - scores.min()) / width if width else np.zeros(len(scores))
    log_quality = 2 * gain * (1 - weight) / weight
    left = np.ones(len(scores))  # squared length of each vector outside the span of the picks
    rows = np.zeros((k, len(scores)))
    free, picks = np.ones(len(scores), dtype=bool), np.empty(k, dtype=np.int64)
    for place in range(k):
        picks[place] = best = int(np.where(free, log_quality + np.log(np.maximum(left, 1e-9)), -np.inf).argmax())
        free[best] = False
        along = vectors @ vectors[best] - rows[:place].T @ rows[:place, best]
        rows[place] = along / np.sqrt(max(float(left[best]), 1e-9))
        left = left - rows[place] ** 2
    return picks


def calibrated(scores: Float64, shares: Float64, wanted: Float64, k: int, weight: float) -> Int64:
    """Places of the k picks, best score first: a greedy trade of chance for a slate whose shares are those wanted.

    scores: logs of chances or what is as good, float64 [candidates]; shares: of each candidate over the interests, rows
    sum to 1 at most (the rest is of none), float64 [candidates, interests]; wanted: the person's shares, sums to 1;
    weight: 0 keeps the order of the scores, 1 looks at the shares alone. Maximises (1 − weight) · (chance that the
    slate holds what is chosen, over that of the k best) − weight · (Kullback-Leibler divergence of the slate's shares
    from those wanted, the slate's smoothed by a hundredth of the wanted).
    """
    k = min(k, len(scores))
    chance = np.exp((scores - scores.max(initial=-np.inf)) / _FLATTER) if k else np.zeros(0)
    chance = chance / max(np.sort(chance)[::-1][:k].sum(), 1e-300)
    free, picks = np.ones(len(scores), dtype=bool), np.empty(k, dtype=np.int64)
    total = np.zeros(shares.shape[1])
    for place in range(k):
        slate = (total + shares) / (place + 1)
        ratio = np.log(np.maximum(wanted, 1e-12)) - np.log(0.99 * slate + 0.01 * wanted + 1e-12)
        value = (1 - weight) * chance - weight * (wanted * ratio).sum(axis=1)
        picks[place] = best = int(np.where(free, value, -np.inf).argmax())
        free[best] = False
        total = total + shares[best]
    return picks[np.argsort(-scores[picks], kind="stable")]
