"""Choosing a baseline's settings on validation cases. Does not know any baseline, nor the test cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from genrec.errors import ConfigError
from genrec.evaluation.metrics.ndcg import ndcg
from genrec.evaluation.ranker import Float32, Scorer, ScoreRanker, at_once, refuse_nan
from genrec.progress import along
from genrec.splitting import Cases

Model = TypeVar("Model", bound=Scorer)
Config = TypeVar("Config", bound=BaseModel)
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Tuned(Generic[Model, Config]):
    """The best model, its settings, and every trial as (settings, validation NDCG)."""

    model: Model
    config: Config
    trials: list[tuple[Config, float]]


def validation_ndcg(model: Scorer, valid: Cases, *, k: int = 10, mask_seen: bool = True) -> float:
    """Mean NDCG@k over the validation cases, the whole catalog ranked."""
    k = min(k, model.n_items)
    if (valid.targets.lengths == 1).all():
        return float(single_ndcg(model, valid, k, mask_seen).mean())
    return float(ndcg(ScoreRanker(model).rank(valid.histories, k, mask_seen=mask_seen), valid.targets, k).mean())


def single_ndcg(model: Scorer, valid: Cases, k: int, mask_seen: bool) -> Float64:
    """NDCG@k of cases with one target each, float64 [cases]: its place counted: sorting takes three times as long.

    As ScoreRanker ranks: of equal scores the lower item number comes first.
    """
    size = at_once(model.n_items)
    parts = [
        _gain(model.scores(part.histories), part, k, mask_seen)
        for start in along(model.name, len(valid), size)
        for part in [valid.take(np.arange(start, min(start + size, len(valid))))]
    ]
    return np.concatenate([np.zeros(0), *parts])


def _gain(scores: Float32, cases: Cases, k: int, mask_seen: bool) -> Float64:
    refuse_nan(scores, "validation")
    if mask_seen:
        scores = scores.copy()
        scores[cases.histories.rows, cases.histories.items] = -np.inf
    target = cases.targets.items[:, None]
    truth = np.take_along_axis(scores, target, axis=1)
    before = np.count_nonzero(scores > truth, axis=1)
    alike = scores == truth
    tied = np.flatnonzero(np.count_nonzero(alike, axis=1) > 1)
    before[tied] += np.count_nonzero(alike[tied] & (np.arange(scores.shape[1]) < target[tied]), axis=1)
    found = (before < k) & (truth[:, 0] > -np.inf)
    return np.where(found, 1 / np.log2(before + 2.0), 0.0)


def choose(
    fit: Callable[[Config], Model], grid: Sequence[Config], valid: Cases, *, k: int = 10, mask_seen: bool = True
) -> Tuned[Model, Config]:
    """Fits every setting and keeps the one with the highest validation NDCG@k; the earlier one wins a tie."""
    if not grid:
        raise ConfigError("no settings to choose from", value=[], allowed="one config or more", remedy="pass a grid")
    best: tuple[float, Model, Config] | None = None
    trials: list[tuple[Config, float]] = []
    for config in grid:
        model = fit(config)
        trials.append((config, validation_ndcg(model, valid, k=k, mask_seen=mask_seen)))
        if best is None or trials[-1][1] > best[0]:
            best = (trials[-1][1], model, config)
    assert best is not None
    return Tuned(best[1], best[2], trials)
