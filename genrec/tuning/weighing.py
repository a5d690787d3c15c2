"""Weights of the priors, fitted on validation cases. Does not know what the priors are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

from genrec.fusing import Bool, Fusion, unseen
from genrec.priors.mix import Float32, Mix, Prior
from genrec.ragged import Int64, Ragged
from genrec.splitting import Cases

Float64 = npt.NDArray[np.float64]
MOST = 100.0
"""Largest weight of a prior beside a model with weight 1, in units of log-probability per standard deviation."""
LEAST = 0.05
"""Weight of the model where the likelihood is fitted; less than this moves nothing but ties."""
_STEEPEST = 10.0  # largest weight of model and priors where the likelihood is fitted
_DECAY = 1e-3


def weighed(fusion: Fusion, valid: Cases, beam: Int64 | None = None) -> Mix:
    """The mix with weights under which the validation targets are likeliest among the candidates, seen items masked.

    Candidates are the model's beam and each prior's best items; cases whose target is none of them say nothing of
    their order and are left out. log p(target) = softmax(α · log p_LM + Σ w · prior) is concave in α and w, so that a
    few hundred cases do where a search by NDCG, a step function, takes chance for quality. Weights are w / α: the model
    itself stands with weight 1 in every score. Where α is next to nothing the model is left out, and the priors have
    the weights of `weights_alone`.

    beam: the model's best items of each case, int64 [cases, width], where they are there already.
    """
    mix = fusion.mix
    if not mix.priors:
        return mix
    together, scores = _candidates(fusion, valid.histories, beam)
    values = np.stack([scores, *_values_of(mix, valid.histories, together)], axis=-1)
    model, *weights = _likeliest(values, together == valid.targets.padded(1))
    if model < LEAST:
        alone = weights_alone(mix, valid, len(fusion.asking.index))
        return replace(mix.with_weights(alone), model=False)
    found = _rounded(mix.priors, [weight / model for weight in weights])
    return replace(mix.with_weights(found), model=True)


def weights_alone(mix: Mix, valid: Cases, items: int, width: int = 50) -> dict[str, float]:
    """The same for the priors without the model, on each one's `width` best items: what a model has to add to."""
    allowed = [unseen(valid.histories[row], items) for row in range(len(valid))]
    together = np.concatenate(_best_of_each(mix, valid.histories, allowed, min(width, items)), axis=1)
    values = np.stack(_values_of(mix, valid.histories, together), axis=-1)
    barred: Bool = _barred(together, allowed) < 0
    values[barred] = -np.inf
    return _rounded(mix.priors, _likeliest(values, together == valid.targets.padded(1)))


def _values_of(mix: Mix, histories: Ragged, candidates: Int64) -> list[Float32]:
    """Of each prior float32 [cases, candidates], standardised over the whole catalog."""
    return [np.take_along_axis(mix.values_of(prior, histories), candidates, axis=1) for prior in mix.priors]


def _likeliest(values: Float32, hit: Bool) -> list[float]:
    """Weights ≥ 0 of the last axis that maximise the hits' log-likelihood; float32 [cases, candidates, systems].

    A candidate of which some system says −inf is none. Without any case whose target is found: 1 for each.
    """
    there: Bool = np.asarray(np.isfinite(values).all(axis=-1))
    found: Bool = np.asarray((hit & there).any(axis=1))
    if not found.any():
        return [1.0] * values.shape[-1]
    there, hit = there[found], (hit & there)[found]
    values = np.where(there[..., None], values[found], 0).astype(np.float64)
    truth = values[hit]

    def cost(weights: Float64) -> tuple[float, Float64]:
        scores = np.where(there, values @ weights, -np.inf)
        shares = softmax(scores, axis=1)
        likelihood = scores[hit] - logsumexp(scores, axis=1)
        slope = truth - np.einsum("cn,cns->cs", shares, values)
        return float(_DECAY * weights @ weights - likelihood.mean()), 2 * _DECAY * weights - slope.mean(axis=0)

    start = np.full(values.shape[-1], 0.3)
    best = minimize(cost, start, jac=True, method="L-BFGS-B", bounds=[(0.0, _STEEPEST)] * len(start))
    return [float(weight) for weight in best.x]


def _rounded(priors: tuple[Prior, ...], weights: Sequence[float]) -> dict[str, float]:
    return {prior.name: round(min(weight, MOST), 3) for prior, weight in zip(priors, weights, strict=True)}


def _candidates(fusion: Fusion, histories: Ragged, beam: Int64 | None) -> tuple[Int64, Float32]:
    """Per case the union of the beam's and each prior's best items, −inf where an item stands twice."""
    items = len(fusion.asking.index)
    allowed = [unseen(histories[row], items) for row in range(len(histories))]
    width = min(fusion.width, items)
    best = _best_of_each(fusion.mix, histories, allowed, width)
    beam = from_beam(fusion, histories) if beam is None else beam
    together = np.concatenate([beam, *best], axis=1)
    prompts = fusion.asking.batch(histories)
    codes = fusion.asking.index.codes
    scored = fusion.engine.score(prompts, [codes[row] for row in together])
    logprobs = np.stack(scored).astype(np.float32)
    return together, logprobs + _barred(together, allowed)


def _best_of_each(mix: Mix, histories: Ragged, allowed: list[Bool], width: int) -> list[Int64]:
    best = []
    for prior in mix.priors:
        values = mix.values_of(prior, histories)
        values[~np.stack(allowed)] = -np.inf
        best.append(np.argpartition(-values, width - 1, axis=1)[:, :width])
    return best


def _barred(candidates: Int64, allowed: list[Bool]) -> Float32:
    """−inf where an item is not allowed, or stood in the row before; 0 elsewhere."""
    out = np.zeros(candidates.shape, dtype=np.float32)
    out[_repeated(candidates) | ~np.take_along_axis(np.stack(allowed), candidates, axis=1)] = -np.inf
    return out


def from_beam(fusion: Fusion, histories: Ragged) -> Int64:
    """The model's best items that a history does not hold, int64 [histories, width]; the best again where there are
    no more."""
    items = len(fusion.asking.index)
    width = min(fusion.width, items)
    allowed = [unseen(histories[row], items) for row in range(len(histories))]
    alone = replace(fusion.alone(), width=width)
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
