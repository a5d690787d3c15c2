"""Weights of the priors, chosen on validation cases. Does not know what the priors are."""

from __future__ import annotations

import numpy as np

from genrec.fusing import Bool, Fusion, unseen
from genrec.priors.mix import Float32, Mix, Prior, standardised
from genrec.ragged import Int32, Int64, Ragged
from genrec.splitting import Cases

STEPS = (0.0, 0.1, 0.2, 0.4, 0.7, 1.0, 1.5, 2.5, 4.0)
"""Weights tried of each prior, in units of log-probability per standard deviation."""
_ROUNDS = 3


def chosen_weights(fusion: Fusion, valid: Cases) -> dict[str, float]:
    """The weights with the best validation NDCG@10, seen items masked; coordinate by coordinate over STEPS.

    The model scores its own beam and each prior's best items once; weights are then tried on those candidates.
    """
    return _ascent(*_candidates(fusion, valid.histories), fusion.mix.priors, valid)


def weights_alone(priors: tuple[Prior, ...], valid: Cases, items: int, width: int = 50) -> dict[str, float]:
    """The same for the priors without the model, on each one's `width` best items: what a model has to add to."""
    allowed = [unseen(valid.histories[row], items) for row in range(len(valid))]
    together = np.concatenate(_best_of_each(priors, valid.histories, allowed, min(width, items)), axis=1)
    return _ascent(together, _barred(together, allowed), priors, valid)


def _ascent(candidates: Int64, scores: Float32, priors: tuple[Prior, ...], valid: Cases) -> dict[str, float]:
    """scores: what stands without any prior, float32 [cases, candidates]."""
    values = {
        prior.name: np.take_along_axis(standardised(prior.values(valid.histories)), candidates, axis=1)
        for prior in priors
    }
    targets = valid.targets.padded(1)
    weights = dict.fromkeys(values, 0.0)
    for _ in range(_ROUNDS):
        for name in weights:
            quality = [_ndcg(candidates, scores, values, {**weights, name: step}, targets) for step in STEPS]
            weights[name] = STEPS[int(np.argmax(quality))]
    return weights


def _candidates(fusion: Fusion, histories: Ragged) -> tuple[Int64, Float32]:
    """Per case the union of the beam's and each prior's best items, −inf where an item stands twice."""
    items = len(fusion.asking.index)
    allowed = [unseen(histories[row], items) for row in range(len(histories))]
    width = min(fusion.width, items)
    best = _best_of_each(fusion.mix.priors, histories, allowed, width)
    together = np.concatenate([_from_beam(fusion, histories, allowed, width), *best], axis=1)
    prompts = fusion.asking.batch(histories)
    codes = fusion.asking.index.codes
    scored = fusion.engine.score(prompts, [codes[row] for row in together])
    logprobs = np.stack(scored).astype(np.float32)
    return together, logprobs + _barred(together, allowed)


def _best_of_each(priors: tuple[Prior, ...], histories: Ragged, allowed: list[Bool], width: int) -> list[Int64]:
    best = []
    for prior in priors:
        values = prior.values(histories)
        values[~np.stack(allowed)] = -np.inf
        best.append(np.argpartition(-values, width - 1, axis=1)[:, :width])
    return best


def _barred(candidates: Int64, allowed: list[Bool]) -> Float32:
    """−inf where an item is not allowed, or stood in the row before; 0 elsewhere."""
    out = np.zeros(candidates.shape, dtype=np.float32)
    out[_repeated(candidates) | ~np.take_along_axis(np.stack(allowed), candidates, axis=1)] = -np.inf
    return out


def _from_beam(fusion: Fusion, histories: Ragged, allowed: list[Bool], width: int) -> Int64:
    alone = Fusion(fusion.engine, fusion.asking, Mix((), {}), width)
    out = np.zeros((len(histories), width), dtype=np.int64)
    for row, ranking in enumerate(alone.rank(histories, width, allowed=allowed)):
        out[row, : len(ranking.items)] = ranking.items
        out[row, len(ranking.items) :] = ranking.items[0] if len(ranking.items) else histories[row][0]
    return out


def _repeated(items: Int64) -> Bool:
    """Where an item stood in the row before."""
    order = np.argsort(items, axis=1, kind="stable")
    ranked = np.take_along_axis(items, order, axis=1)
    again = np.zeros(items.shape, dtype=bool)
    again[:, 1:] = ranked[:, 1:] == ranked[:, :-1]
    out = np.empty_like(again)
    np.put_along_axis(out, order, again, axis=1)
    return out


def _ndcg(
    candidates: Int64,
    logprobs: Float32,
    values: dict[str, Float32],
    weights: dict[str, float],
    targets: Int32,
) -> float:
    """NDCG@10 of one target per case over the candidates; equal scores stand in the order of the items' numbers."""
    scores = logprobs + sum(np.float32(weight) * values[name] for name, weight in weights.items() if weight)
    target = np.where(candidates == targets, scores, -np.inf).max(axis=1, keepdims=True)
    before = (scores > target) | ((scores == target) & (candidates < targets))
    rank = before.sum(axis=1)
    gain = np.where(np.isfinite(target[:, 0]) & (rank < 10), 1 / np.log2(rank + 2), 0.0)
    return float(gain.mean())
